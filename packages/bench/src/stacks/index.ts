// The stacks by name, each loaded only in the processes that run it.
import type { Stack } from "../stack.js";

const loaders: ReadonlyMap<string, () => Promise<Stack>> = new Map([
  ["raw", async () => (await import("./raw.js")).raw],
  ["http2", async () => (await import("./http2.js")).http2],
  ["grpcjs-protobufjs", async () => (await import("./grpcjs-protobufjs.js")).grpcjsProtobufjs],
  ["grpcjs-protobufes", async () => (await import("./grpcjs-protobufes.js")).grpcjsProtobufes],
  ["connect-node", async () => (await import("./connect-node.js")).connectNode],
  ["guestwire-grpc", async () => (await import("./guestwire-grpc.js")).guestwireGrpc],
  ["guestwire-ttrpc", async () => (await import("./guestwire-ttrpc.js")).guestwireTtrpc],
]);

/** The stacks that are programs of their own, which answer as `peer.ts` does but by lines: their folders in the testkit. */
const programs: ReadonlyMap<string, string> = new Map([["go-ttrpc", "ttrpc-bench"]]);

/** The names of all stacks, in the order of the tables; one is another with something put on (`features.ts`). */
export const stackNames: readonly string[] = [...loaders.keys(), "guestwire-ttrpc+release", ...programs.keys()];

/** The folder of a stack's program among the testkit's peers in Go; `undefined` for stacks of this process's kind. */
export function programOf(name: string): string | undefined {
  return programs.get(name);
}

/** Loads a stack. @throws {Error} when there is none of this name. */
export async function loadStack(name: string): Promise<Stack> {
  const load = loaders.get(name);
  if (load === undefined) throw new Error(`no stack is called "${name}"`);
  return load();
}
