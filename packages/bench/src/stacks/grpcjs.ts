// @grpc/grpc-js as its own examples show it, with whatever makes and reads the messages.
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { counter, type DressedCase, type EchoCalls, loadOf, payloadOf, type Stack } from "../stack.js";

/** A message of the echo service, as far as it is looked at. */
export interface Echo {
  readonly payload: Uint8Array;
}

/** What both are asked for, as far as it is looked at. */
export interface Split extends Echo {
  readonly count: number;
}

/** How a library of messages makes those of the echo service. */
export interface EchoMessages {
  readonly service: grpc.ServiceClientConstructor;
  request(payload: Buffer): Echo;
  splitRequest(count: number, payload: Buffer): Split;
  response(payload: Uint8Array, number: number): Echo;
  /** The number in a response. */
  numberOf(response: Echo): number;
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
  join(callback: grpc.requestCallback<Echo>): grpc.ClientWritableStream<Echo>;
  chat(): grpc.ClientDuplexStream<Echo, Echo>;
}

/** Makes a stack of a library of messages, which is loaded when the stack is used. */
export function grpcjsStack(load: () => EchoMessages): Stack {
  return {
    async serve(socketPath, { full }) {
      const { service, response } = load();
      const server = new grpc.Server(full ? { interceptors: [passServerCallOn] } : {});
      server.addService(service.service, handlersOf(response, full));
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(`unix:${socketPath}`, grpc.ServerCredentials.createInsecure(), (error) =>
          error === null ? resolve() : reject(error),
        );
      });
    },
    async connect(socketPath, bench) {
      const messages = load();
      const options: grpc.ClientOptions = {
        ...(bench.full && { interceptors: [passCallOn] }),
        // By default clients of one target share a connection.
        ...(needsOwnConnection(bench) && { "grpc.use_local_subchannel_pool": 1 }),
      };
      const credentials = grpc.credentials.createInsecure();
      const payload = payloadOf(bench);
      return loadOf(bench, async () => {
        const client = new messages.service(`unix:${socketPath}`, credentials, options) as unknown as EchoClient;
        return callsOf(client, messages, payload, bench.messages, bench.full);
      });
    },
  };
}

function needsOwnConnection({ kind, connections }: DressedCase): boolean {
  return connections > 1 || kind === "idle-connections";
}

function callsOf(client: EchoClient, messages: EchoMessages, payload: Buffer, count: number, full: boolean): EchoCalls {
  const unary = (metadata: grpc.Metadata, options: grpc.CallOptions): Promise<Echo | undefined> =>
    new Promise((resolve, reject) => {
      client.echo(messages.request(payload), metadata, options, (error, reply) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
  return {
    connection: client,
    unary: full ? () => unary(fullMetadata(), { deadline: Date.now() + 10_000 }) : () => unary(new grpc.Metadata(), {}),
    serverStream: (first) => readAll(client.split(messages.splitRequest(count, payload)), first),
    clientStream: (first) =>
      new Promise((resolve, reject) => {
        const call = client.join((error, reply) => {
          if (error !== null) return reject(error);
          first();
          resolve(messages.numberOf(reply as Echo));
        });
        void writeAll(call, count, () => messages.request(payload));
      }),
    bidiStream: (first) => {
      const call = client.chat();
      void writeAll(call, count, () => messages.request(payload));
      return readAll(call, first);
    },
    async idleStream() {
      const call = client.chat();
      call.write(messages.request(payload));
      await once(call, "data");
    },
  };
}

/** Reads by events: quicker in grpc-js than `for await`. */
function readAll(
  call: grpc.ClientReadableStream<Echo> | grpc.ClientDuplexStream<Echo, Echo>,
  first: () => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const received = counter(first);
    call.on("data", () => received.add());
    call.on("end", () => resolve(received.count));
    call.on("error", reject);
  });
}

async function writeAll(
  call: { write(message: Echo): boolean; end(): unknown } & NodeJS.EventEmitter,
  count: number,
  message: (i: number) => Echo,
): Promise<void> {
  for (let i = 0; i < count; i++) if (!call.write(message(i))) await once(call, "drain");
  call.end();
}

function handlersOf(response: EchoMessages["response"], full: boolean): grpc.UntypedServiceImplementation {
  const answer = ({ payload }: Echo): Echo => response(payload, 0);
  return {
    echo: full
      ? async (call: grpc.ServerUnaryCall<Echo, Echo>, callback: grpc.sendUnaryData<Echo>) =>
          callback(null, answer(await Promise.resolve(call.request)))
      : (call: grpc.ServerUnaryCall<Echo, Echo>, callback: grpc.sendUnaryData<Echo>) =>
          callback(null, answer(call.request)),
    split(call: grpc.ServerWritableStream<Split, Echo>) {
      const { count, payload } = call.request;
      void writeAll(call, count, (i) => response(payload, i));
    },
    join(call: grpc.ServerReadableStream<Echo, Echo>, callback: grpc.sendUnaryData<Echo>) {
      let count = 0;
      call.on("data", () => count++);
      call.on("end", () => callback(null, response(Buffer.alloc(0), count)));
    },
    chat(call: grpc.ServerDuplexStream<Echo, Echo>) {
      call.on("data", (request: Echo) => {
        if (call.write(answer(request))) return;
        call.pause();
        call.once("drain", () => call.resume());
      });
      call.on("end", () => call.end());
    },
  };
}

function fullMetadata(): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("x-request-id", "0123456789abcdef");
  metadata.set("x-tenant", "bench");
  return metadata;
}

const passCallOn: grpc.Interceptor = (options, next) => new grpc.InterceptingCall(next(options));
const passServerCallOn: grpc.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call);
