// The 17 cases of gRPC's interoperability tests that need neither cloud credentials nor compression, as one table. Each runs
// over any channel to a server of the test service, whoever wrote that server.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Channel, type Client, Code, createClient, createPushStream, type Metadata } from "@guestwire/rpc";
import { all } from "../channel-suite/harness.js";
import type { StreamingOutputCallRequestSchema } from "../gen/grpc/testing/messages_pb.js";
import { TestService, UnimplementedService } from "../gen/grpc/testing/test_pb.js";
import { echoInitialKey, echoTrailingKey } from "./handlers.js";

/** Where a case runs. */
export interface InteropTarget {
  /** Opens one more channel to the server; the caller closes it. */
  connect(): Channel;
  /**
   * For wires without response metadata: the metadata of the last call, as the server saw it. Elsewhere absent, and what
   * the server gives back is looked at.
   */
  readonly lastMetadata?: () => Metadata | undefined;
}

/** A case: resolves when it passes. */
export type InteropCase = (
  client: Client<typeof TestService>,
  channel: Channel,
  target: InteropTarget,
) => Promise<void>;

type OutputRequest = MessageInitShape<typeof StreamingOutputCallRequestSchema>;

const requestSizes = [27182, 8, 1828, 45904];
const responseSizes = [31415, 9, 2653, 58979];
const largeRequest = 271828;
const largeResponse = 314159;
const soakIterations = 20;
const concurrentCalls = 1000;
const statusMessage = "test status message";
const specialMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const initialValue = "test_initial_metadata_value";
const trailingValue = Buffer.from([10, 11, 10, 11, 10, 11]).toString("base64");

/** The cases by their names, in the order of the descriptions. */
export const interopCases: Readonly<Record<string, InteropCase>> = {
  async empty_unary(client) {
    equal((await client.emptyCall({})).$typeName, "grpc.testing.Empty");
  },
  large_unary: (client) => largeUnary(client),
  async client_streaming(client) {
    const { aggregatedPayloadSize } = await client.streamingInputCall(
      requestSizes.map((size) => ({ payload: of(size) })),
    );
    equal(aggregatedPayloadSize, 74922);
  },
  async server_streaming(client) {
    const sizes: (number | undefined)[] = [];
    const responseParameters = responseSizes.map((size) => ({ size }));
    for await (const { payload } of client.streamingOutputCall({ responseParameters }))
      sizes.push(payload?.body.length);
    deepEqual(sizes, responseSizes);
  },
  async ping_pong(client) {
    const requests = createPushStream<OutputRequest>();
    const responses = client.fullDuplexCall(requests);
    for (const [i, size] of requestSizes.entries()) {
      await requests.push({ responseParameters: [{ size: responseSizes[i] as number }], payload: of(size) });
      equal((await responses.next()).value?.payload?.body.length, responseSizes[i]);
    }
    requests.end();
    equal((await responses.next()).done, true);
  },
  async empty_stream(client) {
    deepEqual(await all(client.fullDuplexCall([])), []);
  },
  custom_metadata: (client, _channel, target) => customMetadata(client, target),
  async status_code_and_message(client) {
    const responseStatus = { code: Code.Unknown, message: statusMessage };
    const expected = { code: Code.Unknown, rawMessage: statusMessage };
    await rejects(client.unaryCall({ responseStatus }), expected);
    await rejects(all(client.fullDuplexCall([{ responseStatus }])), expected);
  },
  async special_status_message(client) {
    const responseStatus = { code: Code.Unknown, message: specialMessage };
    await rejects(client.unaryCall({ responseStatus }), { code: Code.Unknown, rawMessage: specialMessage });
  },
  async unimplemented_method(client) {
    await rejects(client.unimplementedCall({}), { code: Code.Unimplemented });
  },
  async unimplemented_service(_client, channel) {
    const client = createClient(UnimplementedService, channel);
    await rejects(client.unimplementedCall({}), { code: Code.Unimplemented });
  },
  async cancel_after_begin(client) {
    const abort = new AbortController();
    // Asked for when the call has begun; what it gives is never sent.
    async function* requests(): AsyncGenerator<{ payload: { body: Uint8Array } }> {
      abort.abort();
      yield { payload: of(1) };
    }
    await rejects(client.streamingInputCall(requests(), { signal: abort.signal }), { code: Code.Canceled });
  },
  async cancel_after_first_response(client) {
    const abort = new AbortController();
    const requests = createPushStream<OutputRequest>();
    const responses = client.fullDuplexCall(requests, { signal: abort.signal });
    await requests.push({ responseParameters: [{ size: 31415 }], payload: of(27182) });
    equal((await responses.next()).value?.payload?.body.length, 31415);
    abort.abort();
    await rejects(responses.next(), { code: Code.Canceled });
  },
  async timeout_on_sleeping_server(client) {
    const requests = createPushStream<OutputRequest>();
    const responses = client.fullDuplexCall(requests, { timeoutMs: 1 });
    // Refused where the time was up before.
    requests.push({ payload: of(27182) }).catch(() => {});
    await rejects(responses.next(), { code: Code.DeadlineExceeded });
  },
  async concurrent_large_unary(client) {
    await Promise.all(Array.from({ length: concurrentCalls }, () => largeUnary(client)));
  },
  async rpc_soak(client) {
    for (let i = 0; i < soakIterations; i++) await largeUnary(client);
  },
  async channel_soak(_client, _channel, target) {
    for (let i = 0; i < soakIterations; i++) {
      await using channel = target.connect();
      await largeUnary(createClient(TestService, channel));
    }
  },
};

/** Runs a case on a channel of its own, which is closed whatever happens. */
export async function runInteropCase(name: string, target: InteropTarget): Promise<void> {
  const run = interopCases[name];
  ok(run !== undefined, `there is no interop case ${name}`);
  await using channel = target.connect();
  await run(createClient(TestService, channel), channel, target);
}

async function largeUnary(client: Client<typeof TestService>): Promise<void> {
  const { payload } = await client.unaryCall({ responseSize: largeResponse, payload: largePayload });
  equal(payload?.body.length, largeResponse);
}

async function customMetadata(client: Client<typeof TestService>, target: InteropTarget): Promise<void> {
  let header: Metadata | undefined;
  let trailer: Metadata | undefined;
  const check = (): void => {
    const seen = target.lastMetadata?.();
    deepEqual((seen ?? header)?.getAll(echoInitialKey), [initialValue]);
    deepEqual((seen ?? trailer)?.getAll(echoTrailingKey), [trailingValue]);
    header = undefined;
    trailer = undefined;
  };
  const options = {
    metadata: { [echoInitialKey]: initialValue, [echoTrailingKey]: trailingValue },
    onHeader: (metadata: Metadata) => {
      header = metadata;
    },
    onTrailer: (metadata: Metadata) => {
      trailer = metadata;
    },
  };
  equal((await client.unaryCall({ responseSize: 1, payload: of(1) }, options)).payload?.body.length, 1);
  check();
  const request = { responseParameters: [{ size: 1 }], payload: of(1) };
  equal((await all(client.fullDuplexCall([request], options))).length, 1);
  check();
}

function of(size: number): { body: Uint8Array } {
  return { body: new Uint8Array(size) };
}

const largePayload = of(largeRequest);
