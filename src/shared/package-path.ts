// Which relative paths may stand in a package or a channel: none that could name another file for a server, a disk or a URL.

// Long enough for any real folder, too short to fill a message or a request line with.
const MAX_PATH = 512;

/** Why `path` may not stand in a package, or undefined. It is stricter than URLs are: what looks unusual is refused. */
export function pathProblem(path: string): string | undefined {
  if (path.length > MAX_PATH) return `is longer than ${MAX_PATH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for (URLs drop tabs and line ends).
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return "holds a control character";
  if (/\p{Cs}/u.test(path)) return "holds half a character";
  // A percent sign may hide a dot or a slash, and names another file for the server than for the disk.
  const sign = /[\\:%?#]/.exec(path)?.[0];
  if (sign) return `holds ${sign === "\\" ? "a backslash" : `"${sign}"`}`;
  for (const segment of path.split("/")) {
    if (segment === "") return "is empty, starts or ends with a slash, or has two in a row";
    if (segment === "." || segment === "..") return `holds "${segment}" as a folder`;
    if (segment !== segment.trim()) return "holds a name with a space at its start or end";
  }
  return path === "insitu.json" ? "is the manifest itself" : undefined;
}
