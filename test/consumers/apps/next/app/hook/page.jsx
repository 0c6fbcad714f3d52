// A client component with the hook, which Next.js also renders on the server.
"use client";
import { useModel } from "insitu/react";

export default function Page() {
  const { status, model } = useModel("/models/digits/", { task: "classification" });
  return (
    <p id="status">
      {status} {model?.info.name}
    </p>
  );
}
