/** A QR code, drawn as one path: no image of another origin and no inline style. */

import { encode } from "uqr";
import styles from "./ui.module.css";

export function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  // The quiet zone that readers need is 4 modules wide.
  const { data, size } = encode(text, { border: 4 });
  const modules = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return (
    <svg
      className={styles.qr}
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={modules.join("")} fill="#000" />
    </svg>
  );
}
