// Builds the documentation site, and checks every link of it and of the README, with the anchors.
import { join } from "node:path";
import { LinkChecker, LinkState } from "linkinator";
import { ROOT } from "../paths.js";
import { type Count, command, type Print } from "../run.js";

/** Other hosts are not asked: a check must not fail because one of them is down. */
const ELSEWHERE = "^https?://(?!localhost)";

/** Links of all pages that can be reached from `path` below `folder`; of a Markdown file only its own. */
async function links(folder: string, path: string, markdown: boolean, print: Print): Promise<Count> {
  const { links: found } = await new LinkChecker().check({
    path,
    serverRoot: folder,
    recurse: !markdown,
    checkFragments: !markdown,
    markdown,
    linksToSkip: [ELSEWHERE],
  });
  const broken = found.filter(({ state }) => state === LinkState.BROKEN);
  for (const { url, parent } of broken) print(`${parent}: the link ${url} leads nowhere\n`);
  return { passed: found.length - broken.length, failed: broken.length };
}

/** VitePress itself fails on a link to a page that does not exist. */
export async function docSite(print: Print): Promise<Count> {
  const built = await command("npx", "vitepress", "build", "docs")(print);
  if (built.failed > 0) return built;
  const site = await links(join(ROOT, "docs/.vitepress/dist"), "/index.html", false, print);
  const readme = await links(ROOT, "README.md", true, print);
  if (site.passed < 100) throw new Error(`Only ${site.passed} links were found: the pages cannot have been read.`);
  return { passed: site.passed + readme.passed, failed: site.failed + readme.failed };
}
