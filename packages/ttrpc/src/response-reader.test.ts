// Reading responses while the caller's own code runs between, to a server that answers before a write returns.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, type RpcError } from "@guestwire/rpc";
import { decodeFrames, EchoService, encodeFrames, FakeClock, type RawFrame, turns } from "@guestwire/testkit";
import { Feature, HelloResponseSchema } from "@guestwire/types/control";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorFrame, responseFrame } from "../test/support/wire.js";
import { UnaryClientCall } from "./client-call.js";
import { ClientSession } from "./client-session.js";
import { DeadlineWheel } from "./deadline-wheel.js";
import { resolveLimits } from "./limits.js";
import { linkPair } from "./memory-link.js";
import { prepareMethod } from "./prepared-method.js";

const clock = new FakeClock();
const hello = toBinary(HelloResponseSchema, create(HelloResponseSchema, { features: [Feature.RESPONSE_METADATA] }));
let session: ClientSession;

/** Requests and responses of the echo service look the same. */
function answer({ id, data }: RawFrame): RawFrame {
  const { method, payload } = fromBinary(RequestSchema, data);
  if (method === "Fail") return errorFrame(id, 5, "outer");
  return responseFrame(id, method === "Hello" ? hello : payload);
}

beforeEach(() => {
  const [link] = linkPair(clock, { kind: "pair", address: "pair:" });
  const write = (bytes: Buffer): boolean => {
    const { frames } = decodeFrames(Buffer.from(bytes));
    session.received(encodeFrames(frames.map(answer)));
    return true;
  };
  Object.assign(link, { write });
  session = new ClientSession(link, clock, new DeadlineWheel(clock), resolveLimits({}), { ready() {}, closed() {} });
  session.start();
});

afterEach(async () => {
  session.close(Code.Canceled, "the test is over");
  await clock.elapse(10_000);
  expect([session.calls, clock.pending]).toEqual([0, 0]);
});

/** Sends a call; what became of it is written down. */
function call(name: "echo" | "fail", request: object, listeners: Partial<UnaryClientCall> = {}): { is: unknown } {
  const outcome: { is: unknown } = { is: undefined };
  const resolve = (message: object): void => {
    outcome.is = message;
  };
  const reject = ({ code, rawMessage }: RpcError): void => {
    outcome.is = { code, rawMessage };
  };
  const made = new UnaryClientCall(prepareMethod(EchoService.method[name]), "pair:", request, resolve, reject);
  session.send(Object.assign(made, listeners));
  return outcome;
}

test.each([
  ["onHeader", "echo", { text: "outer", number: 7n }],
  ["onTrailer", "echo", { text: "outer", number: 7n }],
  ["onTrailer", "fail", { code: 5, rawMessage: "outer" }],
] as const)("a call made inside of %s and answered there leaves the outer %s's end as it is", async (name, of, end) => {
  // Large enough to be written before `send` returns, and small enough to be one piece.
  const text = "inner".repeat(600);
  let inside: unknown;
  const listener = (): void => {
    inside = call("echo", { text, payload: Buffer.alloc(3000, 1) }).is;
  };
  const outer = call(of, { text: "outer", number: 7n }, { [name]: listener });
  await turns();
  expect(inside).toMatchObject({ text, payload: new Uint8Array(3000).fill(1) });
  expect(outer.is).toMatchObject(end);
});
