// Frames of the echo service as a peer would send and read them, made with the generated codecs: an oracle of its own.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  EchoRequestSchema,
  EchoResponseSchema,
  EchoService,
  type RawFrame,
  rawFrame,
  rawType,
} from "@guestwire/testkit";
import { KeyValueSchema, RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";

/** The parts of a request that are not the usual ones. */
export interface RequestParts {
  readonly service?: string;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly timeoutNano?: bigint;
  readonly metadata?: readonly (readonly [key: string, value: string])[];
}

/** The data of a Request frame. */
export function requestData(
  method: string,
  { service, payload, timeoutNano, metadata = [] }: RequestParts = {},
): Buffer {
  const request = create(RequestSchema, {
    service: service ?? EchoService.typeName,
    method,
    ...(payload !== undefined && { payload }),
    ...(timeoutNano !== undefined && { timeoutNano }),
    metadata: metadata.map(([key, value]) => create(KeyValueSchema, { key, value })),
  });
  return Buffer.from(toBinary(RequestSchema, request));
}

/** A Request frame. */
export function requestFrame(id: number, method: string, parts: RequestParts = {}): RawFrame {
  return rawFrame(id, rawType.request, parts.flags ?? 0, requestData(method, parts));
}

/** An encoded request of the echo service. */
export function echo(init: MessageInitShape<typeof EchoRequestSchema>): Buffer {
  return Buffer.from(toBinary(EchoRequestSchema, create(EchoRequestSchema, init)));
}

/** A Data frame with a request or response of the echo service, which look the same. */
export function dataFrame(id: number, text: string, flags = 0): RawFrame {
  return rawFrame(id, rawType.data, flags, echo({ text }));
}

/** A Data frame without data. */
export function emptyData(id: number, flags: number): RawFrame {
  return rawFrame(id, rawType.data, flags);
}

/** A Response frame with a message. */
export function responseFrame(id: number, payload: Uint8Array): RawFrame {
  const response = create(ResponseSchema, { payload });
  return rawFrame(id, rawType.response, 0, toBinary(ResponseSchema, response));
}

/** A Response frame with an error. */
export function errorFrame(
  id: number,
  code: number,
  message: string,
  payload: Uint8Array = new Uint8Array(0),
): RawFrame {
  const response = create(ResponseSchema, { status: { code, message }, payload });
  return rawFrame(id, rawType.response, 0, toBinary(ResponseSchema, response));
}

/** What a frame says, for comparison: `response 3: text`, `error 3 on 5: message`, `data 5: text`, `end 5`. */
export function say({ id, type, flags, data }: RawFrame): string {
  if (type === rawType.data) {
    if (data.length === 0 && flags === 5) return `end ${id}`;
    const text = fromBinary(EchoResponseSchema, data).text;
    return `data ${id}: ${text}${flags === 0 ? "" : ` (flags ${flags})`}`;
  }
  if (type !== rawType.response) return `type ${type} on ${id}, flags ${flags}: ${data.toString("hex")}`;
  const { status, payload } = fromBinary(ResponseSchema, data);
  if (status !== undefined && status.code !== 0) return `error ${status.code} on ${id}: ${status.message}`;
  return `response ${id}: ${fromBinary(EchoResponseSchema, payload).text}`;
}
