// Builds the documentation site, and checks every link of it and of the README, with the anchors.
import { join } from "node:path";
import { LinkChecker, LinkState } from "linkinator";
import { ROOT } from "../paths.js";
import { type Count, command, type Print } from "../run.js";

/** Other hosts are not asked: a check must not fail because one of them is down. */
const ELSEWHERE = "^https?://(?!localhost)";

/** Links of all pages that can be reached from `path` below `folder`; of a Markdown file only its own. */
export async function links(folder: string, path: string, markdown: boolean, print: Print): Promise<Count> {
  const { links: found } = await new LinkChecker().check({
    path,
    serverRoot: folder,
    recurse: !markdown,
    checkFragments: !markdown,
    markdown,
    // The README links to folders, which GitHub lists.
    directoryListing: markdown,
    linksToSkip: [ELSEWHERE],
  });
  // linkinator may list an address twice, with and without its anchor.
  const ends = new Map(found.map(({ url, parent, state }) => [`${parent}: the link ${url} leads nowhere`, state]));
  const broken = [...ends].filter(([, state]) => state === LinkState.BROKEN);
  for (const [problem] of broken) print(`${problem}\n`);
  return { passed: ends.size - broken.length, failed: broken.length };
}

/** VitePress itself fails on a link to a page that does not exist. */
export async function docSite(print: Print): Promise<Count> {
  const built = await command("npx", "vitepress", "build", "docs")(print);
  if (built.failed > 0) return built;
  const site = await links(join(ROOT, "docs/.vitepress/dist"), "/", false, print);
  const readme = await links(ROOT, "README.md", true, print);
  if (site.passed < 100) throw new Error(`Only ${site.passed} links were found: the pages cannot have been read.`);
  return { passed: site.passed + readme.passed, failed: site.failed + readme.failed };
}
