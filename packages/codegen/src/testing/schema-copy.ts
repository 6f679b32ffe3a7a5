// Test support: a copy of the schema and of its generated code, to be spoiled at will. Not part of the package.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "./request.js";

/** How a command ended and all that it wrote. */
export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** A copy of proto/, of the released schema and of all generated code. */
export interface SchemaCopy {
  readonly folder: string;
  /** Runs a command of scripts/protos.mjs on the copy, outside of CI; `env` is laid over the environment. */
  protos(command: string, env?: Readonly<Record<string, string>>): Outcome;
  /** Replaces text in a file, which must be there. */
  edit(file: string, from: string, to: string): void;
  /** Runs git in the copy. */
  git(...args: string[]): void;
  remove(): void;
}

export function copySchema(): SchemaCopy {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-schema-"));
  for (const name of ["proto", "packages/testkit/proto", "schema", "buf.yaml", "buf.gen.yaml"]) {
    cpSync(join(repository, name), join(folder, name), { recursive: true });
  }
  for (const name of readdirSync(join(repository, "packages"))) {
    const gen = join("packages", name, "src", "gen");
    if (existsSync(join(repository, gen))) cpSync(join(repository, gen), join(folder, gen), { recursive: true });
  }
  return {
    folder,
    protos(command, env = {}) {
      const script = join(repository, "scripts", "protos.mjs");
      const result = spawnSync(process.execPath, [script, command, "--root", folder], {
        encoding: "utf8",
        env: { ...process.env, CI: "", ...env },
      });
      return { status: result.status, output: result.stdout + result.stderr };
    },
    edit(file, from, to) {
      const text = readFileSync(join(folder, file), "utf8");
      if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
      writeFileSync(join(folder, file), text.replace(from, to));
    },
    git(...args) {
      const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
      execFileSync("git", [...identity, ...args], { cwd: folder, stdio: "pipe" });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
