// Guards the schema: buf's lint, and buf's breaking rules against the last release and against the main branch.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buf, exists, Failure, run } from "./run.mjs";

/** The schema of the last release, as buf builds it, without comments. */
const released = "schema/released.binpb";

/** Checks names, comments and layout of the schema by the rules of buf.yaml. */
export function lint(root) {
  report(root, ["lint", "."], "buf lint");
  return "the schema follows the rules of buf.yaml";
}

/**
 * Checks that the schema takes nothing away from what users have: from the last release, and from where this work parted
 * from the branch main.
 *
 * @throws {Failure} naming every file, message, field and so on that is gone or different.
 */
export function breaking(root) {
  if (!existsSync(join(root, released))) throw new Failure(`${released} is missing; "task release:schema" writes it`);
  report(root, ["breaking", ".", "--against", released], `breaks what ${released} promises`);
  const base = baseCommit(root);
  if (base.commit === undefined) return `nothing breaks the last release; not compared with main: ${base.reason}`;
  inTemporaryFolder((folder) => {
    const archive = join(folder, "base.tar");
    run("git", ["archive", "--output", archive, base.commit, "buf.yaml", "proto"], { cwd: root });
    run("tar", ["-xf", archive, "-C", folder]);
    report(root, ["breaking", ".", "--against", folder], `breaks what ${base.name} has`);
  });
  return `nothing breaks the last release, nor ${base.name}`;
}

/** Keeps the present schema as that of the last release. For the moment of a release; refuses a schema that breaks the last. */
export function release(root) {
  if (existsSync(join(root, released))) {
    report(root, ["breaking", ".", "--against", released], `breaks what ${released} promises`);
  }
  mkdirSync(dirname(join(root, released)), { recursive: true });
  buf(["build", ".", "--exclude-source-info", "-o", released], { cwd: root });
  return `${released} is the present schema`;
}

/** Runs buf on the tree; what it finds becomes the fault. */
function report(root, args, fault) {
  const result = buf(args, { cwd: root, allowFailure: true });
  if (result.status !== 0) throw new Failure(`${fault}:\n${(result.stdout + result.stderr).trim()}`);
}

/**
 * The commit to compare with: where HEAD parted from main; on main itself its own last commit, or in CI, where the work
 * tree has nothing new, the commit before. Commits from before the first release promise nothing.
 */
function baseCommit(root) {
  const git = (...args) => {
    const result = run("git", args, { cwd: root, allowFailure: true });
    return result.status === 0 ? result.stdout.trim() : undefined;
  };
  if (!exists("git") || git("rev-parse", "--show-cdup") !== "") return { reason: "this is no git work tree" };
  const main = ["origin/main", "main"].find((name) => git("rev-parse", "--verify", "--quiet", `${name}^{commit}`));
  if (main === undefined) return { reason: "there is no branch main" };
  let commit = git("merge-base", "HEAD", main);
  let name = `main (${commit?.slice(0, 12)})`;
  if (commit !== undefined && process.env.CI && commit === git("rev-parse", "HEAD")) {
    commit = git("rev-parse", "--verify", "--quiet", "HEAD^1");
    name = `the commit before (${commit?.slice(0, 12)})`;
  }
  if (commit === undefined) return { reason: "the history does not reach back to it" };
  if (git("cat-file", "-e", `${commit}:${released}`) === undefined) return { reason: "it has no released schema yet" };
  return { commit, name };
}

function inTemporaryFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-breaking-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
