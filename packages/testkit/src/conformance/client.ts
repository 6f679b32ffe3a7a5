// A program that connectconformance starts: makes the calls that its input describes, several at a time, and tells on its output
// what came of each.
import { type ConnectOptions, connect } from "@guestwire/grpc";
import { createClient } from "@guestwire/rpc";
import {
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  ClientCompatResponseSchema,
} from "../gen/connectrpc/conformance/v1/client_compat_pb.js";
import { Compression } from "../gen/connectrpc/conformance/v1/config_pb.js";
import { ConformanceService } from "../gen/connectrpc/conformance/v1/service_pb.js";
import { call, type Outcome } from "./calls.js";
import { delimited, readDelimited } from "./delimited.js";

const atATime = 16;
const running = new Set<Promise<void>>();
for await (const request of readDelimited(ClientCompatRequestSchema, process.stdin)) {
  const run = answer(request).finally(() => running.delete(run));
  running.add(run);
  if (running.size >= atATime) await Promise.race(running);
}
await Promise.all(running);

async function answer(request: ClientCompatRequest): Promise<void> {
  const { testName } = request;
  const response = await outcome(request).then(
    (value) => ({ testName, result: { case: "response" as const, value } }),
    (error: Error) => ({ testName, result: { case: "error" as const, value: { message: String(error.stack) } } }),
  );
  process.stdout.write(delimited(ClientCompatResponseSchema, response));
}

async function outcome(request: ClientCompatRequest): Promise<Outcome> {
  const { service, host, port } = request;
  if (service !== ConformanceService.typeName) throw new Error(`there is no service ${service}`);
  await using channel = connect(`tcp://${host}:${port}`, optionsOf(request));
  return await call(createClient(ConformanceService, channel), request);
}

function optionsOf({
  serverTlsCert,
  clientTlsCreds,
  compression,
  messageReceiveLimit,
}: ClientCompatRequest): ConnectOptions {
  const client = clientTlsCreds && { cert: clientTlsCreds.cert, key: clientTlsCreds.key };
  return {
    ...(serverTlsCert.length > 0 && { tls: { ca: serverTlsCert, ...client } }),
    ...(compression === Compression.GZIP && { compression: "gzip" as const }),
    ...(messageReceiveLimit > 0 && { limits: { receiveMessageBytes: messageReceiveLimit } }),
  };
}
