// The site's theme: VitePress's own, with colors that have enough contrast, tables that wrap, and a main landmark on the home page.
import type { Theme } from "vitepress";
import DefaultTheme from "vitepress/theme";
import "./style.css";

/** VitePress's other pages have a `main` element inside. */
function markHome(): void {
  const content = document.getElementById("VPContent");
  if (content?.classList.contains("is-home")) content.setAttribute("role", "main");
  else content?.removeAttribute("role");
}

export default {
  extends: DefaultTheme,
  enhanceApp({ router }) {
    // Not while the site is built. The page is drawn after the change of the route.
    if (typeof document !== "undefined") router.onAfterRouteChange = () => void requestAnimationFrame(markHome);
  },
} satisfies Theme;
