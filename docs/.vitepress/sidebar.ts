// The pages of the documentation site, in the order in which they are listed.
import type { DefaultTheme } from "vitepress";

const page = (text: string, link: string) => ({ text, link });

// No group is collapsible: VitePress puts a button into a button there, which assistive technology cannot tell apart.
const DECISIONS = [
  page("001 Errors and calls", "/decisions/001-errors-and-calls"),
  page("002 Build", "/decisions/002-build"),
  page("003 Store", "/decisions/003-store"),
  page("004 Command line", "/decisions/004-cli"),
  page("005 Trust", "/decisions/005-trust"),
  page("006 Delivery", "/decisions/006-delivery"),
  page("007 Self-test", "/decisions/007-self-test"),
  page("008 Runtime", "/decisions/008-runtime"),
  page("009 Telemetry", "/decisions/009-telemetry"),
  page("010 Collector", "/decisions/010-collector"),
  page("011 Personalisation", "/decisions/011-personalisation"),
  page("012 Folders", "/decisions/012-layout"),
  page("013 TypeScript projects", "/decisions/013-typescript-projects"),
  page("014 Shared chunk", "/decisions/014-shared-chunk"),
  page("015 Inputs of pack", "/decisions/015-pack-inputs"),
  page("016 Apps", "/decisions/016-apps"),
  page("017 Rollout", "/decisions/017-rollout"),
  page("018 Drift", "/decisions/018-drift"),
  page("019 Decisions", "/decisions/019-decisions"),
  page("020 Demo", "/decisions/020-demo"),
  page("021 Registry", "/decisions/021-registry"),
  page("022 Retraining", "/decisions/022-retraining"),
  page("023 Plans", "/decisions/023-plans"),
  page("024 Files of the worker", "/decisions/024-worker-files"),
  page("025 Own kernels", "/decisions/025-kernels"),
  page("026 WebGPU plans", "/decisions/026-webgpu-plans"),
  page("027 Chunk files", "/decisions/027-chunk-files"),
  page("030 Documentation", "/decisions/030-documentation"),
];

const PAGES: DefaultTheme.SidebarItem[] = [
  {
    text: "Begin",
    items: [
      page("Start", "/start"),
      page("Bundlers", "/bundlers"),
      page("Frameworks", "/frameworks"),
      page("Converting models", "/convert"),
      page("Troubleshooting", "/troubleshooting"),
    ],
  },
  {
    text: "Guides",
    items: [
      page("Load and cache", "/guides/load-and-cache"),
      page("Inputs and tasks", "/guides/inputs-and-tasks"),
      page("Model packages", "/guides/packages"),
      page("Roll out new versions", "/guides/rollout"),
      page("The registry", "/guides/registry"),
      page("Backends", "/guides/backends"),
      page("Batch and video", "/guides/batch-and-video"),
      page("Feedback and monitoring", "/guides/feedback"),
      page("Personalisation", "/guides/personalisation"),
      page("Telemetry", "/guides/telemetry"),
      page("The collector", "/guides/collector"),
      page("Retraining", "/guides/retraining"),
      page("Offline", "/guides/offline"),
      page("Hosting models", "/guides/hosting"),
      page("Security", "/guides/security"),
      page("CSP and other headers", "/csp"),
    ],
  },
  {
    text: "Reference",
    items: [
      page("API", "/api/"),
      page("Error codes", "/errors"),
      page("Comparison with peers", "/comparison"),
      page("25 complaints", "/complaints"),
      page("Consumers tried", "/consumers"),
      page("Browsers tried", "/browsers"),
      page("Performance", "/performance"),
      page("Simulation", "/simulation"),
    ],
  },
  {
    text: "Inside",
    items: [
      page("Architecture", "/architecture"),
      page("Style", "/style"),
      page("Faults found", "/faults"),
      page("Decisions", "/decisions/"),
    ],
  },
];

/** By the folder that a page is in; the API's items come from typedoc. */
export function sidebar(api: DefaultTheme.SidebarItem[]): DefaultTheme.SidebarMulti {
  return {
    "/api/": [{ text: "API", link: "/api/", items: api }, ...PAGES],
    "/decisions/": [{ text: "Decisions", link: "/decisions/", items: DECISIONS }, ...PAGES],
    "/": PAGES,
  };
}

/** The addresses of all pages that are in a sidebar. */
export function sidebarLinks(items: DefaultTheme.SidebarItem[] = [...PAGES, ...DECISIONS]): string[] {
  return items.flatMap((item) => [...(item.link ? [item.link] : []), ...sidebarLinks(item.items ?? [])]);
}
