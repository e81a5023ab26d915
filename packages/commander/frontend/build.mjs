// Bundles what the browser gets into dist/: names carry a hash of their content, manifest.json says which is which.
import { build } from "esbuild";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
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
// The licences of the packages that went into the bundles ask for their text beside every copy.
const inputs = Object.keys(metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]);
const notices = [...new Set(inputs.filter(Boolean))].sort().map(async (name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
  if (!file) throw new Error(`${name} has no licence file; its text belongs in THIRD-PARTY-NOTICES.txt`);
  return `${name} ${version} (${license})\n\n${(await readFile(`${folder}/${file}`, "utf8")).trim()}\n`;
});
await writeFile("dist/THIRD-PARTY-NOTICES.txt", (await Promise.all(notices)).join(`\n${"-".repeat(72)}\n\n`));
await writeFile("dist/__init__.py", '"""The commander\'s front end, as built from packages/commander/frontend."""\n');
