// A server of grpc-js itself with the echo service, for the tests of the client. Nothing of ours but the messages.
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type EchoRequest, type EchoResponse, EchoService, tempFolder } from "@guestwire/testkit";
import { deserializerOf, serializerOf } from "./serialize.js";

type Reply = Partial<Omit<EchoResponse, "$typeName" | "$unknown">>;

/** Handlers in the form of grpc-js. */
export interface PlainHandlers {
  readonly echo?: handleUnaryCall<EchoRequest, Reply>;
  readonly hang?: handleUnaryCall<EchoRequest, Reply>;
  readonly inspect?: handleUnaryCall<unknown, unknown>;
  readonly split?: handleServerStreamingCall<EchoRequest, Reply>;
  readonly join?: handleClientStreamingCall<EchoRequest, Reply>;
  readonly chat?: handleBidiStreamingCall<EchoRequest, Reply>;
}

export interface PlainServer extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
}

/** The echo service for grpc-js. */
export const echoDefinition: ServiceDefinition = Object.fromEntries(
  EchoService.methods.map((method) => [
    method.localName,
    {
      path: `/${EchoService.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: serializerOf(method.input),
      requestDeserialize: deserializerOf(method.input),
      responseSerialize: serializerOf(method.output),
      responseDeserialize: deserializerOf(method.output),
    },
  ]),
);

/** The same paths with bytes both ways and streams on both sides, for servers that break the rules. */
const rawDefinition: ServiceDefinition = Object.fromEntries(
  Object.entries(echoDefinition).map(([name, { path }]) => [
    name,
    {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  ]),
);

/** How a plain server differs. */
export interface PlainOptions {
  readonly server?: ServerOptions;
  readonly credentials?: ServerCredentials;
  /** Where to listen, in grpc-js' form. Default a unix socket of its own. */
  readonly at?: string;
}

/** Serves the echo service. */
export function plainServer(handlers: PlainHandlers, options: PlainOptions = {}): Promise<PlainServer> {
  return serve(echoDefinition, handlers, options);
}

/** Serves any bytes under the echo service's names. */
export function rawServer(handlers: Record<string, handleBidiStreamingCall<Buffer, Buffer>>): Promise<PlainServer> {
  return serve(rawDefinition, handlers, {});
}

async function serve(definition: ServiceDefinition, handlers: object, options: PlainOptions): Promise<PlainServer> {
  const { at, credentials = ServerCredentials.createInsecure() } = options;
  const folder = await tempFolder();
  const server = new Server(options.server);
  server.addService(definition, handlers as UntypedServiceImplementation);
  const path = folder.file("p.sock");
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(at ?? `unix:${path}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    address: at === undefined ? `unix://${path}` : `tcp://127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await folder[Symbol.asyncDispose]();
    },
  };
}
