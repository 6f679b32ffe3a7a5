// Makes what a library publishes, in its `dist/.pack`: the modules that the tests ran on, joined into few files; sources and
// types as they are. Each library's `prepack`; `publishConfig.directory` has pnpm pack the result. Changes no module's meaning.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, matchesGlob, relative, resolve } from "node:path";
import { rolldown } from "rolldown";

const folder = process.cwd();
const packed = join(folder, "dist", ".pack");
const { exports } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));

// By the list of sources: what an earlier build left in `dist` stays there.
const sources = (await readdir(join(folder, "src"), { recursive: true }))
  .filter((file) => file.endsWith(".ts") && !file.includes(".test."))
  .map((file) => file.replace(/\.ts$/, ""));

await rm(packed, { recursive: true, force: true });
const types = sources.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.d.ts.map`]);
for (const file of ["package.json", "README.md", ...sources.map((name) => `src/${name}.ts`), ...types]) {
  await mkdir(dirname(join(packed, file)), { recursive: true });
  await cp(join(folder, file), join(packed, file));
}

// An entry point for each module that `exports` names.
const targets = Object.values(exports).flatMap((target) => target.default ?? []);
const entries = Object.fromEntries(
  sources
    .map((name) => [name, join(folder, "dist", `${name}.js`)])
    .filter(([name]) => targets.some((target) => matchesGlob(`./dist/${name}.js`, target.replace("*", "**/*")))),
);
const isEntry = (file) => Object.values(entries).includes(file);

const bundle = await rolldown({
  input: entries,
  platform: "node",
  // Only what is this package's own is joined: a class or a registry that two packages use must be one.
  external: (id) => !id.startsWith(".") && !id.startsWith(folder),
  onLog: (level, { message }) => {
    if (level === "warn") throw new Error(message);
  },
  preserveEntrySignatures: "strict",
  treeshake: { moduleSideEffects: false },
  plugins: [
    {
      name: "source maps of tsc",
      load: async (file) => ({ code: await readFile(file, "utf8"), map: await readFile(`${file}.map`, "utf8") }),
    },
  ],
});
const { output } = await bundle.write({
  dir: join(packed, "dist"),
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
  // What several entry points need is one file more, each module in it once; each file costs a start about a millisecond.
  codeSplitting: { groups: [{ name: "shared", minShareCount: 2, test: (file) => !isEntry(file) }] },
  minify: false,
  minifyInternalExports: false,
  // The declarations have them, for editors; the maps lead to the sources, for people.
  comments: { jsdoc: false },
  sourcemap: true,
  sourcemapExcludeSources: true,
  // The sources that lie beside it, not those of the repository.
  sourcemapPathTransform: (source, map) => {
    const inPackage = relative(folder, resolve(dirname(map), source));
    return relative(dirname(map), join(packed, inPackage));
  },
});
await bundle.close();

// One letter beyond ASCII has V8 keep the whole file at two bytes a letter. Only texts have such letters: comments are gone.
const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
for (const { type, fileName, code } of output) {
  const ascii = type === "chunk" ? code.replace(/[^\0-\x7f]/g, escaped) : code;
  if (ascii !== code) await writeFile(join(packed, "dist", fileName), ascii);
}
