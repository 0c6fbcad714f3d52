// The look of a registry's page: the colours of the dashboard, light and dark, from 360 pixels on.

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f7f8f8; --sheet: #ffffff; --ink: #16201f; --quiet: #55615f; --line: #dfe4e3; --edge: #82908d; --accent: #0f6b64; --soft: #e3efed;
  --arm-0: #0a5fb6; --arm-1: #ee6325; --arm-2: #2ba191; --arm-3: #a71769; --arm-4: #b276f2; --arm-5: #1c5000;
  font: 0.9375rem / 1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #111515; --sheet: #191f1f; --ink: #e8eeed; --quiet: #a2aeac; --line: #2d3636; --edge: #6d7b79; --accent: #63cabd; --soft: #1d3431;
    --arm-0: #68afec; --arm-1: #d58d52; --arm-2: #49f5e3; --arm-3: #bb3d69; --arm-4: #7761d1; --arm-5: #f0d641;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); }
header, main { max-width: 80rem; margin-inline: auto; padding: 1rem clamp(0.875rem, 3vw, 2rem); }
h1 { font-size: 1.375rem; margin: 0.5rem 0 0; }
h2 { font-size: 1.1875rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 0.9375rem; margin: 1.5rem 0 0.5rem; }
p { margin: 0.25rem 0; }
a { color: var(--accent); }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.quiet, figcaption, thead th { color: var(--quiet); }
nav ul, .legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; list-style: none; margin: 0.5rem 0 0; padding: 0; }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem clamp(0.875rem, 2vw, 1.5rem); margin-bottom: 1rem; }
.shares { display: block; width: 100%; height: 1.25rem; border-radius: 4px; }
.shares rect { stroke: var(--sheet); stroke-width: 0.4; }
.legend li { display: flex; align-items: center; gap: 0.4rem; }
.mark { width: 0.75rem; height: 0.75rem; border-radius: 2px; }
.arm-0 { fill: var(--arm-0); background: var(--arm-0); } .arm-1 { fill: var(--arm-1); background: var(--arm-1); }
.arm-2 { fill: var(--arm-2); background: var(--arm-2); } .arm-3 { fill: var(--arm-3); background: var(--arm-3); }
.arm-4 { fill: var(--arm-4); background: var(--arm-4); } .arm-5 { fill: var(--arm-5); background: var(--arm-5); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1rem; margin-top: 1.25rem; }
figure { margin: 0; min-width: 0; }
figcaption { overflow-wrap: anywhere; font-size: 0.8125rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figure line { stroke: var(--line); }
figure path { fill: none; stroke: var(--arm-0); stroke-width: 2; stroke-linejoin: round; }
figure circle { fill: var(--arm-0); stroke: var(--sheet); stroke-width: 2; }
figure text { fill: var(--quiet); font-size: 11px; }
figure .value { paint-order: stroke; stroke: var(--sheet); stroke-width: 4px; fill: var(--ink); font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; }
th, td { text-align: start; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
thead th { font-size: 0.8125rem; }
.number { text-align: end; font-variant-numeric: tabular-nums; }
.why { display: inline-block; min-width: 12rem; max-width: 32rem; white-space: normal; overflow-wrap: anywhere; }
.chip { border: 1px solid var(--edge); border-radius: 1rem; padding: 0 0.5rem; font-size: 0.75rem; }
.chip.alias { background: var(--soft); }
code { font: 0.8125rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
`;
