// Fails if the JavaScript that the first page loads is larger than the budget. Runs between build and compression.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

const out = process.env.NOVA_WEB_OUT ?? "dist";
/** Bytes after gzip. */
const MAX = 200_000;
const ALARM = 175_000;

const manifest = JSON.parse(await readFile(path.join(out, ".vite/manifest.json"), "utf8"));
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry && manifest[key].src === "index.html");
if (entry === undefined) throw new Error("the manifest has no entry index.html");

const files = new Set();
function add(key) {
  if (files.has(manifest[key].file)) return;
  files.add(manifest[key].file);
  for (const imported of manifest[key].imports ?? []) add(imported);
}
add(entry);

let bytes = 0;
for (const file of files) bytes += gzipSync(await readFile(path.join(out, file)), { level: 9 }).length;
if (bytes > MAX) {
  console.error(`the first page loads ${bytes} bytes of JavaScript after gzip; at most ${MAX} are allowed`);
  process.exit(1);
}
if (bytes > ALARM)
  console.warn(`the first page loads ${bytes} bytes of JavaScript after gzip, near the limit of ${MAX}`);
