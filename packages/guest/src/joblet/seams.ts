// Where the parts of Joblet meet: what jobs ask of networks, volumes and runtimes, and what those ask of jobs. Types only.
// Lookups answer at once, so that nothing can be removed between the look and the start of a job.
import type { ServiceRegistry } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";

/** What every part is given. */
export interface JobletHome {
  /** Absolute path of the part's own folder; it exists, with mode 0700. */
  readonly folder: string;
  /** An empty folder on the same file system, for what is made first and moved into place then. */
  readonly scratch: string;
  readonly clock: GuestClock;
  /** How much jobs use of what the part keeps. */
  readonly usage: JobUsage;
  /** Runs jobs on the part's own behalf. */
  readonly jobs: JobStarter;
}

/** A part of Joblet: some services and what they keep. */
export interface JobletPart {
  /** Serves the part's services. */
  register(registry: ServiceRegistry): void;
  /** Ends what the part has under way. Jobs are over by then. */
  close?(graceMs: number, hurry?: AbortSignal): Promise<void>;
}

/** The part that keeps networks. */
export interface NetworksPart extends JobletPart {
  readonly lookup: NetworkLookup;
}

/** The part that keeps volumes. */
export interface VolumesPart extends JobletPart {
  readonly lookup: VolumeLookup;
  /** All volumes there are: each with its folder, and what it may hold in bytes. */
  list(): { readonly name: string; readonly folder: string; readonly bytes: number }[];
}

/** The part that keeps runtimes. */
export interface RuntimesPart extends JobletPart {
  readonly lookup: RuntimeLookup;
}

/** What RunJob asks of networks. */
export interface NetworkLookup {
  /** Whether jobs can name this network: one that was made, or `bridge`, `isolated`, `none`. */
  has(name: string): boolean;
}

/** What RunJob asks of volumes. */
export interface VolumeLookup {
  /** Absolute path of a volume's folder; `undefined` where there is no such volume. */
  folder(name: string): string | undefined;
}

/** What RunJob asks of runtimes. */
export interface RuntimeLookup {
  /**
   * Finds a runtime.
   *
   * @param spec As clients write it: `python-3.11-ml` or `openjdk:21`.
   * @returns `undefined` where there is none that jobs can use.
   */
  find(spec: string): JobRuntime | undefined;
}

/** What a runtime gives to a job. */
export interface JobRuntime {
  /** The runtime's own name. */
  readonly name: string;
  /** Variables for the job; the job's own come before these. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute paths of folders with programs, searched before the host's. */
  readonly programs: readonly string[];
}

/** How many jobs use something: those that run, wait or are scheduled. */
export interface JobUsage {
  ofNetwork(name: string): number;
  ofVolume(name: string): number;
  /** By the runtime's own name. */
  ofRuntime(name: string): number;
}

/** Runs a job that no client asked for in these words. */
export interface JobStarter {
  /**
   * Starts a job as RunJob does.
   *
   * @returns Its UUID.
   * @throws {RpcError} as RunJob.
   */
  start(job: { readonly command: string; readonly args?: readonly string[]; readonly name?: string }): Promise<string>;
}

/** The networks that every Joblet has. */
export const builtInNetworks: readonly string[] = ["bridge", "isolated", "none"];

/** Lookups of a guest that has none of these parts: the built-in networks only, no volume, no runtime. */
export const noNetworks: NetworkLookup = { has: (name) => builtInNetworks.includes(name) };
/** See {@link noNetworks}. */
export const noVolumes: VolumeLookup = { folder: () => undefined };
/** See {@link noNetworks}. */
export const noRuntimes: RuntimeLookup = { find: () => undefined };
