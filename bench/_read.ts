import { openLoadsBrowser } from "./loads-page.js";
const browser = await openLoadsBrowser();
const page = await browser.open();
const src = `(async () => {
  const code = \`
  const url = location.origin.replace("blob:", "") ;
  onmessage = async ({ data: base }) => {
    const out = {};
    const size = 32 << 20;
    const ways = {
      async set(r) { let chunk = new Uint8Array(4 << 20), filled = 0, n = 0; const reader = r.body.getReader(); for (;;) { const { value, done } = await reader.read(); if (done) break; n++; let used = 0; while (used < value.length) { const k = Math.min(value.length - used, chunk.length - filled); chunk.set(value.subarray(used, used + k), filled); used += k; filled += k; if (filled === chunk.length) { chunk = new Uint8Array(4 << 20); filled = 0; } } } return n; },
      async byob(r) { const reader = r.body.getReader({ mode: "byob" }); let buf = new ArrayBuffer(4 << 20), at = 0, n = 0; for (;;) { const { value, done } = await reader.read(new Uint8Array(buf, at)); if (done) break; n++; buf = value.buffer; at = value.byteOffset + value.byteLength; if (at === buf.byteLength) { buf = new ArrayBuffer(4 << 20); at = 0; } } return n; },
      async ab(r) { const b = await r.arrayBuffer(); return 1; },
      async blob(r) { const b = await (await r.blob()).arrayBuffer(); return 1; },
    };
    for (const name of ["32MB", "4MB"]) for (const f of ["group1-shard1of9.bin", "group1-shard1of2.bin"]) for (let i = 0; i < 9; i++) for (const [k, way] of Object.entries(ways)) {
      try {
      const t = performance.now();
      const r = await fetch(base + "/packages/" + name + "/" + f, { cache: "no-store" });
      if (!r.ok) continue;
      const n = await way(r);
      if (i > 1) (out[name + " " + f + " " + k] ??= []).push([performance.now() - t, n]);
      } catch (e) { out[k] = String(e); }
    }
    postMessage(Object.entries(out).map(([k, v]) => Array.isArray(v) ? k + " " + v.map((x) => x[0]).sort((a, b) => a - b)[v.length >> 1].toFixed(1) + " ms, reads " + v[0][1] : k + " " + v).join("\\\\n"));
  };\`;
  const w = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  return new Promise((ok) => { w.onmessage = (e) => ok(e.data); w.onerror = (e) => ok(e.message); w.postMessage(location.origin); });
})()`;
console.log(await page.evaluate(src));
await browser.close(); process.exit(0);
