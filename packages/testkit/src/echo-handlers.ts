// Handlers of the echo service, for tests and benchmarks of every transport.
import { Code, createPushStream, type Handlers, RpcError } from "@guestwire/rpc";
import { EchoRequestSchema, type EchoService } from "./gen/guestwire/test/v1/echo_pb.js";

/** The echo service's handlers. Stateless; one object serves any number of servers. */
export const echoHandlers: Handlers<typeof EchoService> = {
  echo: (request) => ({ text: request.text, payload: request.payload, number: request.number }),
  async *split(request) {
    for (let i = 0; i < request.count; i++) {
      if (request.failAfter > 0 && i === request.failAfter) throw new RpcError(Code.DataLoss, `failed after ${i}`);
      yield { payload: request.payload, number: BigInt(i) };
    }
  },
  async join(requests) {
    let number = 0n;
    let text = "";
    const parts: Uint8Array[] = [];
    for await (const request of requests) {
      number += request.number;
      text += request.text;
      parts.push(request.payload);
    }
    return { number, text, payload: Buffer.concat(parts) };
  },
  async *chat(requests) {
    for await (const request of requests) {
      yield { text: request.text, payload: request.payload, number: request.number };
    }
  },
  fail(request) {
    if (request.code === 0) throw new Error(request.message);
    const details = request.detail === "" ? [] : [{ schema: EchoRequestSchema, value: { text: request.detail } }];
    throw new RpcError(request.code as Code, request.message, { details });
  },
  inspect: (_request, context) => ({
    metadata: [...context.metadata].map(([key, value]) => ({ key, value })),
    timeRemainingMs: context.deadline === undefined ? -1 : context.timeRemainingMs(),
    peerKind: context.peer.kind,
    path: context.path,
  }),
  async hang(_request, context) {
    // Ends with the signal; a test that wants a handler that never ends writes its own.
    const ended = createPushStream<never>();
    if (context.signal.aborted) ended.end();
    context.signal.addEventListener("abort", () => ended.end(), { once: true });
    for await (const _ of ended) {
      // Nothing is ever pushed.
    }
    return {};
  },
};
