// SvelteKit's own plugin and nothing else.
import { sveltekit } from "@sveltejs/kit/vite";

export default { plugins: [sveltekit()] };
