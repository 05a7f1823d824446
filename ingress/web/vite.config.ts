import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { reference } from "./scripts/reference.ts";

/** The service that `npm run dev` talks to. */
const service = process.env.NOVA_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react(), reference()],
  build: {
    // Worklets and fonts stay files of our own origin: the content security policy allows no data URL.
    assetsInlineLimit: 0,
    manifest: true,
    outDir: process.env.NOVA_WEB_OUT ?? "dist",
    emptyOutDir: true,
    target: "es2022",
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/auth", "/health"].map((path) => [path, { target: service, ws: path === "/api" }]),
    ),
  },
  test: { include: ["src/**/*.test.ts", "tests/**/*.test.ts"] },
});
