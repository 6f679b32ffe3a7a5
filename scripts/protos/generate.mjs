// Generates the TypeScript of every package, and compares it with what is committed.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { genFolder, importOptions, ownProtos, packages, protoFiles, sharedPackage } from "./packages.mjs";
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
    // Starting the plugins is what takes time, so they start twice and not once per package: for the shared messages,
    // and for all that import those from their package.
    generateTogether(root, [sharedPackage], [], files, fresh);
    const others = Object.keys(packages).filter((name) => name !== sharedPackage);
    generateTogether(root, others, importOptions(root, others, files), files, fresh);
    for (const name of Object.keys(ownProtos)) generateOwn(root, name, fresh);
    return use(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Generates some packages in one go, and then puts each file into its package. */
function generateTogether(root, names, options, files, fresh) {
  const together = join(fresh, "together");
  const paths = names.flatMap((name) => files[name]).flatMap((file) => ["--path", join(root, "proto", file)]);
  buf(["generate", root, "--template", template(root, options), "-o", together, ...paths]);
  const owners = new Map(names.flatMap((name) => files[name].map((file) => [file.slice(0, -".proto".length), name])));
  const out = join(together, "src", "gen");
  for (const file of filesIn(out, ".")) {
    const target = join(fresh, genFolder(owners.get(file.replace(/_(pb|rpc)\.ts$/, ""))), file);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(join(out, file), target);
  }
}

/** Generates a package whose protos are its own. */
function generateOwn(root, name, fresh) {
  const own = join(root, ownProtos[name]);
  const out = join(fresh, "own");
  buf(["generate", own, "--template", template(root, []), "-o", out]);
  mkdirSync(dirname(join(fresh, genFolder(name))), { recursive: true });
  renameSync(join(out, "src", "gen"), join(fresh, genFolder(name)));
}

/** buf.gen.yaml with these options in the places that are marked for them. */
function template(root, options) {
  const text = readFileSync(join(root, "buf.gen.yaml"), "utf8");
  if (!text.includes("# (shared)\n")) throw new Failure('buf.gen.yaml has no line "# (shared)" in its options');
  return text.replace(/^( *)# \(shared\)\n/gm, (_, indent) =>
    options.map((option) => `${indent}- ${option}\n`).join(""),
  );
}

function compare(root, fresh) {
  const result = { stale: [], missing: [], extra: [], count: 0 };
  for (const name of [...Object.keys(packages), ...Object.keys(ownProtos)]) {
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
