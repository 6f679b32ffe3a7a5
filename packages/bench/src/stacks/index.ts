// The stacks by name, each loaded only in the processes that run it.
import type { Stack } from "../stack.js";

const loaders: ReadonlyMap<string, () => Promise<Stack>> = new Map([
  ["raw", async () => (await import("./raw.js")).raw],
  ["grpcjs-protobufjs", async () => (await import("./grpcjs-protobufjs.js")).grpcjsProtobufjs],
  ["guestwire-grpc", async () => (await import("./guestwire-grpc.js")).guestwireGrpc],
  ["guestwire-ttrpc", async () => (await import("./guestwire-ttrpc.js")).guestwireTtrpc],
]);

/** The names of all stacks, in the order of the tables. */
export const stackNames: readonly string[] = [...loaders.keys()];

/** Loads a stack. @throws {Error} when there is none of this name. */
export async function loadStack(name: string): Promise<Stack> {
  const load = loaders.get(name);
  if (load === undefined) throw new Error(`no stack is called "${name}"`);
  return load();
}
