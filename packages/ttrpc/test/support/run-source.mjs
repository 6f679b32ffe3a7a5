// Lets a plain Node run the TypeScript sources of this repository, for tests that need a process of their own:
// `node --import run-source.mjs script.ts`.
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const packages = new URL("../../../", import.meta.url);

function sourceOf(specifier, parent) {
  const [, name, rest] = /^@guestwire\/([a-z-]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (name !== undefined) {
    const base = `${name}/src/`;
    const candidates = rest === undefined ? ["index.ts"] : [`${rest}.ts`, `${rest}/index.ts`];
    return candidates.map((file) => new URL(base + file, packages)).find((url) => existsSync(fileURLToPath(url)));
  }
  if (!/^\.{1,2}\/.*\.js$/.test(specifier) || parent === undefined) return undefined;
  const url = new URL(specifier.replace(/\.js$/, ".ts"), parent);
  return existsSync(fileURLToPath(url)) ? url : undefined;
}

registerHooks({
  resolve(specifier, context, next) {
    const url = sourceOf(specifier, context.parentURL);
    return url === undefined ? next(specifier, context) : { url: url.href, shortCircuit: true };
  },
});
