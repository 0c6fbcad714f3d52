// Configures the documentation site. `npm run docs` serves it, `npm run docs:build` writes it to docs/.vitepress/dist.
import { existsSync, readFileSync } from "node:fs";
import { type DefaultTheme, defineConfig } from "vitepress";
import { sidebar } from "./sidebar.js";

// Written by typedoc, which both commands run first.
const API = new URL("../api/typedoc-sidebar.json", import.meta.url);

function apiItems(): DefaultTheme.SidebarItem[] {
  const groups = existsSync(API) ? (JSON.parse(readFileSync(API, "utf8")) as DefaultTheme.SidebarItem[]) : [];
  return groups.map(({ text, items }) => ({ text, items }));
}

export default defineConfig({
  title: "insitu",
  description: "Machine-learning models inside the web page",
  lang: "en",
  // Plain .html addresses work on every static host.
  cleanUrls: false,
  // The default themes have comments and keywords below the contrast of WCAG 2 AA.
  markdown: { theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" } },
  themeConfig: {
    nav: [
      { text: "Start", link: "/start" },
      { text: "Guides", link: "/guides/load-and-cache" },
      { text: "API", link: "/api/" },
      { text: "Errors", link: "/errors" },
    ],
    sidebar: sidebar(apiItems()),
    outline: [2, 3],
    search: { provider: "local" },
  },
});
