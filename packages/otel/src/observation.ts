// One call under observation: its span, what is counted, and its end, which comes once. Knows neither interceptors nor
// streams. Nothing in here may fail a call.

import { Code, type InterceptedCall, RpcError } from "@guestwire/rpc";
import { codecFor, Sink } from "@guestwire/rpc/codec";
import { type Attributes, type Context, diag, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { peerPlace } from "./address.js";
import { type CallNames, endNames } from "./call-names.js";
import { attr } from "./conventions.js";
import type { Instruments } from "./instruments.js";
import type { Settings, Side } from "./options.js";
import { isServerFault, type StatusCode } from "./status.js";
import type { Telemetry } from "./telemetry.js";
import type { Message, MessageType } from "./types.js";

const counting = new Sink();

/** Watches one call. */
export class Observation {
  /** The context in which the call runs: its span is the active one. */
  readonly context: Context;
  readonly span: Span;
  readonly #call: InterceptedCall;
  readonly #side: Side;
  readonly #names: CallNames;
  readonly #settings: Settings;
  readonly #instruments: Instruments | undefined;
  readonly #startedAt = performance.now();
  #requests = 0;
  #responses = 0;
  #over = false;

  constructor(
    telemetry: Telemetry,
    side: Side,
    call: InterceptedCall,
    names: CallNames,
    settings: Settings,
    parent: Context,
  ) {
    this.#call = call;
    this.#side = side;
    this.#names = names;
    this.#settings = settings;
    this.#instruments = telemetry.instruments;
    const kind = side === "client" ? SpanKind.CLIENT : SpanKind.SERVER;
    const attributes = startAttributes(call, side, names, settings);
    this.span = telemetry.tracer.startSpan(names.name, { kind, attributes, startTime: this.#startedAt }, parent);
    this.context = trace.setSpan(parent, this.span);
  }

  /** A request was sent or received. */
  request(message: Message): void {
    this.#message(message, this.#call.method.input, ++this.#requests, this.#side === "client", "requestSize");
  }

  /** A response was sent or received. */
  response(message: Message): void {
    this.#message(message, this.#call.method.output, ++this.#responses, this.#side === "server", "responseSize");
  }

  /** The call came to its end without an error. @param code Other than 0 where its reader left. */
  end(code: StatusCode = 0): void {
    this.#end(code, undefined, undefined);
  }

  /** The call failed. */
  fail(thrown: unknown): void {
    if (this.#over) return;
    const error = RpcError.from(thrown);
    this.#end(error.code, error, thrown);
  }

  #end(code: StatusCode, error: RpcError | undefined, thrown: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const durationMs = performance.now() - this.#startedAt;
    const failed = error !== undefined && (this.#side === "client" || isServerFault(code));
    const names = endNames(this.#names, code, failed, this.#settings);
    const { span } = this;
    if (span.isRecording()) {
      span.setAttributes(names.span);
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR, message: error.rawMessage });
      // What a handler threw that was meant for nobody: the code alone says nothing of it.
      if (failed && this.#side === "server" && !(thrown instanceof RpcError)) span.recordException(exception(thrown));
      guard(() => this.#settings.onEnd?.(span, this.#call, { code, error, durationMs }));
    }
    // So that the span's duration is the metric's.
    span.end(this.#startedAt + durationMs);
    const instruments = this.#instruments;
    if (instruments === undefined) return;
    instruments.duration?.record(durationMs / 1000, names.metric, this.context);
    instruments.oldDuration?.record(durationMs, names.oldMetric, this.context);
    instruments.requests?.record(this.#requests, names.metric, this.context);
    instruments.responses?.record(this.#responses, names.metric, this.context);
  }

  #message(
    message: Message,
    schema: MessageType,
    id: number,
    sent: boolean,
    metric: "requestSize" | "responseSize",
  ): void {
    if (this.#settings.messageEvents === true && this.span.isRecording()) {
      this.span.addEvent("rpc.message", { "rpc.message.type": sent ? "SENT" : "RECEIVED", "rpc.message.id": id });
    }
    const histogram = this.#instruments?.[metric];
    if (histogram === undefined) return;
    const size = encodedSize(schema, message);
    if (size !== undefined) histogram.record(size, this.#names.metric, this.context);
  }
}

function startAttributes(call: InterceptedCall, side: Side, names: CallNames, settings: Settings): Attributes {
  const peer = side === "server" ? call.context?.peer.address : call.channel?.target;
  const place = peer === undefined ? undefined : peerPlace(peer);
  // A client knows a host's name, not where it leads to; a socket's path it does.
  const reached = side === "server" || place?.port === undefined ? place : undefined;
  const { attributes, metadataKeys } = settings;
  if (reached === undefined && attributes === undefined && metadataKeys.length === 0) return names.span;
  const all: Attributes = { ...names.span };
  if (reached !== undefined) {
    all[attr.peerAddress] = reached.address;
    if (reached.port !== undefined) all[attr.peerPort] = reached.port;
  }
  for (const key of metadataKeys) {
    const values = call.metadata.getAll(key);
    if (values.length > 0) all[`rpc.request.metadata.${key}`] = values;
  }
  if (attributes !== undefined)
    Object.assign(
      all,
      guard(() => attributes(call, side)),
    );
  return all;
}

function encodedSize(schema: MessageType, message: Message): number | undefined {
  try {
    codecFor(schema).encode(message, counting);
    return counting.length;
  } catch {
    // It cannot be sent either, and the call will say so.
    return undefined;
  } finally {
    counting.rollback(0, 0, 0);
  }
}

/** Runs what the user gave: a fault in there is told to whoever looks after telemetry, not to the call. */
function guard<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    diag.error("@guestwire/otel: a function given to otel() failed", error);
    return undefined;
  }
}

function exception(thrown: unknown): Error | string {
  return thrown instanceof Error ? thrown : RpcError.from(thrown).rawMessage;
}

/** The code of a call that its reader left. */
export const left: Code = Code.Canceled;
