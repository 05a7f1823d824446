/** Streak, time, scores over the last weeks, and the conversations. */

import { useQuery } from "@tanstack/react-query";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { ErrorMessage, Loading, PageTitle, styles as ui } from "../../ui/ui";
import { Bars, Line, type Point } from "./chart";
import { History } from "./history";
import styles from "./progress.module.css";

const DAYS = 30;
const SCORE_MAX = 100;
/** People seldom speak faster; a chart of slower speech has the same scale every day. */
const WORDS_PER_MINUTE = 200;
const LEVELS = ["A1", "A2", "B1", "B2", "C1", "C2"] as const satisfies readonly Schemas["Level"][];
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

type Day = Schemas["Day"];

export function Charts({ days, to }: { readonly days: readonly Day[]; readonly to: string }) {
  const { t, intl } = useI18n();
  const byDate = new Map(days.map((day) => [day.date, day]));
  const dates = lastDates(to, DAYS);
  const daily = (value: (day: Day) => number): Point[] =>
    dates.map((date) => {
      const day = byDate.get(date);
      return { date, value: day === undefined ? 0 : value(day) };
    });
  const measured = (value: (day: Day) => number | null | undefined): Point[] =>
    dates.flatMap((date) => {
      const found = byDate.get(date);
      const measure = found === undefined ? null : value(found);
      return measure === null || measure === undefined ? [] : [{ date, value: Math.round(measure) }];
    });
  const spoken = daily((day) => minutes(day.learnerSpeechMs));
  const words = daily((day) => day.words);
  const sum = (points: readonly Point[]): string =>
    intl.formatNumber(
      points.reduce((all, { value }) => all + value, 0),
      { maximumFractionDigits: 1 },
    );
  const active = (points: readonly Point[]): number => points.filter(({ value }) => value > 0).length;
  const change = (points: readonly Point[], format: (value: number) => string = String) => ({
    count: points.length,
    first: format(points[0]?.value ?? 0),
    last: format(points.at(-1)?.value ?? 0),
  });
  const levelName = (value: number): string => LEVELS[value - 1] ?? "";
  const levels = measured(levelOf);
  const scores = measured((day) => day.scores?.overall);
  const vocabulary = measured((day) => day.scores?.vocabulary);
  const pace = measured((day) => day.wordsPerMinute);
  return (
    <div className={styles.charts}>
      <Bars
        title={t("progress.minutesChart", { days: DAYS })}
        sentence={t("progress.minutesSentence", { minutes: sum(spoken), active: active(spoken), days: DAYS })}
        column={t("progress.spoken")}
        points={spoken}
      />
      <Line
        title={t("progress.scoreChart")}
        sentence={t("progress.scoreSentence", change(scores))}
        column={t("progress.score")}
        points={scores}
        dates={dates}
        max={SCORE_MAX}
      />
      <Line
        title={t("progress.levelChart")}
        sentence={t("progress.levelSentence", change(levels, levelName))}
        column={t("progress.level")}
        points={levels}
        dates={dates}
        max={LEVELS.length}
        format={levelName}
      />
      <Line
        title={t("progress.vocabularyChart")}
        sentence={t("progress.scoreSentence", change(vocabulary))}
        column={t("result.vocabulary")}
        points={vocabulary}
        dates={dates}
        max={SCORE_MAX}
      />
      <Bars
        title={t("progress.wordsChart", { days: DAYS })}
        sentence={t("progress.wordsSentence", { words: sum(words), active: active(words), days: DAYS })}
        column={t("progress.words")}
        points={words}
      />
      <Line
        title={t("progress.paceChart")}
        sentence={t("progress.paceSentence", change(pace))}
        column={t("progress.wordsPerMinute")}
        points={pace}
        dates={dates}
        max={Math.max(WORDS_PER_MINUTE, ...pace.map(({ value }) => value))}
      />
    </div>
  );
}

/** The level that most assessments of a day say, from 1; the higher one of two. */
function levelOf({ levels }: Day): number | null {
  const best = LEVELS.reduce<number>((most, level, at) => {
    const count = levels[level] ?? 0;
    return count > 0 && count >= (levels[LEVELS[most - 1] ?? ""] ?? 0) ? at + 1 : most;
  }, 0);
  return best === 0 ? null : best;
}

/** The `count` dates that end with `to`, oldest first. */
function lastDates(to: string, count: number): string[] {
  const end = Date.parse(`${to}T00:00:00Z`);
  return Array.from({ length: count }, (_, i) =>
    new Date(end - (count - 1 - i) * 86_400_000).toISOString().slice(0, 10),
  );
}
