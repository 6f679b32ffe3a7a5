// The binary messages that the suite sends, good and bad, each once. For tests.
import { type DescMessage, fromBinary, type Message, type Registry } from "@bufbuild/protobuf";
import type { SuiteCase } from "./recording.js";

/** A message of the suite. */
export interface Payload {
  /** The first test that sends it. */
  readonly name: string;
  readonly type: DescMessage;
  readonly bytes: Uint8Array;
}

/** The different binary messages of the suite's tests. */
export function payloadsOf(registry: Registry, cases: readonly SuiteCase[]): Payload[] {
  const requestType = registry.getMessage("conformance.ConformanceRequest") as DescMessage;
  const payloads = new Map<string, Payload>();
  for (const { name, request } of cases) {
    const { payload, messageType } = fromBinary(requestType, request) as Message & {
      payload: { case?: string; value?: unknown };
      messageType: string;
    };
    if (payload.case !== "protobufPayload") continue;
    const bytes = payload.value as Uint8Array;
    const key = `${messageType} ${Buffer.from(bytes).toString("latin1")}`;
    if (!payloads.has(key)) payloads.set(key, { name, type: registry.getMessage(messageType) as DescMessage, bytes });
  }
  return [...payloads.values()];
}
