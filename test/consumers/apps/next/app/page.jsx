// A client component, which Next.js also renders on the server.
"use client";
import "../read-digit.js";

export default function Page() {
  return <p>Digits</p>;
}
