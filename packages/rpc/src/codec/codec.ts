// Message codecs compiled from protobuf-es descriptors: what transports use instead of toBinary and fromBinary.
// Loads nothing of @bufbuild/protobuf at run time. Equal to it in every bit but where docs/codec.md says otherwise: values of
// another type are refused, not converted; null counts as not set; unknown fields are dropped unless asked for.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { CodecError, DecodeFault } from "./codec-error.js";
import { factoryOf } from "./create.js";
import { cursor } from "./cursor.js";
import { decodePlan } from "./decode.js";
import { type DecodePlan, readMessage } from "./decode-message.js";
import { encodePlan } from "./encode.js";
import { type EncodePlan, encodeMessage } from "./encode-message.js";
import { Sink } from "./sink.js";

/** Encodes and decodes one message type, on protobuf-es' own message objects. */
export interface Codec<D extends DescMessage = DescMessage> {
  /** The message type. */
  readonly schema: D;
  /**
   * Appends the encoded message (a message, or an init of one) to a sink: the bytes that protobuf-es would write.
   * Members that are `undefined` or `null` count as not set. The message's `$unknown` fields are written too.
   *
   * @throws {CodecError} When a value does not fit its field; the sink is then as it was.
   */
  encode(message: MessageInitShape<D>, sink: Sink): void;
  /**
   * Decodes `bytes[start..end)` to the message that protobuf-es would give. `bytes` fields are plain arrays: copies, or
   * views of `bytes` where a field takes a quarter or more of the memory behind it.
   *
   * @throws {CodecError} When the bytes are no such message.
   */
  decode(bytes: Uint8Array, start: number, end: number): MessageShape<D>;
  /** Makes a message of an init; a message of the type is returned as it is. */
  create(init?: MessageInitShape<D>): MessageShape<D>;
  /**
   * Encodes into an array of its own.
   *
   * @throws {CodecError} When a value does not fit its field.
   */
  toBytes(message: MessageInitShape<D>): Uint8Array;
}

/** What is not the same for all codecs of a message type. */
export interface CodecOptions {
  /**
   * Whether `decode` keeps fields that the schema does not have, in `$unknown`, as protobuf-es does by default.
   * Default: false. Kept, they cost a peer nothing to send and us over 80 times their size in memory (4 MiB: 342 MB), so
   * keep them only for who passes messages on: proxies, and users of extensions.
   */
  readonly keepUnknown?: boolean;
}

const dropping = new WeakMap<DescMessage, Codec>();
const keeping = new WeakMap<DescMessage, Codec>();

/** The codec of a message type, compiled at the first call and kept with the schema. */
export function codecFor<D extends DescMessage>(schema: D, options?: CodecOptions): Codec<D> {
  const keepUnknown = options?.keepUnknown === true;
  const codecs = keepUnknown ? keeping : dropping;
  let codec = codecs.get(schema);
  if (codec === undefined) {
    codec = makeCodec(schema, keepUnknown);
    codecs.set(schema, codec);
  }
  return codec as Codec as Codec<D>;
}

function makeCodec(schema: DescMessage, keepUnknown: boolean): Codec {
  const encoding = encodePlan(schema);
  const decoding = decodePlan(schema);
  const factory = factoryOf(schema);
  return {
    schema,
    encode: (message, sink) => encodeInto(encoding, message, sink),
    decode: (bytes, start, end) => decodeFrom(decoding, bytes, start, end, keepUnknown) as MessageShape<DescMessage>,
    create: (init) => factory.create(init) as MessageShape<DescMessage>,
    toBytes: (message) => encodeAlone(encoding, message),
  };
}

function encodeInto(plan: EncodePlan, message: unknown, sink: Sink): void {
  const at = sink.at;
  const attachments = sink.attachments.length;
  const attached = sink.attached;
  try {
    encodeMessage(plan, sink, message);
  } catch (error) {
    sink.rollback(at, attachments, attached);
    throw error instanceof RangeError ? tooDeep(plan, error) : error;
  }
}

/** Messages may be nested at will when encoded, until the stack ends; then they most likely contain themselves. */
function tooDeep(plan: EncodePlan, cause: RangeError): CodecError {
  return new CodecError(`cannot encode ${plan.typeName}: ${cause.message}`, { cause });
}

/** Memory that `toBytes` encodes into, as allocating costs more than encoding. Away while in use: a getter may encode too. */
let scratch: Sink | undefined;
/** Larger memory than this is not kept. */
const scratchSize = 65536;

function encodeAlone(plan: EncodePlan, message: unknown): Uint8Array {
  const sink = scratch ?? new Sink(Buffer.allocUnsafeSlow(4096));
  scratch = undefined;
  try {
    encodeInto(plan, message, sink);
    return sink.toBytes();
  } finally {
    if (sink.buffer.length <= scratchSize) {
      sink.rollback(0, 0, 0);
      scratch = sink;
    }
  }
}

function decodeFrom(plan: DecodePlan, bytes: Uint8Array, start: number, end: number, keepUnknown: boolean): unknown {
  if (!(start >= 0 && start <= end && end <= bytes.length)) {
    throw new CodecError(`cannot decode ${plan.desc.typeName}: [${start}, ${end}) is not within ${bytes.length} bytes`);
  }
  cursor.depth = 0;
  cursor.keepUnknown = keepUnknown;
  const message = plan.zero();
  try {
    readMessage(plan, message, bytes, start, end, end);
  } catch (error) {
    throw decodeError(plan, error, start, end);
  }
  return message;
}

function decodeError(plan: DecodePlan, error: unknown, start: number, end: number): CodecError {
  const what = `cannot decode ${plan.desc.typeName} from ${end - start} bytes`;
  if (!(error instanceof DecodeFault)) return new CodecError(`${what}: ${String(error)}`, { cause: error });
  const field = error.path.length === 0 ? "" : ` (field ${error.path.reverse().join(".")})`;
  return new CodecError(`${what}: ${error.cause} at offset ${error.at - start}${field}`);
}
