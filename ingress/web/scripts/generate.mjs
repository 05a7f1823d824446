// Writes the types of the HTTP API and of the live protocol from the published schemas.
// `--check` writes nothing and fails if a generated file differs from its schema.

import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";
import openapi, { astToString } from "openapi-typescript";

const schemas = new URL("../../../schemas/", import.meta.url);
const target = new URL("../src/api/generated/", import.meta.url);
const header = "// Generated from schemas/ by `npm run generate`. Do not edit.\n\n";

const document = JSON.parse(await readFile(new URL("api/openapi.json", schemas), "utf8"));

/** The problem codes, so that a translation of each can be required. */
const problemCodes = document.components.schemas.Code.enum;

async function messages(file) {
  const schema = JSON.parse(await readFile(new URL(`live/${file}`, schemas), "utf8"));
  return compile(schema, schema.title, { additionalProperties: false, bannerComment: "", format: false });
}

const files = {
  "openapi.ts": astToString(await openapi(document, { defaultNonNullable: false })),
  "problems.ts": `export const PROBLEM_CODES = ${JSON.stringify([...problemCodes].sort(), null, 2)} as const;\n`,
  "client-message.ts": await messages("client.v1.json"),
  "server-message.ts": await messages("server.v1.json"),
};

let stale = false;
for (const [name, text] of Object.entries(files)) {
  const url = new URL(name, target);
  if (process.argv.includes("--check")) {
    const present = await readFile(url, "utf8").catch(() => "");
    if (present !== header + text) {
      console.error(`src/api/generated/${name} differs from schemas/: run \`npm run generate\``);
      stale = true;
    }
  } else {
    await writeFile(url, header + text);
  }
}
process.exit(stale ? 1 : 0);
