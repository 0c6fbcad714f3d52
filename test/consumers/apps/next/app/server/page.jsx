// A server component that imports the library: what it exports is there, and nothing of a browser is touched.
import { ERROR_CODES } from "insitu";

export default function Page() {
  return <p id="codes">{ERROR_CODES.length} error codes</p>;
}
