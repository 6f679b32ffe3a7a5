// The envelopes that are read by hand, against the generated code of protobuf-es.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@guestwire/rpc";
import { readStatus, type Status, WireError } from "@guestwire/rpc/transport";
import { KeyValueSchema, RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";
import { EnvelopeLimitError, RequestEnvelope, ResponseEnvelope, readMetadata } from "../../../../ttrpc/src/envelope.js";
import { defaultLimits } from "../../../../ttrpc/src/limits.js";
import { unhex } from "../../frames.js";
import { judge, type PlainVerdict } from "../plain-wire.js";
import { attempt, check, type FuzzTarget } from "../target.js";

const wire = (error: unknown): boolean => error instanceof WireError;
const dictionary = ["0a", "12", "1a", "20", "2a04", "0a00", "1a080a01611203", "22ffffffffffffffffff01", "53", "54"].map(
  unhex,
);

const request = toBinary(
  RequestSchema,
  create(RequestSchema, {
    service: "t.S",
    method: "M",
    payload: Buffer.from("in"),
    timeoutNano: -1n,
    metadata: [create(KeyValueSchema, { key: "K", value: "ä" }), create(KeyValueSchema, { key: "k" })],
  }),
);
const response = toBinary(
  ResponseSchema,
  create(ResponseSchema, {
    status: { code: 5, message: "nö", details: [{ typeUrl: "t/x", value: Buffer.from("0801", "hex") }] },
    payload: Buffer.from("0a0161", "hex"),
  }),
);

/** Bytes between others, which a reader must not look at. */
function between(input: Uint8Array): Buffer {
  const around = Buffer.alloc(input.length + 32, 0x7f);
  around.set(input, 16);
  return around;
}

const detail = { 1: 2, 2: 2 };
const statusFields = { 1: 0, 2: 2, 3: detail };
const requestFields = { 1: 2, 2: 2, 3: 2, 4: 0, 5: { 1: 2, 2: 2 } };
const responseFields = { 1: statusFields, 2: 2 };

type Outcome<T> = { value: T } | { error: Error };

/**
 * Whether our outcome and protobuf-es' can be compared further: both took the bytes. protobuf-es reads a known field of
 * another wire type as if it were its own, where Go and ours take it for unknown; and it reads some messages that are broken
 * inside, where Go and ours refuse them.
 *
 * @throws {FuzzFault} where ours took what is broken, or both disagree on what is plain.
 */
function bothTook<T, U>(verdict: PlainVerdict, ours: Outcome<T>, theirs: () => Outcome<U>): U | undefined {
  if (verdict === "broken") check("error" in ours, () => "took what is broken");
  if (verdict !== "plain") return undefined;
  const other = theirs();
  const say = (one: object): string => ("error" in one ? `refused (${(one.error as Error).message})` : "accepted");
  check("error" in ours === "error" in other, () => `ours ${say(ours)}, theirs ${say(other)}`);
  return "error" in other ? undefined : other.value;
}

export const requestEnvelope: FuzzTarget = {
  name: "request",
  checks: "RequestEnvelope and readMetadata read what protobuf-es reads, or refuse what it refuses",
  seeds: [request, unhex(""), unhex("0a02c328"), unhex("3001 39 0102030405060708 42 03 010203 4d 01020304 53 0801 54")],
  dictionary,
  run(input) {
    const bytes = between(input);
    const envelope = new RequestEnvelope();
    const end = 16 + input.length;
    const ours = attempt(
      () => envelope.read(bytes, 16, end, defaultLimits),
      (error) => wire(error) || error instanceof EnvelopeLimitError,
    );
    if ("error" in ours && ours.error instanceof EnvelopeLimitError) return;
    const theirs = bothTook(judge(input, requestFields), ours, () =>
      attempt(
        () => fromBinary(RequestSchema, input),
        () => true,
      ),
    );
    if (theirs === undefined) return;
    const { service, method, payload, timeoutNano, metadata } = theirs;
    check(service === envelope.service && method === envelope.method, () => "other names");
    check(bytes.subarray(envelope.payloadStart, envelope.payloadEnd).equals(payload), () => "another payload");
    const ms = timeoutNano === 0n ? Number.POSITIVE_INFINITY : Number(timeoutNano) / 1e6;
    check(envelope.timeoutMs === ms, () => `timeout ${envelope.timeoutMs} instead of ${ms}`);
    check(envelope.metadataPairs === metadata.length, () => "another number of pairs");
    if (metadata.length === 0) return;
    const { flat } = readMetadata(bytes, envelope.metadataStart, envelope.metadataEnd);
    const wanted = metadata.flatMap(({ key, value }) => [key.toLowerCase(), value]);
    check(flat.length === wanted.length && flat.every((one, i) => one === wanted[i]), () => "other metadata");
  },
};

export const responseEnvelope: FuzzTarget = {
  name: "response",
  checks: "ResponseEnvelope reads what protobuf-es reads, or refuses what it refuses",
  seeds: [response, unhex(""), unhex("0a00"), unhex("0a0308c801"), unhex("0a02080512020a00")],
  dictionary,
  run(input) {
    const bytes = between(input);
    const envelope = new ResponseEnvelope();
    const ours = attempt(() => envelope.read(bytes, 16, 16 + input.length), wire);
    let statuses = 0;
    const verdict = judge(input, responseFields, (field) => {
      if (field === 1) statuses++;
    });
    const theirs = bothTook(verdict, ours, () =>
      attempt(
        () => fromBinary(ResponseSchema, input),
        () => true,
      ),
    );
    // protobuf-es merges a status that comes twice; ours takes the last one. No peer sends two.
    if (theirs === undefined || statuses > 1) return;
    const { status, payload } = theirs;
    check(bytes.subarray(envelope.payloadStart, envelope.payloadEnd).equals(payload), () => "another payload");
    if (status === undefined || status.code === 0) check(envelope.status === undefined, () => "a status of OK");
    else checkStatus(envelope.status as Status, status);
  },
};

export const status: FuzzTarget = {
  name: "status",
  checks: "readStatus reads what protobuf-es reads, or refuses what it refuses",
  seeds: [unhex("0805 1203 6e c3b6 1a07 0a03742f78 1200"), unhex(""), unhex("08ffffffffffffffffff01")],
  dictionary,
  run(input) {
    const bytes = between(input);
    const ours = attempt(() => readStatus(bytes, 16, 16 + input.length), wire);
    const inStatus = Buffer.concat([unhex("0a"), varint(input.length), input]);
    const theirs = bothTook(judge(input, statusFields), ours, () =>
      attempt(
        () => fromBinary(ResponseSchema, inStatus),
        () => true,
      ),
    );
    if (theirs !== undefined && "value" in ours) checkStatus(ours.value, theirs.status as never);
  },
};

interface TheirStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
}

function checkStatus(ours: Status, theirs: TheirStatus): void {
  const code = theirs.code >= 0 && theirs.code <= 16 ? theirs.code : Code.Unknown;
  check(ours.code === code, () => `code ${ours.code} instead of ${code}`);
  check(ours.message === theirs.message, () => "another message");
  check(ours.details.length === theirs.details.length, () => "another number of details");
  for (const [i, { typeUrl, value }] of ours.details.entries()) {
    const wanted = theirs.details[i];
    check(typeUrl === wanted?.typeUrl && Buffer.compare(value, wanted.value) === 0, () => `detail ${i} is another`);
  }
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.of((value & 0x7f) | 0x80, value >>> 7);
}
