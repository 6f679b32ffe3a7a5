// Which server answers, as Joblet's clients show it. Nothing else.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServerVersionInfoSchema } from "@guestwire/joblet";
import { version } from "../../version.js";
import { goArchitecture } from "./host.js";

/** The message. What a server that is not written in Go does not have is empty. */
export function serverVersion(): MessageInitShape<typeof ServerVersionInfoSchema> {
  return {
    version: `v${version}`,
    component: "guestwire-guest",
    platform: `${process.platform}/${goArchitecture()}`,
    // The newer of the two shapes that the schema has: without it, clients take a server for one of before.
    protoTag: "v2.5.8",
  };
}
