// A page for each framework, with that framework's own plugin.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
import solid from "vite-plugin-solid";

export default {
  plugins: [vue(), svelte(), solid({ include: /\.solid\.jsx$/ })],
  build: { rollupOptions: { input: ["vue.html", "svelte.html", "solid.html"] } },
};
