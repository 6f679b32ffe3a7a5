// Measures cold start and install size: installs, writes the programs, and starts them in turns. Prints nothing.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchCases } from "../cases.js";
import { PeerProcess } from "../peer-process.js";
import type { Placer } from "../placement.js";
import { type ResultRow, rounded } from "../results.js";
import { median } from "../statistics.js";
import { type ColdProgram, caseOf, coldPrograms } from "./programs.js";
import { ownPackages, ownProject, type Project, packOwn, peerPackages, peerProject } from "./projects.js";
import { type Start, timeStart } from "./start.js";

/** What to measure. */
export interface ColdOptions {
  /** The stacks that are asked for. */
  readonly stacks: readonly string[];
  /** How often each program is started. */
  readonly coldStarts: number;
  /** Where the programs of those stacks are that do not run in Node, by the stacks' names. */
  readonly programs: ReadonlyMap<string, string>;
}

/** Medians over all starts, in milliseconds. */
export interface ColdRow extends ResultRow {
  /** From the wish to start the process until it was gone. */
  readonly millis: number | null;
  /** The CPU time of the process. */
  readonly cpuMillis: number | null;
  /** What is above a start of Node that does nothing, within one round. */
  readonly overNodeMillis: number | null;
  readonly overNodeCpuMillis: number | null;
  readonly starts: number;
}

/** What came of it. */
export interface ColdOutcome {
  readonly rows: readonly ResultRow[];
  readonly notes: readonly string[];
  readonly failures: readonly string[];
}

/** A program that is ready to be started. */
interface Ready {
  readonly case: string;
  readonly stack: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly starts: Start[];
}

const limitMs = 30_000;
const stopMs = 5000;
// Once to bring files into the system's cache, once to warm up the server.
const unmeasured = 2;
const bare = caseOf("nothing");

