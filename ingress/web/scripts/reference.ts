// The renderer of the API reference as files below /reference, in the build and of the development server. Its names carry no hash:
// the service, which serves /api/docs, does not know the build.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

import type { Plugin } from "vite";

const require = createRequire(import.meta.url);
const TYPES: Record<string, string> = { ".css": "text/css", ".js": "text/javascript" };
const FILES = ["swagger-ui-bundle.js", "swagger-ui.css"];

/** The file of the package. */
const source = (name: string) => require.resolve(`swagger-ui-dist/${name}`);

export function reference(): Plugin {
  return {
    name: "reference",
    async generateBundle() {
      for (const name of FILES)
        this.emitFile({
          type: "asset",
          fileName: `reference/${name}`,
          source: await readFile(source(name)),
        });
    },
    configureServer(server) {
      for (const name of FILES)
        server.middlewares.use(`/reference/${name}`, (_, response) => {
          response.setHeader("content-type", TYPES[path.extname(name)] ?? "");
          createReadStream(source(name)).pipe(response);
        });
    },
  };
}
