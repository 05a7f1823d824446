/** Streak, time, scores over the last weeks, and the conversations. */

import { useQuery } from "@tanstack/react-query";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { ErrorMessage, Loading, PageTitle, styles as ui } from "../../ui/ui";
import { Bars, Line } from "./chart";
import { History } from "./history";
import styles from "./progress.module.css";

const DAYS = 30;
const minutes = (ms: number): number => Math.round(ms / 6000) / 10;

export function Progress() {
  const { t } = useI18n();
  const progress = useQuery({ queryKey: ["progress"], queryFn: () => body(() => api.GET("/api/progress")) });
  return (
    <>
      <PageTitle>{t("progress.title")}</PageTitle>
      <ErrorMessage error={progress.error} retry={() => void progress.refetch()} />
      {progress.isPending && <Loading />}
      {progress.data !== undefined && (
        <>
          <Sums total={progress.data.total} />
          <Charts days={progress.data.days} to={progress.data.to} />
        </>
      )}
      <History />
    </>
  );
}

export function Sums({ total }: { readonly total: Schemas["Total"] }) {
  const { t, intl } = useI18n();
  const trend = total.trend ?? null;
  const sums = [
    [
      t("progress.days", { days: total.streak.currentDays }),
      t("progress.streak"),
      t("progress.longest", { days: total.streak.longestDays }),
    ],
    [intl.formatNumber(minutes(total.learnerSpeechMs)), t("progress.minutes"), ""],
    [intl.formatNumber(total.conversations), t("progress.conversations"), ""],
    ...(total.wordsPerMinute === null || total.wordsPerMinute === undefined
      ? []
      : [[intl.formatNumber(total.wordsPerMinute, { maximumFractionDigits: 0 }), t("progress.wordsPerMinute"), ""]]),
    ...(trend === null ? [] : [[trend.level, t("progress.level"), t(`progress.${trend.direction}`)]]),
  ];
  return (
    <ul className={styles.sums}>
      {sums.map(([value, label, more]) => (
        <li key={label} className={ui.panel}>
          <strong>{value}</strong>
          <span>{label}</span>
          <span className={ui.hint}>{more}</span>
        </li>
      ))}
    </ul>
  );
}

export function Charts({ days, to }: { readonly days: readonly Schemas["Day"][]; readonly to: string }) {
  const { t, intl } = useI18n();
  const byDate = new Map(days.map((day) => [day.date, day]));
  const dates = lastDates(to, DAYS);
  const spoken = dates.map((date) => ({ date, value: minutes(byDate.get(date)?.learnerSpeechMs ?? 0) }));
  const scores = dates.flatMap((date) => {
    const overall = byDate.get(date)?.scores?.overall;
    return overall === undefined ? [] : [{ date, value: Math.round(overall) }];
  });
  const active = spoken.filter((day) => day.value > 0).length;
  const sum = spoken.reduce((all, day) => all + day.value, 0);
  return (
    <div className={styles.charts}>
      <Bars
        title={t("progress.minutesChart", { days: DAYS })}
        sentence={t("progress.minutesSentence", {
          minutes: intl.formatNumber(sum, { maximumFractionDigits: 1 }),
          active,
          days: DAYS,
        })}
        column={t("progress.spoken")}
        points={spoken}
      />
      <Line
        title={t("progress.scoreChart")}
        sentence={t("progress.scoreSentence", {
          count: scores.length,
          first: scores[0]?.value ?? 0,
          last: scores.at(-1)?.value ?? 0,
        })}
        column={t("progress.score")}
        points={scores}
        dates={dates}
      />
    </div>
  );
}

/** The `count` dates that end with `to`, oldest first. */
function lastDates(to: string, count: number): string[] {
  const end = Date.parse(`${to}T00:00:00Z`);
  return Array.from({ length: count }, (_, i) =>
    new Date(end - (count - 1 - i) * 86_400_000).toISOString().slice(0, 10),
  );
}
