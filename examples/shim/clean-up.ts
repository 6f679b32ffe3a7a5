// `delete`: what containerd runs when a shim is gone that did not end in order. Ends the container and removes what is left.
import { rm } from "node:fs/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { DeleteResponseSchema } from "@guestwire/types/task/v2";
import type { ShimArguments } from "./arguments.js";
import { unmountRootfs } from "./mounts.js";
import { createRunc } from "./runc.js";
import { socketPath } from "./start.js";

// As if it had been killed by SIGKILL, since nobody saw how it ended.
const exitStatus = 137;

/** Cleans up, and prints how the container has ended, as containerd reads it. */
export async function cleanUp(shim: ShimArguments): Promise<void> {
  await createRunc(shim.namespace).run(["delete", "--force", shim.id]);
  await unmountRootfs(shim.bundle);
  await rm(socketPath(shim), { force: true });
  const response = create(DeleteResponseSchema, { exitStatus, exitedAt: timestampNow() });
  process.stdout.write(toBinary(DeleteResponseSchema, response));
}
