// Bundles what the browser gets into dist/: names carry a hash of their content, manifest.json says which is which.
import { build } from "esbuild";
import { rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";

await rm("dist", { recursive: true, force: true });
const { metafile } = await build({
  // Charts are a bundle of their own: pages without charts do not wait for them.
  entryPoints: { app: "src/main.ts", charts: "src/charts/main.ts", style: "src/style/main.css", icon: "src/icon.svg", "icon-alarm": "src/icon-alarm.svg" },
  entryNames: "[name]-[hash]",
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox128", "safari18"],
  loader: { ".svg": "copy" },
  metafile: true,
  logLevel: "warning",
});
const names = Object.keys(metafile.outputs).map((path) => basename(path));
const manifest = Object.fromEntries(names.map((name) => [name.replace(/-[A-Z0-9]{8}(?=\.)/, ""), name]));
await writeFile("dist/manifest.json", JSON.stringify(manifest, null, 2) + "\n");
await writeFile("dist/__init__.py", '"""The commander\'s front end, as built from packages/commander/frontend."""\n');
