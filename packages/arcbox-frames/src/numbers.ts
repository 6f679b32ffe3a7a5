// Which number stands for which message: the table of the V2 frames, as agents after 0.1.4 have it. Data and look-ups only.
import type { DescMethod } from "@bufbuild/protobuf";
import { methodPath } from "@guestwire/rpc/transport";

/** A request's row: the method that it is, its numbers, and what is special about it. */
export interface FrameMethod {
  /** The method's path, as `/arcbox.v1.AgentService/Ping`. */
  readonly path: string;
  /** The number of the request. */
  readonly request: number;
  /** The number of the response, or of each response of a stream. */
  readonly reply: number;
  /**
   * How the answer ends: `one` frame; a stream of outputs until one with `done`, in `run` and `exec`; `events` until the
   * client goes.
   */
  readonly shape: "one" | "run" | "exec" | "events";
  /** Whether agents of 0.1.4 know it; those close the connection when they get a number that they do not know. */
  readonly since014: boolean;
}

/** Numbers that belong to no method. */
export const FrameNumber = {
  /** Nothing. Never sent. */
  Empty: 0x0000,
  /** Reads a file; for ArcBox's own tests, and in no service. */
  MmapReadFile: 0x000b,
  /** Bytes for the standard input of the running exec; none at all are its end. */
  ExecStdin: 0x0033,
  /** Why there is no response. */
  Error: 0xffff,
} as const;

const agent = "/arcbox.v1.AgentService";
const sandbox = "/sandbox.v1.SandboxService";
const snapshot = "/sandbox.v1.SandboxSnapshotService";

/** All methods that have numbers, in the order of these. */
export const frameMethods: readonly FrameMethod[] = Object.freeze([
  one(`${agent}/Ping`, 0x0001, true),
  one(`${agent}/GetSystemInfo`, 0x0002, true),
  one(`${agent}/EnsureRuntime`, 0x0003, true),
  one(`${agent}/GetRuntimeStatus`, 0x0004, true),
  one(`${agent}/StartKubernetes`, 0x0005, false),
  one(`${agent}/StopKubernetes`, 0x0006, false),
  one(`${agent}/DeleteKubernetes`, 0x0007, false),
  one(`${agent}/GetKubernetesStatus`, 0x0008, false),
  one(`${agent}/GetKubeconfig`, 0x0009, false),
  one(`${agent}/Shutdown`, 0x000a, false),
  one(`${sandbox}/Create`, 0x0020, true),
  one(`${sandbox}/Stop`, 0x0021, true),
  one(`${sandbox}/Remove`, 0x0022, true),
  one(`${sandbox}/Inspect`, 0x0023, true),
  one(`${sandbox}/List`, 0x0024, true),
  { path: `${sandbox}/Run`, request: 0x0030, reply: 0x1035, shape: "run", since014: true },
  { path: `${sandbox}/Exec`, request: 0x0031, reply: 0x1036, shape: "exec", since014: true },
  { path: `${sandbox}/Events`, request: 0x0032, reply: 0x1037, shape: "events", since014: true },
  one(`${snapshot}/Checkpoint`, 0x0040, true),
  one(`${snapshot}/Restore`, 0x0041, true),
  one(`${snapshot}/ListSnapshots`, 0x0042, true),
  one(`${snapshot}/DeleteSnapshot`, 0x0043, true),
] satisfies FrameMethod[]);

/** The reply to a request that is answered once has the request's number and this bit. */
function one(path: string, request: number, since014: boolean): FrameMethod {
  return { path, request, reply: request | 0x1000, shape: "one", since014 };
}

const byPath: ReadonlyMap<string, FrameMethod> = new Map(frameMethods.map((row) => [row.path, row]));
const byRequest: ReadonlyMap<number, FrameMethod> = new Map(frameMethods.map((row) => [row.request, row]));
// Port bindings changed and removed are defined and never sent.
const others: ReadonlySet<number> = new Set([...Object.values(FrameNumber), 0x100b, 0x1030, 0x1031]);
const replies: ReadonlySet<number> = new Set(frameMethods.map((row) => row.reply));

/** The row of a method, by its full name; `undefined` where it has no number. */
export function frameMethodOf(method: DescMethod): FrameMethod | undefined {
  return byPath.get(methodPath(method));
}

/** The row of a request's number; `undefined` where no method has it. */
export function frameMethodByNumber(number: number): FrameMethod | undefined {
  return byRequest.get(number);
}

/** Whether a number stands for anything at all. Agents close the connection on others. */
export function isKnownNumber(number: number): boolean {
  return byRequest.has(number) || replies.has(number) || others.has(number);
}

/** A number as people write it, as `0x0031`. */
export function numberText(number: number): string {
  return `0x${number.toString(16).padStart(4, "0")}`;
}
