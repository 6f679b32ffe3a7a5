// A request to run a job, checked as a whole before anything is made of it. Starts nothing.
import type { FileUpload, RunJobRequest } from "@guestwire/joblet";
import type { GuestClock } from "../../clock.js";
import { invalid, quoted, unsupported } from "../../errors.js";
import { scopeVariable } from "../../process/scope.js";
import type { NetworkLookup, RuntimeLookup, VolumeLookup } from "../seams.js";
import { checkCores } from "./cores.js";
import { readSchedule } from "./schedule.js";
import { checkUploads } from "./uploads.js";

/** What the parts of Joblet know, when a job is checked and when it starts. */
export interface Lookups {
  networks: NetworkLookup;
  volumes: VolumeLookup;
  runtimes: RuntimeLookup;
}

/** What a job is asked to be, apart from workflows. */
export type JobSpec = Pick<
  RunJobRequest,
  | "name"
  | "command"
  | "args"
  | "maxCpu"
  | "cpuCores"
  | "maxMemory"
  | "maxIoBps"
  | "uploads"
  | "schedule"
  | "network"
  | "volumes"
  | "runtime"
  | "workDir"
  | "environment"
  | "secretEnvironment"
  | "gpuCount"
  | "gpuMemoryMb"
>;

/** A job that can be made. */
export interface CheckedJob {
  readonly spec: JobSpec;
  readonly network: string;
  /** Folders by the volumes' names. */
  readonly volumes: ReadonlyMap<string, string>;
  /** The runtime's own name; empty for none. */
  readonly runtime: string;
  readonly uploads: readonly FileUpload[];
  readonly scheduledAt?: number;
}

const longestName = 255;

/**
 * Checks a job.
 *
 * @param prefix Put in front of the fields' names in errors. Default none.
 * @throws {RpcError} Code.InvalidArgument naming the field; Code.Unimplemented for GPUs.
 */
export function checkJob(spec: JobSpec, lookups: Lookups, clock: GuestClock, prefix = ""): CheckedJob {
  const field = (name: string): string => `${prefix}${name}`;
  if (spec.command === "") throw invalid(field("command"), "must not be empty");
  noNul(field("command"), spec.command);
  for (const [index, arg] of spec.args.entries()) noNul(field(`args[${index}]`), arg);
  noNul(field("name"), spec.name);
  if (spec.name.length > longestName) throw invalid(field("name"), `is longer than ${longestName} characters`);
  for (const [name, value] of [
    ["max_cpu", spec.maxCpu],
    ["max_memory", spec.maxMemory],
    ["max_io_bps", spec.maxIoBps],
    ["gpu_count", spec.gpuCount],
    ["gpu_memory_mb", spec.gpuMemoryMb],
  ] as const) {
    if (value < 0) throw invalid(field(name), `${value} is negative`);
  }
  checkCores(field("cpu_cores"), spec.cpuCores);
  noNul(field("work_dir"), spec.workDir);
  checkVariables(spec, field);
  const volumes = checkVolumes(spec.volumes, lookups, field("volumes"));
  checkUploads(field("uploads"), spec.uploads, volumes.size > 0 ? ["volumes"] : []);
  const network = spec.network || "bridge";
  if (!lookups.networks.has(network)) throw invalid(field("network"), `there is no network ${quoted(network)}`);
  const runtime = spec.runtime === "" ? undefined : lookups.runtimes.find(spec.runtime);
  if (spec.runtime !== "" && runtime === undefined) {
    throw invalid(field("runtime"), `there is no runtime ${quoted(spec.runtime)}`);
  }
  if (spec.gpuCount > 0) throw unsupported(`${field("gpu_count")}: this guest gives no GPUs to jobs`);
  const checked = { spec, network, volumes, runtime: runtime?.name ?? "", uploads: spec.uploads };
  if (spec.schedule === "") return checked;
  return { ...checked, scheduledAt: readSchedule(field("schedule"), spec.schedule, clock.now()) };
}

function checkVariables(spec: JobSpec, field: (name: string) => string): void {
  for (const [name, variables] of [
    ["environment", spec.environment],
    ["secret_environment", spec.secretEnvironment],
  ] as const) {
    for (const [variable, value] of Object.entries(variables)) {
      if (variable === "" || /[=\0]/.test(variable)) {
        throw invalid(field(name), `${quoted(variable)} is no name of a variable`);
      }
      if (variable === scopeVariable) throw invalid(field(name), `${variable} is the guest's own`);
      // The value may be a secret: it is not named.
      if (value.includes("\0")) throw invalid(field(`${name}[${quoted(variable)}]`), "contains a NUL");
    }
  }
  for (const variable of Object.keys(spec.secretEnvironment)) {
    if (Object.hasOwn(spec.environment, variable)) {
      throw invalid(field("secret_environment"), `${quoted(variable)} is in environment as well`);
    }
  }
}

function checkVolumes(names: readonly string[], lookups: Lookups, field: string): Map<string, string> {
  const volumes = new Map<string, string>();
  for (const [index, name] of names.entries()) {
    const here = `${field}[${index}]`;
    if (name === "") throw invalid(here, "must not be empty");
    if (volumes.has(name)) throw invalid(here, `${quoted(name)} comes twice`);
    const folder = lookups.volumes.folder(name);
    if (folder === undefined) throw invalid(here, `there is no volume ${quoted(name)}`);
    volumes.set(name, folder);
  }
  return volumes;
}

function noNul(field: string, text: string): void {
  if (text.includes("\0")) throw invalid(field, "contains a NUL");
}
