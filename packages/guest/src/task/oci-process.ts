// Reads the parts of an OCI runtime spec that a plain process can honour: what to run, where, with what, as whom.
// Namespaces, mounts, limits and the rest need root and are not looked at.
import { readFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import type { RpcError } from "@guestwire/rpc";
import { invalid, isSystemError, missing, quoted, textOf } from "../errors.js";
import { makeFolder } from "../files/make-folder.js";
import { programProblem } from "../process/find-program.js";
import { pathWithin } from "../process/path-within.js";
import type { ProcessSpec } from "../process/process.js";
import { runAsIds } from "../process/run-as.js";

/** What a bundle says of its container. */
export interface BundleConfig {
  /** The folder that counts as "/" for working directories. */
  readonly root: string;
  readonly process: ProcessSpec;
}

/**
 * Reads a bundle's config.json.
 *
 * @param bundle Absolute path of the bundle.
 * @throws {RpcError} Code.NotFound when there is no config.json; Code.InvalidArgument naming the part that is wrong;
 * Code.PermissionDenied for a user that the guest cannot become.
 */
export async function readBundle(bundle: string): Promise<BundleConfig> {
  if (!isAbsolute(bundle)) throw invalid("bundle", `${quoted(bundle)} is no absolute path`);
  const wrong = (text: string): RpcError => invalid("bundle", `config.json: ${text}`);
  let text: string;
  try {
    text = await readFile(join(bundle, "config.json"), "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) throw missing("bundle", bundle, "there is no config.json in it");
    throw wrong(textOf(error));
  }
  const config = object(parse(text, wrong), "the spec", wrong);
  const path = config["root"] === undefined ? "rootfs" : object(config["root"], "root", wrong)["path"];
  if (typeof path !== "string" || path === "") throw wrong("root.path must be a path");
  const root = resolve(bundle, path);
  return { root, process: await readProcess(config["process"], root, "process", wrong) };
}

/**
 * Reads the JSON of an OCI process, as Exec carries it.
 *
 * @param root As of {@link BundleConfig}.
 * @throws {RpcError} as {@link readBundle}.
 */
export async function readExecSpec(json: Uint8Array, root: string): Promise<ProcessSpec> {
  const wrong = (text: string): RpcError => invalid("spec", text);
  return readProcess(parse(Buffer.from(json).toString(), wrong), root, "process", wrong);
}

type Wrong = (text: string) => RpcError;

async function readProcess(value: unknown, root: string, at: string, wrong: Wrong): Promise<ProcessSpec> {
  const { args, env = [], cwd, user = {} } = object(value, at, wrong);
  if (!isTexts(args) || args.length === 0 || args[0] === "") throw wrong(`${at}.args must name a program`);
  // The program is started by way of `env`, which would take it for a variable.
  if (args[0]?.includes("=")) throw wrong(`${at}.args[0]: a program's name must not contain "="`);
  const variables = environment(env, at, wrong);
  if (typeof cwd !== "string" || !cwd.startsWith("/")) throw wrong(`${at}.cwd must be an absolute path`);
  const { uid = 0, gid = 0 } = object(user, `${at}.user`, wrong);
  if (!isId(uid) || !isId(gid)) throw wrong(`${at}.user: uid and gid must be numbers`);
  const runAs = runAsIds(uid, gid);
  const folder = pathWithin(root, cwd);
  try {
    // As runc does; without a root file system of its own "/" is the bundle's.
    await makeFolder(folder, 0o755);
  } catch (error) {
    throw wrong(`${at}.cwd: ${textOf(error)}`);
  }
  const problem = programProblem(args[0] as string, folder, variables["PATH"]);
  if (problem !== undefined) throw wrong(`${at}.args[0]: ${quoted(args[0] as string)} is ${problem}`);
  return { args, env: variables, cwd: folder, runAs };
}

function environment(value: unknown, at: string, wrong: Wrong): Record<string, string> {
  if (!isTexts(value)) throw wrong(`${at}.env must be a list of texts`);
  const variables: Record<string, string> = {};
  for (const [index, pair] of value.entries()) {
    const split = pair.indexOf("=");
    if (split < 1) throw wrong(`${at}.env[${index}] must have the form NAME=VALUE`);
    variables[pair.slice(0, split)] = pair.slice(split + 1);
  }
  return variables;
}

function parse(text: string, wrong: Wrong): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(`is no JSON: ${textOf(error)}`);
  }
}

function object(value: unknown, name: string, wrong: Wrong): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(`${name} must be a JSON object`);
}

// A NUL would end the text early in the system call.
function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && !item.includes("\0"));
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
}
