// Metadata in the suite's form, a name with its values, and in ours. Values of `-bin` keys are base64 text in both.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Metadata } from "@guestwire/rpc";
import type { Header, HeaderSchema } from "../gen/connectrpc/conformance/v1/service_pb.js";

/** Headers as pairs, one for each value. */
export function toPairs(headers: readonly Header[]): [key: string, value: string][] {
  return headers.flatMap(({ name, value }) => value.map((one): [string, string] => [name, one]));
}

/** Adds headers to metadata. */
export function append(target: Metadata, headers: readonly Header[]): void {
  for (const [key, value] of toPairs(headers)) target.append(key, value);
}

/** Metadata as headers, each key once. */
export function toHeaders(metadata: Metadata = new Metadata()): MessageInitShape<typeof HeaderSchema>[] {
  const names = new Set([...metadata].map(([key]) => key));
  return [...names].map((name) => ({ name, value: metadata.getAll(name) }));
}
