// Makes the record of a new container from its request and its image: checks what is malformed, fills in what was left
// open, and warns of what a plain process cannot have.
import { randomBytes } from "node:crypto";
import { create, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type ContainerConfig,
  ContainerConfigSchema,
  type CreateContainerRequest,
  HostConfigSchema,
  NetworkingConfigSchema,
  type RestartPolicy,
} from "@guestwire/ross";
import { invalid, quoted } from "../../errors.js";
import type { ImageConfig, ResolvedImage } from "../image-lookup.js";
import { nameLength, stopSeconds } from "../limits.js";
import type { ContainerRecord, RestartPolicyName } from "./container-record.js";
import { signalNumber } from "./signals.js";
import { warningsOf } from "./warnings.js";

const policies: readonly string[] = ["no", "always", "unless-stopped", "on-failure"];
const fallbackPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Makes the record of a new container.
 *
 * @param now In milliseconds since 1970.
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong.
 */
export function newContainerRecord(
  request: CreateContainerRequest,
  image: ResolvedImage,
  now: number,
): { readonly record: ContainerRecord; readonly warnings: string[] } {
  const config = request.config ?? create(ContainerConfigSchema);
  const hostConfig = request.hostConfig ?? create(HostConfigSchema);
  const id = randomBytes(32).toString("hex");
  const name = request.name === "" ? `ross-${id.slice(0, 12)}` : checkContainerName(request.name, "name");
  if (config.stopTimeout < 0) throw invalid("config.stop_timeout", "must not be negative");
  const workingDir = config.workingDir || image.config.workingDir || "/";
  if (!workingDir.startsWith("/") || workingDir.includes("\0")) {
    throw invalid("config.working_dir", `${quoted(workingDir)} is no absolute path`);
  }
  const hostname = config.hostname || id.slice(0, 12);
  const record: ContainerRecord = {
    id,
    name,
    image: config.image,
    imageId: image.id,
    createdAt: now,
    config: toJson(ContainerConfigSchema, config) as JsonValue,
    hostConfig: toJson(HostConfigSchema, hostConfig) as JsonValue,
    networkingConfig: toJson(NetworkingConfigSchema, request.networkingConfig ?? create(NetworkingConfigSchema)),
    args: commandOf(config, image.config),
    env: {
      PATH: fallbackPath,
      HOSTNAME: hostname,
      ...(config.tty && { TERM: "xterm" }),
      ...parseEnv(image.config.env ?? [], "the image's env"),
      ...parseEnv(config.env, "config.env"),
    },
    workingDir,
    user: config.user || image.config.user || "",
    tty: config.tty,
    openStdin: config.openStdin,
    stdinOnce: config.stdinOnce,
    stopSignal: signalNumber(config.stopSignal || image.config.stopSignal || "", "config.stop_signal"),
    stopTimeout: config.stopTimeout || stopSeconds,
    labels: { ...image.config.labels, ...config.labels },
    autoRemove: hostConfig.autoRemove,
    restart: restartOf(hostConfig.restartPolicy, hostConfig.autoRemove),
    startedAt: 0,
    finishedAt: 0,
    exitCode: 0,
    error: "",
    restartCount: 0,
  };
  return { record, warnings: warningsOf(config, hostConfig, request.networkingConfig) };
}

/**
 * Checks a name.
 *
 * @param field How the error names it.
 * @throws {RpcError} Code.InvalidArgument.
 */
export function checkContainerName(name: string, field: string): string {
  if (name === "") throw invalid(field, "must not be empty");
  if (name.length > nameLength || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
    const rule = `at most ${nameLength} letters, digits, dots, dashes and underscores, beginning with a letter or digit`;
    throw invalid(field, `${quoted(name)} is no name of a container: ${rule}`);
  }
  return name;
}

/**
 * Reads an environment.
 *
 * @throws {RpcError} Code.InvalidArgument naming the item.
 */
export function parseEnv(env: readonly string[], field: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [index, pair] of env.entries()) {
    const split = pair.indexOf("=");
    if (split < 1 || pair.includes("\0")) throw invalid(`${field}[${index}]`, "must have the form NAME=value");
    variables[pair.slice(0, split)] = pair.slice(split + 1);
  }
  return variables;
}

/**
 * Checks program and arguments.
 *
 * @throws {RpcError} Code.InvalidArgument.
 */
export function checkCommand(args: readonly string[], field: string): readonly string[] {
  if (args.length === 0 || args[0] === "") throw invalid(field, "must name a program");
  for (const [index, arg] of args.entries())
    if (arg.includes("\0")) throw invalid(`${field}[${index}]`, "contains a NUL");
  // Programs on terminals are started by way of `env`, which would take it for a variable.
  if (args[0]?.includes("=")) throw invalid(`${field}[0]`, 'a program\'s name must not contain "="');
  return args;
}

/** As Docker has it: an entrypoint of the caller's own makes the image's command void. */
function commandOf(config: ContainerConfig, image: ImageConfig): readonly string[] {
  const { entrypoint, cmd } = config;
  if (entrypoint.length > 0) return checkCommand([...entrypoint, ...cmd], "config.entrypoint");
  const rest = cmd.length > 0 ? cmd : (image.cmd ?? []);
  return checkCommand([...(image.entrypoint ?? []), ...rest], "config.cmd");
}

function restartOf(policy: RestartPolicy | undefined, autoRemove: boolean): ContainerRecord["restart"] {
  const name = policy?.name || "no";
  const maximum = policy?.maximumRetryCount ?? 0;
  const field = "host_config.restart_policy";
  if (!policies.includes(name)) throw invalid(`${field}.name`, `${quoted(name)} is none of ${policies.join(", ")}`);
  if (maximum < 0) throw invalid(`${field}.maximum_retry_count`, "must not be negative");
  if (maximum > 0 && name !== "on-failure") {
    throw invalid(`${field}.maximum_retry_count`, "goes with the policy on-failure only");
  }
  if (name !== "no" && autoRemove) throw invalid("host_config.auto_remove", "goes with no restart policy");
  return { policy: name as RestartPolicyName, maximum };
}
