// Every page is rendered at build time, in Node.
import adapter from "@sveltejs/adapter-static";

export default { kit: { adapter: adapter() } };
