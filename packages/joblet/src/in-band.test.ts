import { Code, createClient, createInProcessChannel, RpcError } from "@guestwire/rpc";
import { BadRequestSchema } from "@guestwire/types/google-rpc";
import { describe, expect, test } from "vitest";
import { NetworkService } from "./gen/joblet/network_pb.js";
import { RuntimeService } from "./gen/joblet/runtime_pb.js";
import { VolumeService } from "./gen/joblet/volume_pb.js";
import { raiseInBand } from "./in-band.js";

const channel = createInProcessChannel((registry) => {
  registry
    .service(VolumeService, {
      removeVolume: ({ name }) => ({
        success: name === "data",
        message: name === "busy" ? "in use" : "volume not found",
      }),
    })
    .service(NetworkService, { removeNetwork: () => ({ success: false }) })
    .service(RuntimeService, {
      removeRuntime: () => ({ success: true }),
      getRuntimeInfo: () => ({ found: false }),
      testRuntime: () => ({ success: false, error: "exit 1" }),
      validateRuntimeYAML: ({ yamlContent }) => ({ valid: yamlContent === "", message: "bad", errors: ["no name"] }),
      async *buildRuntime({ yamlContent }) {
        yield { progressType: { case: "log", value: { message: "begun" } } };
        yield { progressType: { case: "result", value: { success: yamlContent === "good", message: "no disk" } } };
      },
    });
});
const options = { interceptors: [raiseInBand()] };
const volumes = createClient(VolumeService, channel, options);
const runtimes = createClient(RuntimeService, channel, options);

async function failure(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

describe("failures in messages become errors", () => {
  test("of removing", async () => {
    expect(await volumes.removeVolume({ name: "data" })).toMatchObject({ success: true });
    expect(await runtimes.removeRuntime({})).toMatchObject({ success: true });
    const busy = await failure(volumes.removeVolume({ name: "busy" }));
    expect(busy).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "in use" });
    expect((await failure(volumes.removeVolume({ name: "none" }))).code).toBe(Code.NotFound);
    const network = createClient(NetworkService, channel, options).removeNetwork({ name: "x" });
    expect((await failure(network)).rawMessage).toBe("the server gave no reason");
  });

  test("of runtimes", async () => {
    expect((await failure(runtimes.getRuntimeInfo({ runtime: "x" }))).code).toBe(Code.NotFound);
    expect((await failure(runtimes.testRuntime({ runtime: "x" }))).rawMessage).toBe("exit 1");
    expect(await runtimes.validateRuntimeYAML({})).toMatchObject({ valid: true });
    const invalid = await failure(runtimes.validateRuntimeYAML({ yamlContent: "x" }));
    expect(invalid).toMatchObject({ code: Code.InvalidArgument, rawMessage: "bad; no name" });
    expect(invalid.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.description).toBe("no name");
  });

  test("in streams, after the items before", async () => {
    const items: unknown[] = [];
    const build = async (yamlContent: string): Promise<void> => {
      for await (const { progressType } of runtimes.buildRuntime({ yamlContent })) items.push(progressType.case);
    };
    await build("good");
    expect(items.splice(0)).toEqual(["log", "result"]);
    expect(await failure(build("bad"))).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "no disk" });
    expect(items).toEqual(["log"]);
  });

  test("not without the interceptor", async () => {
    expect(await createClient(VolumeService, channel).removeVolume({ name: "x" })).toMatchObject({ success: false });
  });
});
