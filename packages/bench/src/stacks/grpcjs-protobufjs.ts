// @grpc/grpc-js with messages loaded by @grpc/proto-loader (protobufjs), used as its own examples show.
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { BenchCase } from "../cases.js";
import { payloadOf, type Stack, streamLoad, unaryLoad } from "../stack.js";

interface Echo {
  readonly text?: string;
  readonly payload: Buffer;
  readonly number?: string;
}

interface Split {
  readonly count: number;
  readonly payload: Buffer;
}

/** What grpc-js makes of the service at run time, as far as it is used here. */
interface EchoClient extends grpc.Client {
  echo(
    request: Echo,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Echo>,
  ): grpc.ClientUnaryCall;
  split(request: Split): grpc.ClientReadableStream<Echo>;
}

/** @grpc/grpc-js with protobufjs. */
export const grpcjsProtobufjs: Stack = {
  async serve(socketPath, { full }) {
    const server = new grpc.Server(full ? { interceptors: [passServerCallOn] } : {});
    server.addService(echoService().service, { echo: full ? echoLater : echo, split });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socketPath}`, grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  },
  async connect(socketPath, bench) {
    const options: grpc.ClientOptions = bench.full ? { interceptors: [passCallOn] } : {};
    const client = new (echoService())(
      `unix:${socketPath}`,
      grpc.credentials.createInsecure(),
      options,
    ) as unknown as EchoClient;
    const payload = payloadOf(bench);
    if (bench.kind === "server-stream") return splitLoad(client, payload, bench);
    return unaryLoad(
      bench.inFlight,
      () =>
        new Promise((resolve, reject) => {
          const done: grpc.requestCallback<Echo> = (error, reply) => (error === null ? resolve(reply) : reject(error));
          if (bench.full) client.echo({ payload }, fullMetadata(), { deadline: Date.now() + 10_000 }, done);
          else client.echo({ payload }, new grpc.Metadata(), {}, done);
        }),
    );
  },
};

function echoService(): grpc.ServiceClientConstructor {
  const testkit = dirname(createRequire(import.meta.url).resolve("@guestwire/testkit/package.json"));
  const definition = loadSync("guestwire/test/v1/echo.proto", {
    includeDirs: [join(testkit, "proto")],
    longs: String,
    defaults: true,
  });
  const root = grpc.loadPackageDefinition(definition) as unknown as {
    guestwire: { test: { v1: { EchoService: grpc.ServiceClientConstructor } } };
  };
  return root.guestwire.test.v1.EchoService;
}

function echo(call: grpc.ServerUnaryCall<Echo, Echo>, callback: grpc.sendUnaryData<Echo>): void {
  callback(null, call.request);
}

async function echoLater(call: grpc.ServerUnaryCall<Echo, Echo>, callback: grpc.sendUnaryData<Echo>): Promise<void> {
  callback(null, await Promise.resolve(call.request));
}

async function split(call: grpc.ServerWritableStream<Split, Echo>): Promise<void> {
  const { count, payload } = call.request;
  for (let i = 0; i < count; i++) if (!call.write({ payload, number: String(i) })) await once(call, "drain");
  call.end();
}

/** Reads by events: quicker in grpc-js than `for await`. */
function splitLoad(client: EchoClient, payload: Buffer, { messages }: BenchCase): ReturnType<typeof streamLoad> {
  return streamLoad(
    messages,
    (first) =>
      new Promise((resolve, reject) => {
        let received = 0;
        const call = client.split({ count: messages, payload });
        call.on("data", () => {
          if (received++ === 0) first();
        });
        call.on("end", () => resolve(received));
        call.on("error", reject);
      }),
  );
}

function fullMetadata(): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("x-request-id", "0123456789abcdef");
  metadata.set("x-tenant", "bench");
  return metadata;
}

const passCallOn: grpc.Interceptor = (options, next) => new grpc.InterceptingCall(next(options));
const passServerCallOn: grpc.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call);
