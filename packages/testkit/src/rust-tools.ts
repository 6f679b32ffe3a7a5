// Programs of ours in Rust that tests run beside our own code: built from peers/ by cargo, which keeps what it built. Runs
// nothing of them itself.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const peers = fileURLToPath(new URL("../peers/", import.meta.url));
const cache = fileURLToPath(new URL("../../../.cache/peers/", import.meta.url));
const suffix = process.platform === "win32" ? ".exe" : "";

/**
 * The path of a program, built from the crate of that folder in `packages/testkit/peers`; the folder is `rust-NAME`, the
 * program `NAME-peer`. The first build takes a minute or two; several processes that want it wait for each other.
 *
 * @param environment Variables for the build, beside the process's own.
 * @returns `undefined` where cargo is missing; the reason is printed.
 * @throws {Error} with cargo's own words, when it does not build.
 */
export async function rustProgram(
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  const target = `${cache}rust-${name}`;
  const env = { ...process.env, ...environment, CARGO_TARGET_DIR: target };
  try {
    await promisify(execFile)("cargo", ["build", "--quiet"], { cwd: `${peers}rust-${name}`, env });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code !== "ENOENT") throw new Error(`cargo could not build rust-${name}: ${stderr?.trim()}`, { cause: error });
    console.warn(`rust-${name} is not tested against: it is written in Rust, and no cargo was found in PATH`);
    return undefined;
  }
  return `${target}/debug/${name}-peer${suffix}`;
}

/** The ArcBox agent and client of `rust-arcbox`: the crate with the messages is built with the protoc of `rust-protoc`. */
export async function rustArcbox(): Promise<string | undefined> {
  const protoc = await rustProgram("protoc");
  return protoc === undefined ? undefined : rustProgram("arcbox", { PROTOC: protoc });
}
