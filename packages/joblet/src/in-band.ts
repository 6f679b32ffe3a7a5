// Failures that Joblet answers with an OK status, in a field of the message: made errors of, for who wants that.
import type { Message } from "@bufbuild/protobuf";
import { Code, type Interceptor, RpcError } from "@guestwire/rpc";
import { BadRequestSchema } from "@guestwire/types/google-rpc";
import type { BuildRuntimeProgress, RuntimeInstallationChunk } from "./gen/joblet/runtime_pb.js";

/**
 * The failure that a message of Joblet tells of, as an error; `undefined` where it tells of none.
 *
 * - `RemoveNetworkResponse`, `RemoveVolumeResponse`, `RemoveRuntimeResponse`, `DeleteJobResponse`, `DeleteAllJobsResponse`
 *   with `success` false: `NotFound` where the text says so, else `FailedPrecondition`.
 * - `TestRuntimeResponse` with `success` false: `FailedPrecondition` with its `error`.
 * - `GetRuntimeInfoResponse` with `found` false: `NotFound`.
 * - `ValidateRuntimeYAMLResponse`, `ValidateRuntimeSpecResponse` with `valid` false: `InvalidArgument`, its `errors` in the
 *   text and in a `google.rpc.BadRequest`.
 * - The last item of BuildRuntime, or of a streamed installation, with `success` false: `FailedPrecondition`.
 */
export function inBandError(message: Message): RpcError | undefined {
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  switch (message.$typeName) {
    case "joblet.RemoveNetworkResponse":
    case "joblet.RemoveVolumeResponse":
    case "joblet.RemoveRuntimeResponse":
    case "joblet.DeleteJobResponse":
    case "joblet.DeleteAllJobsResponse":
      return fields["success"] === true ? undefined : failed(fields["message"]);
    case "joblet.TestRuntimeResponse":
      return fields["success"] === true ? undefined : failed(fields["error"]);
    case "joblet.GetRuntimeInfoResponse":
      return fields["found"] === true ? undefined : new RpcError(Code.NotFound, "there is no such runtime");
    case "joblet.ValidateRuntimeYAMLResponse":
    case "joblet.ValidateRuntimeSpecResponse":
      return fields["valid"] === true ? undefined : invalid(fields["message"], fields["errors"]);
    case "joblet.BuildRuntimeProgress": {
      const { progressType: item } = message as BuildRuntimeProgress;
      return item.case === "result" && !item.value.success ? failed(item.value.message) : undefined;
    }
    case "joblet.RuntimeInstallationChunk": {
      const { chunkType: item } = message as RuntimeInstallationChunk;
      return item.case === "result" && !item.value.success ? failed(item.value.message) : undefined;
    }
    default:
      return undefined;
  }
}

/**
 * Makes errors of failures that Joblet answers in its messages, see {@link inBandError}. For channels or clients. In a
 * stream the items before come as they are, and the error in place of the item that tells of it.
 *
 * @example
 * const volumes = createClient(VolumeService, channel, { interceptors: [raiseInBand()] });
 * await volumes.removeVolume({ name: "data" }); // throws when it was not removed
 */
export function raiseInBand(): Interceptor {
  return (next) => async (call) => {
    const reply = await next(call);
    if (!reply.stream) {
      const error = inBandError(reply.message);
      if (error !== undefined) throw error;
      return reply;
    }
    const { messages } = reply;
    async function* checked(): AsyncGenerator<Message> {
      for await (const message of messages) {
        const error = inBandError(message);
        if (error !== undefined) throw error;
        yield message;
      }
    }
    return { ...reply, messages: checked() };
  };
}

function failed(text: unknown): RpcError {
  const message = typeof text === "string" && text !== "" ? text : "the server gave no reason";
  // The only sign there is: no code tells "unknown" from "in use".
  const code = /not found|does ?n[o']t exist|unknown|no such/i.test(message) ? Code.NotFound : Code.FailedPrecondition;
  return new RpcError(code, message);
}

function invalid(text: unknown, errors: unknown): RpcError {
  const found = Array.isArray(errors) ? errors.map(String) : [];
  const message = [typeof text === "string" ? text : "", ...found].filter((part) => part !== "").join("; ");
  const fieldViolations = found.map((description) => ({ field: "yaml_content", description }));
  const details = found.length === 0 ? [] : [{ schema: BadRequestSchema, value: { fieldViolations } }];
  return new RpcError(Code.InvalidArgument, message || "the server gave no reason", { details });
}
