// What a registry holds, its changes, and what gc found, as tables for a terminal.
import { percentOf, shown, versionOf } from "../channel/plan.js";
import { textTable } from "../text-table.js";
import type { Catalogue, ModelEntry, RegistryChange } from "./catalogue.js";
import type { GcItem } from "./gc.js";
import { bytesText, numberText } from "./html.js";
import { CHANNEL } from "./layout.js";

export function listText({ models }: Catalogue): string {
  if (models.length === 0) return 'No model yet. Add one with "insitu registry add".';
  return models.map(modelText).join("\n\n");
}

function modelText({ name, versions, aliases, channel }: ModelEntry): string {
  const named = (version: string) =>
    [
      ...aliases
        .filter((alias) => alias.channel.arms.some((arm) => versionOf(arm) === version))
        .map((alias) => alias.name),
      ...(channel?.arms ?? [])
        .filter((arm) => versionOf(arm) === version)
        .map((arm) =>
          arm.role === "shadow"
            ? "shadow"
            : `${arm.role} ${shown(percentOf(channel as NonNullable<typeof channel>, arm))} %`,
        ),
    ].join(", ");
  const rows = versions.map(({ version, release, bytes, manifest, addedAt, addedBy }) => [
    version,
    String(release),
    bytesText(bytes),
    named(version),
    Object.entries(manifest.metrics ?? {})
      .map(([metric, value]) => `${metric} ${numberText(value)}`)
      .join(", "),
    addedAt ? `${addedAt.slice(0, 10)} by ${addedBy ?? "?"}` : "",
  ]);
  return `${name}\n${textTable(["version", "release", "size", "named by", "metrics", "added"], rows)}`;
}

/** What nobody can load, with what to do: one line for each. */
export function missingLines({ name: model, missing }: ModelEntry): string[] {
  return missing.map(({ name, version }) => {
    const [what, how] =
      name === CHANNEL
        ? [`The channel of ${model}`, "publish another release of the channel"]
        : [`${model}@${name}`, "set it to another version"];
    return `${what} names ${version}, whose package is gone. Add the package again, or ${how}.`;
  });
}

export function changesText(changes: (RegistryChange & { model: string })[]): string {
  if (changes.length === 0) return "Nothing has changed yet.";
  const rows = changes.map(({ model, at, action, subject, release, summary, by, why }) => [
    at.replace(/\.\d+Z$/, "Z"),
    action,
    // `objects@champion` is an alias; a version or the channel is named beside the model.
    action === "alias" ? `${model}@${subject}` : `${model} ${subject}`,
    release === undefined ? "" : String(release),
    summary,
    by,
    why,
  ]);
  return textTable(["at", "what", "of", "release", "since then", "by", "why"], rows);
}

export function gcText(items: GcItem[], isDeleted: boolean): string {
  if (items.length === 0) return "The registry is empty.";
  const rows = items.map(({ model, version, bytes, keptBy, isIncomplete }) => [
    `${model} ${version}`,
    bytesText(bytes),
    keptBy === undefined ? (isDeleted ? "removed" : "would go") : "kept",
    keptBy ?? (isIncomplete ? "was never finished" : "nothing names it"),
  ]);
  const gone = items.filter(({ keptBy }) => keptBy === undefined);
  const bytes = bytesText(gone.reduce((sum, item) => sum + item.bytes, 0));
  const total = isDeleted
    ? `${gone.length} removed, ${bytes}.`
    : `${gone.length} would be removed, ${bytes}.${gone.length > 0 ? " Pass --delete to remove them." : ""}`;
  return `${textTable(["version", "size", "", "why"], rows)}\n${total}`;
}
