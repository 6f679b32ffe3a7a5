// Generates the TypeScript of every package, and compares it with what is committed.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { genFolder, importOptions, packages, protoFiles } from "./packages.mjs";
import { buf, Failure } from "./run.mjs";

/** Generates everything anew; files that no proto stands for any more go away. Leaves equal files untouched. */
export function generate(root) {
  return inFreshCopy(root, (fresh) => {
    const difference = compare(root, fresh);
    for (const file of [...difference.missing, ...difference.stale]) cpSync(join(fresh, file), join(root, file));
    for (const file of difference.extra) rmSync(join(root, file));
    const count = difference.missing.length + difference.stale.length + difference.extra.length;
    return count === 0 ? "the generated code was fresh already" : `${count} generated files renewed`;
  });
}

/**
 * Checks that what is committed is what would be generated.
 *
 * @throws {Failure} naming every file that is stale, missing or extra.
 */
export function check(root) {
  return inFreshCopy(root, (fresh) => {
    const { stale, missing, extra, count } = compare(root, fresh);
    const lines = [
      ...stale.map((file) => `stale    ${file}`),
      ...missing.map((file) => `missing  ${file}`),
      ...extra.map((file) => `extra    ${file}`),
    ];
    if (lines.length > 0) throw new Failure(`generated code is not fresh; run "task protos"\n${lines.join("\n")}`);
    return `${count} generated files are fresh`;
  });
}

function inFreshCopy(root, use) {
  const fresh = mkdtempSync(join(tmpdir(), "guestwire-protos-"));
  try {
    const files = protoFiles(root);
    // Built once: parsing and linking the schema takes longer than generating a package.
    const image = join(fresh, "schema.binpb");
    buf(["build", root, "-o", image]);
    for (const name of Object.keys(packages)) generatePackage(root, name, files, image, fresh);
    return use(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function generatePackage(root, name, files, image, fresh) {
  const out = join(fresh, "packages", name);
  const paths = files[name].flatMap((file) => ["--path", file]);
  buf(["generate", image, "--template", template(root, importOptions(root, name, files)), "-o", out, ...paths]);
}

/** buf.gen.yaml with the options of one package in the places that are marked for them. */
function template(root, options) {
  const text = readFileSync(join(root, "buf.gen.yaml"), "utf8");
  if (!text.includes("# (shared)\n")) throw new Failure('buf.gen.yaml has no line "# (shared)" in its options');
  return text.replace(/^( *)# \(shared\)\n/gm, (_, indent) => options.map((option) => `${indent}- ${option}\n`).join(""));
}

function compare(root, fresh) {
  const result = { stale: [], missing: [], extra: [], count: 0 };
  for (const name of Object.keys(packages)) {
    const folder = genFolder(name);
    const wanted = filesIn(fresh, folder);
    const present = filesIn(root, folder);
    result.count += wanted.length;
    result.extra.push(...present.filter((file) => !wanted.includes(file)));
    for (const file of wanted) {
      if (!present.includes(file)) result.missing.push(file);
      else if (!readFileSync(join(fresh, file)).equals(readFileSync(join(root, file)))) result.stale.push(file);
    }
  }
  return result;
}

function filesIn(base, folder) {
  const full = join(base, folder);
  if (!existsSync(full)) return [];
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(base, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}
