import { openLibrary } from "/tmp/wt/H/test/support/page.js";

const seconds = Number(process.argv[2]);
const library = await openLibrary({}, { mounts: { "/photos/": "/tmp/wt/H/demo/public/photos" } });
library.page.on("console", (m) => console.log(m.text()));
const code = `(async (budget) => {
  const end = performance.now() + budget;
  const client = insitu.createClient({ backends: ["wasm"] });
  const model = await client.load("/models/features/");
  const PLACES = { cat: ["chelsea", 0.45, 0.45], coffee: ["coffee", 0.48, 0.37], rocket: ["rocket", 0.5, 0.5] };
  const photos = {};
  for (const f of ["chelsea", "coffee", "rocket", "astronaut"]) photos[f] = await createImageBitmap(await (await fetch("/photos/" + f + ".jpg")).blob());
  const configs = { now: [0.6, 0.95, 0.12, false], strat: [0.6, 0.95, 0.12, true], narrow: [0.75, 0.95, 0.08, true], mid: [0.7, 0.95, 0.1, true] };
  const crop = async (name, [min, max, shift], share, mirror) => {
    const [file, x, y] = PLACES[name]; const whole = photos[file]; const { width, height } = whole;
    const side = Math.floor(height * (min + share * (max - min)));
    const off = () => (2 * Math.random() - 1) * shift * height;
    const within = (at, most) => Math.round(Math.min(Math.max(at - side / 2, 0), most - side));
    const made = await createImageBitmap(whole, within(x * width + off(), width), within(y * height + off(), height), side, side);
    if (!mirror) return made;
    const c = new OffscreenCanvas(side, side); const g = c.getContext("2d"); g.setTransform(-1, 0, 0, 1, side, 0); g.drawImage(made, 0, 0); return c.transferToImageBitmap();
  };
  const tally = {}; let n = 0;
  while (performance.now() < end) {
    for (const [key, config] of Object.entries(configs)) {
      const t = (tally[key] ??= { rounds: 0, astro: 0, unknown: 0, wrong: 0, tried: 0, far: [] });
      const mine = await model.personalize(key + n);
      const add = async (name) => { for (let i = 0; i < 5; i++) await mine.addExample(await crop(name, config, config[3] ? (i + Math.random()) / 5 : Math.random(), false), name); };
      for (const name of ["cat", "coffee", "rocket"]) await add(name);
      await mine.train();
      await add("coffee"); await mine.train();
      for (const name of ["cat", "coffee", "rocket"]) for (let i = 0; i < 3; i++) {
        const p = await mine.predict(await crop(name, config, Math.random(), true));
        t.tried++; if (p.label === undefined) t.unknown++; else if (p.label !== name) t.wrong++;
      }
      const a = await mine.predict(photos.astronaut);
      t.rounds++; if (a.label !== undefined) t.astro++; t.far.push(+a.distance.toFixed(2));
      await mine.forget();
    }
    n++;
  }
  return tally;
})`;
const tally = (await library.page.evaluate(`${code}(${seconds * 1000})`)) as Record<string, { far: number[] }>;
for (const [key, t] of Object.entries(tally))
  console.log(key, JSON.stringify({ ...t, far: t.far.sort((a, b) => a - b).slice(0, 8) }));
await library.close();
process.exit(0);
