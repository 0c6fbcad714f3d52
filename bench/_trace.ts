import { baseOf, openLoadsBrowser } from "./loads-page.js";
const [name, kind] = [process.argv[2] ?? "4MB", process.argv[3] ?? "warm"];
const browser = await openLoadsBrowser();
const page = await browser.open();
const src = `(async () => {
  const code = \`
  const log = self.__log = []; const at = (l) => log.push([performance.now(), l]);
  const tx = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function (s, m, ...r) { const t = tx.call(this, s, m, ...r); const l = (m ?? "ro") + " " + (Array.isArray(s) ? (s.length > 1 ? "ALL" : s[0]) : s); at("tx> " + l); t.addEventListener("complete", () => at("tx< " + l)); return t; };
  const ab = Blob.prototype.arrayBuffer; Blob.prototype.arrayBuffer = async function () { at("blob> " + this.size); const r = await ab.call(this); at("blob< " + this.size); return r; };
  const f = self.fetch; self.fetch = async (...a) => { const u = String(a[0].url ?? a[0]).split("/").pop(); at("fetch> " + u); const r = await f(...a); at("fetch< " + u); return r; };
  const d = SubtleCrypto.prototype.digest; SubtleCrypto.prototype.digest = async function (...a) { at("sha> " + a[1].byteLength); const r = await d.apply(this, a); at("sha< " + a[1].byteLength); return r; };
  const lk = LockManager.prototype.request; LockManager.prototype.request = function (...a) { at("lock> "); const cb = a.pop(); return lk.call(this, ...a, (x) => { at("lock< "); return cb(x); }); };
  const P = self.postMessage; self.postMessage = function (...a) { at("post"); return P.apply(self, a); };
  const pm = MessagePort.prototype.postMessage; MessagePort.prototype.postMessage = function (...a) { at("port"); return pm.apply(this, a); };
  addEventListener("message", () => at("message"));
  const c = new BroadcastChannel("trace"); c.onmessage = (e) => { if (e.data === "read") { c.postMessage(JSON.stringify(log.splice(0))); } else at("MARK " + e.data); };
  await import("\${location.origin}/dist/worker.js");\`;
  const worker = () => new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  const client = insitu.createClient({ backends: ["wasm"], storage: { name: "trace", maxBytes: 2e9 }, worker });
  await client.load("${baseOf("tiny")}");
  const c = new BroadcastChannel("trace");
  const read = () => new Promise((ok) => { c.onmessage = (e) => ok(JSON.parse(e.data)); c.postMessage("read"); });
  let last;
  for (let i = 0; i < 6; i++) {
    if ("${kind}" === "cold") await client.store.delete("${baseOf(name)}");
    await new Promise((ok) => setTimeout(ok, 300));
    await read();
    const t0 = performance.now();
    const model = await client.load("${baseOf(name)}");
    const ms = performance.now() - t0;
    const log = await read();
    await model.stored; await model.dispose();
    last = { ms, log };
  }
  return JSON.stringify(last);
})()`;
const { ms, log } = JSON.parse(await page.evaluate(src) as string);
console.log("load", ms);
const t0 = log[0][0];
for (const [t, l] of log) console.log((t - t0).toFixed(1).padStart(7), l);
await browser.close(); process.exit(0);
