/** Two kinds of small charts as SVG, each with a sentence that says the same and a table with the figures. */

import type { ReactNode } from "react";
import { useI18n } from "../../i18n/i18n";
import { styles as ui } from "../../ui/ui";
import styles from "./progress.module.css";

export interface Point {
  readonly date: string;
  readonly value: number;
}

interface ChartProps {
  readonly title: string;
  readonly sentence: string;
  readonly column: string;
  readonly points: readonly Point[];
  /** How a value reads, where it is no number. */
  readonly format?: (value: number) => string;
}

const WIDTH = 600;
const HEIGHT = 160;
const BASE = 140;

export function Bars(props: ChartProps) {
  const max = Math.max(1, ...props.points.map((point) => point.value));
  const step = WIDTH / Math.max(1, props.points.length);
  return (
    <Figure {...props} max={max}>
      {props.points.map((point, index) => {
        const height = (point.value / max) * (BASE - 20);
        return (
          <rect
            key={point.date}
            className={styles.mark}
            x={index * step + step * 0.15}
            y={BASE - height}
            width={step * 0.7}
            height={height}
            rx={2}
          />
        );
      })}
    </Figure>
  );
}

interface LineProps extends ChartProps {
  readonly dates: readonly string[];
  /** The top of the chart. */
  readonly max: number;
}

export function Line({ dates, ...props }: LineProps) {
  const x = (date: string): number => ((dates.indexOf(date) + 0.5) * WIDTH) / Math.max(1, dates.length);
  const y = (value: number): number => BASE - (value / props.max) * (BASE - 20);
  const path = props.points
    .map((point, index) => `${index === 0 ? "M" : "L"}${x(point.date)} ${y(point.value)}`)
    .join("");
  return (
    <Figure {...props}>
      <path className={styles.line} d={path} />
      {props.points.map((point) => (
        <circle key={point.date} className={styles.mark} cx={x(point.date)} cy={y(point.value)} r={5} />
      ))}
    </Figure>
  );
}

function Figure(props: ChartProps & { readonly max: number; readonly children: ReactNode }) {
  const { t, intl } = useI18n();
  const format = props.format ?? ((value: number) => intl.formatNumber(value));
  return (
    <figure className={`${ui.panel} ${styles.figure}`}>
      <h2>{props.title}</h2>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={props.sentence}>
        <text x={0} y={14}>
          {format(props.max)}
        </text>
        <line className={styles.base} x1={0} x2={WIDTH} y1={BASE} y2={BASE} />
        {props.children}
      </svg>
      <figcaption>{props.sentence}</figcaption>
      <details>
        <summary>{t("progress.table")}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("progress.date")}</th>
              <th scope="col">{props.column}</th>
            </tr>
          </thead>
          <tbody>
            {props.points
              .filter((point) => point.value > 0)
              .map((point) => (
                <tr key={point.date}>
                  <td>{intl.formatDate(`${point.date}T12:00:00Z`, { dateStyle: "medium", timeZone: "UTC" })}</td>
                  <td>{format(point.value)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
