// The bytes of known frames, and the table of numbers, against facts about real agents.
import { readFileSync } from "node:fs";
import {
  AgentPingRequestSchema,
  AgentPingResponseSchema,
  AgentService,
  RuntimeEnsureRequestSchema,
} from "@guestwire/agent";
import { codecFor } from "@guestwire/rpc/codec";
import { ExecOutputSchema, SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import { describe, expect, test } from "vitest";
import { encodeFrameError } from "./error-frame.js";
import { frameMethodByNumber, frameMethodOf, frameMethods, isKnownNumber, numberText } from "./numbers.js";
import { frameBytes } from "./raw-peer.test.support.js";

interface Facts {
  readonly methods: { rpc: string; request: number; reply: number; stream: boolean; since: string }[];
  readonly numbers: number[];
  readonly vectors: Record<string, string>;
}

const facts = JSON.parse(readFileSync(new URL("../testdata/frames.json", import.meta.url), "utf8")) as Facts;
const ping = codecFor(AgentPingRequestSchema);

const made: Record<string, Buffer> = {
  "ping request, no trace": frameBytes(0x0001, ping.toBytes({ message: "ping" })),
  'ping request, trace "t1", timestamp 1700000000': frameBytes(
    0x0001,
    ping.toBytes({ message: "ping", timestampSecs: 1_700_000_000n }),
    "t1",
  ),
  'ping response "pong", version 0.4.1, trace "t1"': frameBytes(
    0x1001,
    codecFor(AgentPingResponseSchema).toBytes({ message: "pong", version: "0.4.1" }),
    "t1",
  ),
  "get system info request (empty payload)": frameBytes(0x0002),
  "ensure runtime request start_if_needed": frameBytes(
    0x0003,
    codecFor(RuntimeEnsureRequestSchema).toBytes({ startIfNeeded: true }),
  ),
  'error 400 "bad"': frameBytes(0xffff, encodeFrameError(400, "bad")),
  'exec stdin "ls\\n"': frameBytes(0x0033, "ls\n"),
  "exec stdin end": frameBytes(0x0033),
  "exec output last, exit 3": frameBytes(
    0x1036,
    codecFor(ExecOutputSchema).toBytes({ stream: "exit", exitCode: 3, done: true }),
  ),
};

describe("vectors", () => {
  test("there is a frame of ours for each, and no other", () => {
    expect(Object.keys(made).sort()).toEqual(Object.keys(facts.vectors).sort());
  });

  test.each(Object.entries(facts.vectors))("%s", (name, hex) => {
    expect(made[name]?.toString("hex")).toBe(hex);
  });
});

describe("the table of numbers", () => {
  test("has the same methods, numbers and streams as the facts", () => {
    const ours = frameMethods.map(({ path, request, reply, shape, since014 }) => ({
      rpc: path.slice(1),
      request,
      reply,
      stream: shape !== "one",
      since: since014 ? "0.1.4" : "after 0.1.4",
    }));
    expect(ours).toEqual(facts.methods);
  });

  test("knows each number of the facts and no other", () => {
    const known = Array.from({ length: 0x10001 }, (_, number) => number).filter(isKnownNumber);
    expect(known).toEqual([...facts.numbers].sort((a, b) => a - b));
  });

  test("has every method of the three services, of the right kind", () => {
    for (const service of [AgentService, SandboxService, SandboxSnapshotService]) {
      for (const method of service.methods) {
        const kinds = { one: "unary", run: "server_streaming", exec: "bidi_streaming", events: "server_streaming" };
        expect(kinds[frameMethodOf(method)?.shape ?? "one"], method.name).toBe(method.methodKind);
        expect(frameMethodByNumber(frameMethodOf(method)?.request ?? -1)?.path).toBe(
          `/${service.typeName}/${method.name}`,
        );
      }
    }
  });

  test("writes numbers as people do", () => {
    expect([0, 0x31, 0xffff, 0x12345].map(numberText)).toEqual(["0x0000", "0x0031", "0xffff", "0x12345"]);
  });
});
