// The page of a registry for people: models, versions, figures, aliases, arms and history, without any script.
import type { Channel, ChannelArm } from "../../shared/types/rollout.js";
import { percentOf, shown, versionOf } from "../channel/plan.js";
import type { Catalogue, ModelEntry, RegistryChange, VersionEntry } from "./catalogue.js";
import { linePlot, type Point } from "./charts.js";
import { bytesText, type Column, escapeHtml, numberText as figureText, htmlTable, timeText } from "./html.js";
import { STYLE } from "./page-style.js";
import { missingLines } from "./registry-text.js";

/** Of one model, the newest. */
const MAX_CHANGES = 200;
const MAX_PLOTS = 6;
/** The oldest of more would be a hair apart. */
const MAX_POINTS = 60;

/** The same catalogue gives the same text, whoever writes it. It loads nothing, also when it is opened as a file. */
export function pageText({ models }: Catalogue): string {
  const count = models.reduce((sum, { versions }) => sum + versions.length, 0);
  const about = `${plural(models.length, "model")}, ${plural(count, "version")}`;
  const links = models.map(({ name }) => `<li><a href="#${escapeHtml(name)}">${escapeHtml(name)}</a></li>`).join("");
  const empty = `<p class="quiet">No model yet. Add one with <code>insitu registry add</code>.</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Model registry</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header><h1>Model registry</h1><p class="quiet">${about}. Times are UTC.</p>${models.length > 1 ? `<nav aria-label="Models"><ul>${links}</ul></nav>` : ""}</header>
<main>
${models.length === 0 ? empty : models.map(modelSection).join("\n")}
</main>
</body>
</html>
`;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

function modelSection(model: ModelEntry): string {
  const { name, versions, channel, history } = model;
  const newest = versions[0];
  const about = newest
    ? `${newest.manifest.task.kind}, ${plural(versions.length, "version")}${newest.manifest.license ? `, licence ${newest.manifest.license}` : ""}`
    : "no version";
  const parts = [
    `<h2 id="${escapeHtml(name)}">${escapeHtml(name)}</h2>`,
    `<p class="quiet">${escapeHtml(about)}</p>`,
    ...missingLines(model).map((line) => `<p><strong>${escapeHtml(line)}</strong></p>`),
    channel ? channelPart(channel) : "",
    plots(versions),
    versions.length > 0 ? `<h3>Versions</h3>${versionTable(model)}` : "",
    history.length > 0 ? `<h3>History</h3>${historyTable(name, history)}` : "",
  ];
  return `<section aria-labelledby="${escapeHtml(name)}">${parts.filter(Boolean).join("\n")}</section>`;
}

// ---- the channel -------------------------------------------------------------------------------------------------

function channelPart(channel: Channel): string {
  const shares = channel.arms.filter(({ role }) => role !== "shadow");
  const text = (arm: ChannelArm) =>
    `${arm.role} ${versionOf(arm)}${arm.role === "shadow" ? "" : ` ${shown(percentOf(channel, arm))} %`}`;
  let left = 0;
  const bars = shares.map((arm, index) => {
    const share = percentOf(channel, arm);
    const bar = `<rect class="arm-${Math.min(index, 5)}" x="${shown(left)}" width="${shown(share)}" height="100"/>`;
    left += share;
    return bar;
  });
  const legend = channel.arms.map((arm) => {
    const index = shares.indexOf(arm);
    const mark = index < 0 ? "" : `<span class="mark arm-${Math.min(index, 5)}"></span>`;
    return `<li>${mark}${escapeHtml(text(arm))}</li>`;
  });
  const label = channel.arms.map(text).join(", ");
  return `<h3>Channel, release ${channel.release}</h3>
<svg class="shares" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(label)}">${bars.join("")}</svg>
<ul class="legend">${legend.join("")}</ul>`;
}

// ---- figures over versions ---------------------------------------------------------------------------------------

const metricsOf = (versions: VersionEntry[]): string[] => [
  ...new Set(versions.flatMap(({ manifest }) => Object.keys(manifest.metrics ?? {}))),
];

function plots(versions: VersionEntry[]): string {
  const oldestFirst = versions.slice(0, MAX_POINTS).toReversed();
  const metric = (name: string): Point[] =>
    oldestFirst.flatMap(({ version, manifest }) => {
      const value = manifest.metrics?.[name];
      return value === undefined ? [] : [{ version, value }];
    });
  const drawn = metricsOf(versions)
    .slice(0, MAX_PLOTS)
    .map((name) => linePlot(name, metric(name), figureText));
  const sizes = oldestFirst.map(({ version, bytes }) => ({ version, value: bytes }));
  const all = [...drawn, linePlot("size", sizes, bytesText)].filter(Boolean);
  return all.length > 0 ? `<div class="plots">${all.join("")}</div>` : "";
}

// ---- tables ------------------------------------------------------------------------------------------------------

function versionTable({ name, versions, aliases, channel }: ModelEntry): string {
  const aliasesOf = (version: string) =>
    aliases.filter((alias) => alias.channel.arms.some((arm) => versionOf(arm) === version)).map((alias) => alias.name);
  const rolesOf = (version: string) =>
    (channel?.arms ?? []).filter((arm) => versionOf(arm) === version).map(({ role }) => role);
  const chips = (version: string) =>
    [
      ...aliasesOf(version).map((alias) => `<span class="chip alias">${escapeHtml(alias)}</span>`),
      ...rolesOf(version).map((role) => `<span class="chip">${role}</span>`),
    ].join(" ");
  const columns: Column<VersionEntry>[] = [
    {
      heading: "version",
      cell: ({ version }) =>
        `<a href="${escapeHtml(encodeURI(`${name}/${version}/insitu.json`))}">${escapeHtml(version)}</a> ${chips(version)}`,
    },
    { heading: "release", cell: ({ release }) => String(release), isNumber: true },
    { heading: "size", cell: ({ bytes }) => bytesText(bytes), isNumber: true },
    ...metricsOf(versions).map((metric) => ({
      heading: metric,
      cell: ({ manifest }: VersionEntry) => {
        const value = manifest.metrics?.[metric];
        return value === undefined ? "" : figureText(value);
      },
      isNumber: true,
    })),
    { heading: "self-tests", cell: ({ manifest }) => selfTestText(manifest.selfTest) },
    {
      heading: "signed by",
      cell: ({ manifest }) => escapeHtml((manifest.signatures ?? []).map(({ keyId }) => keyId).join(", ")),
    },
    { heading: "added", cell: ({ addedAt }) => (addedAt ? timeText(addedAt) : "") },
    { heading: "by", cell: ({ addedBy }) => escapeHtml(addedBy ?? "") },
    { heading: "digest", cell: ({ digest }) => `<code title="${digest}">${digest.slice(0, 12)}</code>` },
  ];
  // Of unsigned versions, for example: a column that is empty takes the width of others.
  const filled = columns.filter(({ cell }) => versions.some((entry) => cell(entry) !== ""));
  return htmlTable(`Versions of ${name}`, filled, versions);
}

function selfTestText(tests: VersionEntry["manifest"]["selfTest"] = []): string {
  if (tests.length === 0) return "none";
  const limits = Object.entries(tests[0]?.tolerance ?? {}).map(
    ([backend, limit]) => `${backend} ${limit.toExponential()}`,
  );
  return escapeHtml(`${tests.length}: ${limits.join(", ")}`);
}

function historyTable(name: string, history: RegistryChange[]): string {
  const columns: Column<RegistryChange>[] = [
    { heading: "at", cell: ({ at }) => timeText(at) },
    { heading: "what", cell: ({ action }) => escapeHtml(action) },
    {
      heading: "of",
      cell: ({ subject, release }) => escapeHtml(release === undefined ? subject : `${subject}, release ${release}`),
    },
    { heading: "since then", cell: ({ summary }) => escapeHtml(summary) },
    { heading: "by", cell: ({ by }) => escapeHtml(by) },
    { heading: "why", cell: ({ why }) => `<span class="why">${escapeHtml(why)}</span>` },
  ];
  const newest = history.slice(-MAX_CHANGES).toReversed();
  const note =
    history.length > newest.length ? `<p class="quiet">The newest ${newest.length} of ${history.length}.</p>` : "";
  return htmlTable(`History of ${name}`, columns, newest) + note;
}
