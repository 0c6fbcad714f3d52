// The site's theme: VitePress's own, with colors that have enough contrast and tables that wrap.
import DefaultTheme from "vitepress/theme";
import "./style.css";

export default DefaultTheme;
