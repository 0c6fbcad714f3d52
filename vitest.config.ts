// The four test projects: pure rooms, the collector, real Chromium, and the packed tarball in strangers' apps.
import { defineConfig } from "vitest/config";

const slow = { testTimeout: 180_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: { name: "collector", include: ["collector/test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      // One browser at a time: two cores, and a busy machine makes real models slow, not wrong.
      { test: { name: "browser", include: ["test/browser/**/*.test.ts"], fileParallelism: false, ...slow } },
      { test: { name: "consumers", include: ["test/consumers/**/*.test.ts"], fileParallelism: false, ...slow } },
    ],
  },
});
