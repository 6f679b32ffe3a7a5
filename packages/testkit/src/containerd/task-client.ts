// A client of a shim's task API, in the version that the shim of this containerd serves.
import { type Channel, type Client, createClient } from "@guestwire/rpc";
import { Task as TaskV2 } from "@guestwire/types/task/v2";
import { Task as TaskV3 } from "@guestwire/types/task/v3";
import { type ContainerPrograms, isSince } from "./programs.js";

/** Version 3, which containerd has since 2.0, differs from version 2 in its name alone. */
export type TaskClient = Client<typeof TaskV2>;

/** Makes the client. */
export function taskClient(channel: Channel, programs: ContainerPrograms): TaskClient {
  if (!isSince(programs, 2, 0)) return createClient(TaskV2, channel);
  return createClient(TaskV3, channel) as unknown as TaskClient;
}
