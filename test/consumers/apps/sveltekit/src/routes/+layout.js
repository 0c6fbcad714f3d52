// The page is rendered on the server, where it imports the library too.
export const prerender = true;
