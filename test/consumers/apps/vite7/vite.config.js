// The one option that the README names for Vite 7 and older, which pre-bundle the library without its worker.
export default { optimizeDeps: { exclude: ["insitu"] } };
