// The server itself: the task API on the socket that containerd knows, until containerd asks it to end.
import { rm } from "node:fs/promises";
import { serve } from "@guestwire/ttrpc";
import { Task as TaskV2 } from "@guestwire/types/task/v2";
import { Task as TaskV3 } from "@guestwire/types/task/v3";
import type { ShimArguments } from "./arguments.js";
import { createPublisher } from "./events.js";
import { createRunc } from "./runc.js";
import { socketPath } from "./start.js";
import { TaskService } from "./task.js";

/** Serves, and returns when it is over. */
export async function serveTasks(shim: ShimArguments): Promise<void> {
  const events = createPublisher(process.env["TTRPC_ADDRESS"] ?? `${shim.address}.ttrpc`, shim.namespace);
  const { promise: ended, resolve: shutdown } = Promise.withResolvers<void>();
  const tasks = new TaskService({ runc: createRunc(shim.namespace), events, shutdown });
  const server = serve().service(TaskV2, tasks).service(TaskV3, tasks);
  const path = socketPath(shim);
  await server.listen(`unix://${path}`);
  process.stdout.write("listening\n");
  await ended;
  await server.close({ graceMs: 1_000 });
  await events.close();
  await rm(path, { force: true });
}
