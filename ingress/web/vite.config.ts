import react from "@vitejs/plugin-react";
import { VitePWA } from "vite-plugin-pwa";
import { defineConfig } from "vitest/config";

import { reference } from "./scripts/reference.ts";

/** The service that `npm run dev` talks to. */
const service = process.env.NOVA_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [
    react(),
    reference(),
    VitePWA({
      registerType: "prompt",
      injectRegister: false,
      workbox: {
        globPatterns: ["**/*.{js,css,html,svg,woff2}"],
        globIgnores: ["reference/**"],
        navigateFallback: "/index.html",
        navigateFallbackDenylist: [/^\/(api|auth|health)(\/|$)/u],
        inlineWorkboxRuntime: true,
        sourcemap: false,
      },
      manifest: {
        id: "/",
        name: "Nova English",
        short_name: "Nova English",
        description: "Choose a picture and talk about it in English with a tutor who listens.",
        lang: "en",
        start_url: "/",
        display: "standalone",
        background_color: "#faf7f1",
        theme_color: "#faf7f1",
        icons: [
          { src: "/icon.svg", sizes: "any", type: "image/svg+xml" },
          { src: "/icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "/icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "/icon-maskable-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
    }),
  ],
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
