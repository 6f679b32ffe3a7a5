// What is known of a method: its names and its kind. Types only, and two small helpers; no calls here.
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

/** Who sends many messages: nobody, the server, the client, or both. */
export type MethodKind = "unary" | "server_streaming" | "client_streaming" | "bidi_streaming";

/**
 * What the schema says of repeating a call: `unknown` nothing, so it must not be repeated unasked; `idempotent`
 * repeating changes nothing more; `no_side_effects` it only reads.
 */
export type Idempotency = "unknown" | "idempotent" | "no_side_effects";

/** One row of a generated method table. */
export interface MethodInfo {
  /** The method's bare name, as `Inspect`. */
  readonly name: string;
  /** The path that interceptors, logs and access rules use, as `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** Who streams. */
  readonly kind: MethodKind;
  /** Whether a repeated call is harmless. */
  readonly idempotency: Idempotency;
  /** Whether the schema marks the method as deprecated. */
  readonly deprecated: boolean;
}

/** Anything that can be read message by message; what streaming methods accept. */
export type MessageStream<T> = AsyncIterable<T> | Iterable<T>;

/**
 * The stream of responses of a call. Reading it to its end, `break`, `return`, a thrown error and disposal all end the
 * call; it can be read once.
 */
export interface ResponseStream<T> extends AsyncIterableIterator<T, undefined, void>, AsyncDisposable {
  [Symbol.asyncIterator](): ResponseStream<T>;
  /** Leaves the stream: ends the call and every read that waits. */
  return(): Promise<IteratorResult<T, undefined>>;
  /** Leaves the stream as {@link ResponseStream.return} does, then rejects with `error`. */
  throw(error?: unknown): Promise<IteratorResult<T, undefined>>;
}

/** A client's function for one method, typed by the method's descriptor. */
export type ClientMethod<M extends DescMethod, Options> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: Options) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: Options) => ResponseStream<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: MessageStream<MessageInitShape<I>>, options?: Options) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: MessageStream<MessageInitShape<I>>, options?: Options) => ResponseStream<MessageShape<O>>
          : never;

/** A server's function for one method, typed by the method's descriptor. */
export type HandlerMethod<M extends DescMethod, Context> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: Context) => MessageInitShape<O> | Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: Context) => MessageStream<MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            context: Context,
          ) => MessageInitShape<O> | Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageShape<I>>, context: Context) => MessageStream<MessageInitShape<O>>
          : never;

/** A method whose client sends one message and gets one. */
export type UnaryMethod<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = DescMethodUnary<
  I,
  O
>;

/** A method in which at least one side streams. */
export type StreamingMethod<
  I extends DescMessage = DescMessage,
  O extends DescMessage = DescMessage,
> = DescMethodStreaming<I, O>;

/** The path of a method, as `/arcbox.v1.MachineService/Inspect`. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Whether the client of a method may send several messages. */
export function clientStreams(method: DescMethod): boolean {
  return method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
}

/** What the schema says of repeating a call of a method. */
export function idempotencyOf(method: DescMethod): Idempotency {
  // The numbers of google.protobuf.MethodOptions.IdempotencyLevel.
  return method.idempotency === 1 ? "no_side_effects" : method.idempotency === 2 ? "idempotent" : "unknown";
}

/** Whether the server of a method may send several messages. */
export function serverStreams(method: DescMethod): boolean {
  return method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
}

/** The methods of a service by their names in TypeScript, as an iterable of pairs. */
export function methodsOf(service: DescService): [localName: string, method: DescMethod][] {
  return service.methods.map((method) => [method.localName, method]);
}
