// The test projects: unit tests, the collector, pages in Chromium (five projects), and the packed tarball in other apps.
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

/** What fails on purpose, call by call or process by process. */
const FAULTS = [
  "test/browser/**/*faults*.test.ts",
  "test/browser/**/{crash,damaged-profile,hostile-*,bad-input,poisoned,trouble}.test.ts",
  "test/browser/worker/package/{download,store}/{resume,waiting,connection}.test.ts",
  "test/browser/page/workers/{connection,recover}.test.ts",
];
/** Some 1,400 loads that fail, each in its own way: as long as all other faults together. */
const PLATFORM_FAULTS = ["test/browser/worker/package/store/platform-faults.test.ts"];
/** Measures peaks of load: nothing else may run beside it. */
const LOAD = ["test/browser/**/load-*.test.ts"];

/** Those of the collector that look at its pages in a browser. */
const COLLECTOR_PAGES = ["collector/test/dashboard{,-live,-rollout}.test.ts"];

/** Ends what hangs. No test measures time: on a busy machine the slowest takes a minute. */
const HANGS_AFTER = 180_000;

function browser(name: string, include: string[], exclude: string[] = []): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      include,
      exclude,
      globalSetup: ["test/support/start-browsers.ts"],
      // Whoever wants more at a time runs two projects: on a busy machine the models of a page are slow.
      fileParallelism: false,
      testTimeout: HANGS_AFTER,
      hookTimeout: HANGS_AFTER,
      // Of what is polled for; the default of one second is short where other parts use the same cores.
      expect: { poll: { timeout: 20_000 } },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          setupFiles: ["test/support/late-code.ts"],
          // Nothing is mocked that another file uses, and loading tfjs once instead of in each file saves a minute.
          isolate: false,
          testTimeout: HANGS_AFTER,
          hookTimeout: HANGS_AFTER,
        },
      },
      {
        test: {
          name: "collector",
          include: ["collector/test/**/*.test.ts"],
          exclude: COLLECTOR_PAGES,
          testTimeout: HANGS_AFTER,
          hookTimeout: HANGS_AFTER,
        },
      },
      browser("browser-page", ["test/browser/page/**/*.test.ts"], FAULTS),
      browser("browser-worker", ["test/browser/worker/**/*.test.ts"], [...FAULTS, ...LOAD]),
      browser("faults", FAULTS, PLATFORM_FAULTS),
      browser("platform-faults", PLATFORM_FAULTS),
      browser("collector-pages", COLLECTOR_PAGES),
      browser("demo", ["test/browser/demo/*.test.ts"]),
      browser("load", LOAD),
      browser("simulate", ["test/simulate/*.test.ts"]),
      {
        test: {
          name: "browsers",
          include: ["test/browser/others/*.test.ts"],
          fileParallelism: false,
          testTimeout: HANGS_AFTER,
          hookTimeout: HANGS_AFTER,
          expect: { poll: { timeout: 20_000 } },
        },
      },
      {
        test: {
          name: "consumers",
          include: ["test/consumers/**/*.test.ts"],
          globalSetup: ["test/consumers/support/pack.ts"],
          fileParallelism: false,
          expect: { poll: { timeout: 20_000 } },
          testTimeout: HANGS_AFTER,
          hookTimeout: HANGS_AFTER,
        },
      },
    ],
  },
});
