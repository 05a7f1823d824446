/** The messages that waited in the last hour, as a line with a sentence that says the same. */

import type { Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import styles from "./operator.module.css";

const WIDTH = 160;
const HEIGHT = 32;
const HOUR_MS = 3_600_000;

export function Sparkline({ samples }: { readonly samples: readonly Schemas["QueueSample"][] }) {
  const { t, intl } = useI18n();
  const waiting = samples.flatMap((sample) =>
    typeof sample.waiting === "number" ? [{ ...sample, waiting: sample.waiting }] : [],
  );
  const last = waiting.at(-1);
  if (last === undefined) return <span>–</span>;
  const max = Math.max(...waiting.map((sample) => sample.waiting));
  const start = Date.parse(last.at) - HOUR_MS;
  const points = waiting.map((sample) => {
    const x = ((Date.parse(sample.at) - start) / HOUR_MS) * WIDTH;
    const y = HEIGHT - 2 - (sample.waiting / Math.max(1, max)) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg
      className={styles.spark}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={t("ops.spark", { max: intl.formatNumber(max), last: intl.formatNumber(last.waiting) })}
    >
      <polyline points={points.join(" ")} />
    </svg>
  );
}