/** Measures what the options ask for. What fails is named and does not disturb the others. */
export async function measureCold(
  options: ColdOptions,
  placer: Placer,
  progress: (what: string) => void,
): Promise<ColdOutcome> {
  const work = await mkdtemp(join(tmpdir(), "guestwire-cold-"));
  const notes: string[] = [];
  const failures: string[] = [];
  const servers = new Map<string, PeerProcess>();
  const awake = placer.keepAwake("cross");
  let projects = new Map<string, Project>();
  try {
    progress("cold start: installs");
    projects = await installAll(options.stacks, work, notes);
    const ready = await prepare(options, projects, servers, placer, work);
    for (let round = -unmeasured; round < options.coldStarts; round++) {
      progress(`cold start: round ${round + 1}/${options.coldStarts}`);
      await startAll(round % 2 === 0 ? ready : ready.toReversed(), round >= 0, failures);
    }
    const rows = [...rowsOf(ready), ...[...projects.values()].map(({ size }) => size)];
    return { rows, notes, failures };
  } finally {
    awake();
    await Promise.all([...servers.values()].map((server) => server.stop(stopMs)));
    const own = [...projects].filter(([name]) => name in ownPackages).map(([, { folder }]) => folder);
    await Promise.all([work, ...own].map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

/** Medians of starts, with what they are above those of a Node that does nothing, which were made in the same rounds. */
export function rowsOf(ready: readonly Pick<Ready, "case" | "stack" | "starts">[]): ColdRow[] {
  const nothing = ready.find((each) => each.case === bare && each.stack === "node")?.starts ?? [];
  return ready
    .filter(({ starts }) => starts.length > 0)
    .map(({ case: name, stack, starts }) => {
      const over = (of: keyof Start): number | null =>
        nothing.length === starts.length
          ? rounded(median(starts.map((start, i) => start[of] - (nothing[i] as Start)[of])))
          : null;
      return {
        case: name,
        stack,
        millis: rounded(median(starts.map(({ wall }) => wall))),
        cpuMillis: rounded(median(starts.map(({ cpu }) => cpu))),
        overNodeMillis: over("wall"),
        overNodeCpuMillis: over("cpu"),
        starts: starts.length,
      };
    });
}

async function installAll(stacks: readonly string[], work: string, notes: string[]): Promise<Map<string, Project>> {
  const projects = new Map<string, Project>();
  const attempt = async (names: readonly string[], task: () => Promise<unknown>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      notes.push(`no install size and no cold start of ${names.join(" and ")}: ${firstLine(error)}`);
    }
  };
  const own = Object.keys(ownPackages).filter((name) => stacks.includes(name));
  const peers = Object.keys(peerPackages).filter((name) => stacks.includes(name) || name === "protobuf-es");
  let tarballs: ReadonlyMap<string, string> | undefined;
  if (own.length > 0) {
    await attempt(own, async () => {
      tarballs = await packOwn(work);
    });
  }
  for (const name of tarballs === undefined ? [] : own) {
    await attempt([name], async () => projects.set(name, await ownProject(name, tarballs ?? new Map())));
  }
  for (const name of peers) await attempt([name], async () => projects.set(name, await peerProject(name)));
  return projects;
}

/** What a program said that failed, without its advice. */
function firstLine(error: unknown): string {
  const { message, stderr = "" } = error as Error & { stderr?: string };
  const npm = /(?<=npm error ).*(?:request to|ENOTFOUND|ECONN).*/.exec(stderr)?.[0];
  return npm === undefined ? (message.split("\n")[0] as string) : `npm could not install it (${npm})`;
}

async function prepare(
  { stacks, programs }: ColdOptions,
  projects: ReadonlyMap<string, Project>,
  servers: Map<string, PeerProcess>,
  placer: Placer,
  work: string,
): Promise<Ready[]> {
  const prefix = placer.prefix("client", "cross");
  const node = [...prefix, process.execPath];
  const entry = (name: string, stack: string, command: readonly string[], cwd: string): Ready => ({
    case: name,
    stack,
    command,
    cwd,
    starts: [],
  });
  // As `node -e 0`, but for its own word on CPU.
  const nothing = "require('fs').writeSync(1, JSON.stringify(process.cpuUsage()))";
  const ready: Ready[] = [entry(bare, "node", [...node, "-e", nothing], work)];
  const socketOf = (stack: string): string => join(work, `${stack}.sock`);
  const wanted = coldPrograms.filter(
    ({ stack, project }) => stacks.includes(stack) && (!project || projects.has(project)),
  );
  const serving = new Set([
    ...wanted.map(({ stack }) => stack),
    ...[...programs.keys()].filter((s) => stacks.includes(s)),
  ]);
  for (const stack of serving) servers.set(stack, await serve(stack, socketOf(stack), programs, placer));
  for (const program of wanted) {
    const { stage, stack } = program;
    const file = await writeProgram(program, projects, work);
    ready.push(entry(caseOf(stage), stack, [...node, file, socketOf(stack)], work));
  }
  for (const [stack, path] of programs) {
    if (serving.has(stack)) ready.push(entry(caseOf("call"), stack, [...prefix, path, "call", socketOf(stack)], work));
  }
  return ready;
}

async function writeProgram(
  { stage, stack, project, source }: ColdProgram,
  projects: ReadonlyMap<string, Project>,
  work: string,
): Promise<string> {
  const folder = project === undefined ? work : (projects.get(project) as Project).folder;
  const file = join(folder, `${stack}.${stage}.mjs`);
  await writeFile(file, source);
  return file;
}

async function serve(
  stack: string,
  socketPath: string,
  programs: ReadonlyMap<string, string>,
  placer: Placer,
): Promise<PeerProcess> {
  const bench = benchCases.find(({ name }) => name === "unary-64B-1-cross");
  if (bench === undefined) throw new Error("the case that servers are started with is gone");
  const prefix = placer.prefix("server", "cross");
  const program = programs.get(stack);
  const server =
    program === undefined
      ? await PeerProcess.start(stack, bench, prefix, [], limitMs)
      : await PeerProcess.startProgram(program, bench, prefix, limitMs);
  await server.ask({ do: "serve", socketPath }, limitMs);
  return server;
}

async function startAll(ready: readonly Ready[], measured: boolean, failures: string[]): Promise<void> {
  for (const { case: name, stack, command, cwd, starts } of ready) {
    try {
      const start = await timeStart(command, cwd, limitMs);
      if (measured) starts.push(start);
    } catch (error) {
      const failure = `${stack} in ${name}: ${(error as Error).message}`;
      if (!failures.includes(failure)) failures.push(failure);
    }
  }
}
