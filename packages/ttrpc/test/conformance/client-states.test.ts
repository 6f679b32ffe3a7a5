// Every frame in every state of a call, against our client: the table of docs/wire.md, "What the client does".
import { Code, createPushStream, type RpcError } from "@guestwire/rpc";
import { type RawPart, type RawPeer, rawFrame, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, startCalling } from "../support/calling.js";
import { dataFrame, emptyData, errorFrame, responseFrame } from "../support/wire.js";

let calling: Calling;

afterEach(() => calling.end());

/** The call under test has id 1. */
const id = 1;
const limits = { messageBytes: 1000 };

/** What a call gave: texts of messages, `end`, or an error's code and reason. */
type Outcome = string[];

const states = {
  "unary waiting": () => unaryOutcome(calling.client.echo({ text: "u" })),
  "client stream open": () => unaryOutcome(calling.client.join(createPushStream<{ text: string }>())),
  "server stream open": () => streamOutcome(calling.client.split({ count: 1 })),
  "bidi open": () => streamOutcome(calling.client.chat(createPushStream<{ text: string }>())),
} as const;

type State = keyof typeof states;

async function unaryOutcome(call: Promise<{ text: string }>): Promise<Outcome> {
  return call.then(
    ({ text }) => [text],
    (error: RpcError) => [failed(error)],
  );
}

async function streamOutcome(responses: AsyncIterable<{ text: string }>): Promise<Outcome> {
  const outcome: Outcome = [];
  try {
    for await (const { text } of responses) outcome.push(text);
    outcome.push("end");
  } catch (error) {
    outcome.push(failed(error as RpcError));
  }
  return outcome;
}

function failed({ code, rawMessage, reason, method, peer }: RpcError): string {
  expect(method).toMatch(/^\/guestwire\.test\.v1\.EchoService\//);
  expect(peer).toBe("raw:");
  return `${code} ${reason ?? "answer"}: ${rawMessage}`;
}

interface Cell {
  /** What the call gives; `undefined` while it goes on. */
  readonly outcome: Outcome | undefined;
  /** What the server is told, as the frames that the client sends. */
  readonly told?: readonly string[];
}

const goesOn: Cell = { outcome: undefined };
/** The client gives up a stream that the server may think is alive. */
const abandon: Record<State, readonly string[]> = {
  "unary waiting": [],
  "client stream open": ["flags 6: 00"],
  // By guestwire.control.v1 only, which is off here: see channel-cancel.test.ts.
  "server stream open": [],
  "bidi open": ["flags 7: "],
};

type Expectation = (state: State) => Cell;
const streams = (state: State): boolean => state === "server stream open" || state === "bidi open";

/** Ends the call with this outcome; the server knows it. */
const ends =
  (single: Outcome, many: Outcome = single): Expectation =>
  (state) => ({ outcome: streams(state) ? many : single });
/** Fails the call on this side; the server is told where that can be done. */
const fails =
  (code: number, reason: string, message: string): Expectation =>
  (state) => ({ outcome: [`${code} ${reason}: ${message}`], told: abandon[state] });
/** Only streams of responses take this. */
const onlyStreams =
  (cell: Cell): Expectation =>
  (state) =>
    streams(state) ? cell : fails(Code.Internal, "protocol", "the server sent data on a call with one response")(state);

const rows: Record<string, { readonly frames: readonly RawPart[]; readonly cell: Expectation }> = {
  "Response OK with a message": {
    frames: [responseFrame(id, dataFrame(id, "r").data)],
    cell: ends(["r"], ["r", "end"]),
  },
  "Response OK without anything, as Go sends it": { frames: [rawFrame(id, 2, 0)], cell: ends([""], ["end"]) },
  "Response OK with an empty status, as Rust sends it": {
    frames: [rawFrame(id, 2, 0, "0a00")],
    cell: ends([""], ["end"]),
  },
  "Response with flags": { frames: [rawFrame(id, 2, 0xff, "0a00")], cell: ends([""], ["end"]) },
  "Response with an error": {
    frames: [errorFrame(id, 5, "gone")],
    cell: ends(["5 answer: gone"]),
  },
  "Response with an error and a payload": {
    frames: [errorFrame(id, 5, "gone", Buffer.from("0a0161", "hex"))],
    cell: ends(["5 answer: gone"]),
  },
  "Response with a code that is none": {
    frames: [rawFrame(id, 2, 0, "0a0308c801")],
    cell: ends(["2 answer: "]),
  },
  "Response that cannot be read": {
    frames: [rawFrame(id, 2, 0, "0aff")],
    cell: fails(Code.Internal, "protocol", "the response cannot be read: truncated at offset 12"),
  },
  "Response whose message cannot be decoded": {
    frames: [responseFrame(id, Buffer.from("0a", "hex"))],
    cell: (state) => ({
      outcome: [expect.stringMatching(/^13 protocol: the response cannot be decoded: /) as string],
      told: abandon[state],
    }),
  },
  "two Responses": {
    frames: [responseFrame(id, dataFrame(id, "r").data), errorFrame(id, 3, "late")],
    cell: ends(["r"], ["r", "end"]),
  },
  "Data with a message": { frames: [dataFrame(id, "d")], cell: onlyStreams(goesOn) },
  "Data without flags, N=0: an empty message": { frames: [emptyData(id, 0)], cell: onlyStreams(goesOn) },
  "Data ND, no RC: an empty message, as to Go": { frames: [emptyData(id, 4)], cell: onlyStreams(goesOn) },
  "Data RC + payload": { frames: [dataFrame(id, "d", 1)], cell: onlyStreams({ outcome: ["d", "end"] }) },
  "Data RC, N=0, no ND": { frames: [emptyData(id, 1)], cell: onlyStreams({ outcome: ["", "end"] }) },
  "Data RC+ND": { frames: [emptyData(id, 5)], cell: onlyStreams({ outcome: ["end"] }) },
  "Data RC+ND + payload": { frames: [dataFrame(id, "d", 5)], cell: onlyStreams({ outcome: ["d", "end"] }) },
  "Data, then an error": {
    frames: [dataFrame(id, "d"), errorFrame(id, 9, "broken")],
    cell: (state) => (streams(state) ? { outcome: ["d", "9 answer: broken"] } : onlyStreams(goesOn)(state)),
  },
  "Data, then an OK Response as the end": {
    frames: [dataFrame(id, "d"), rawFrame(id, 2, 0)],
    cell: (state) => (streams(state) ? { outcome: ["d", "end"] } : onlyStreams(goesOn)(state)),
  },
  "Data behind the end": {
    frames: [emptyData(id, 5), dataFrame(id, "late")],
    cell: onlyStreams({ outcome: ["end"] }),
  },
  "Data that cannot be decoded": {
    frames: [rawFrame(id, 3, 0, "0aff")],
    cell: (state) =>
      streams(state)
        ? {
            outcome: [expect.stringMatching(/^13 protocol: the response cannot be decoded: /) as string],
            told: abandon[state],
          }
        : onlyStreams(goesOn)(state),
  },
  "Response over the limit": {
    frames: [rawFrame(id, 2, 0, Buffer.alloc(1001))],
    cell: fails(Code.ResourceExhausted, "oversize", "the server sent a message of 1001 bytes; the limit is 1000"),
  },
  "Data over the limit": {
    frames: [rawFrame(id, 3, 0, Buffer.alloc(1001))],
    cell: fails(Code.ResourceExhausted, "oversize", "the server sent a message of 1001 bytes; the limit is 1000"),
  },
  Request: {
    frames: [rawFrame(id, 1, 0, "0a0161")],
    cell: fails(Code.Internal, "protocol", "the server sent a request on the call's stream"),
  },
  "type 0": { frames: [rawFrame(id, 0, 0, "0a00")], cell: () => goesOn },
  "an unknown type": { frames: [rawFrame(id, 0xff, 5, "0a00")], cell: () => goesOn },
  "a Response on an unknown stream": { frames: [responseFrame(99, Buffer.alloc(0))], cell: () => goesOn },
  "a Response on an even stream": { frames: [responseFrame(0, Buffer.alloc(0))], cell: () => goesOn },
  "Data over the limit on an unknown stream": {
    frames: [rawFrame(99, 3, 0, Buffer.alloc(5000))],
    cell: () => goesOn,
  },
};

const cells = Object.entries(rows).flatMap(([row, { frames, cell }]) =>
  (Object.keys(states) as State[]).map((state) => ({ row, state, frames, cell: cell(state) })),
);

/** The texts that the frames before a call's regular end gave to its reader. */
const before: Record<string, string[]> = {
  "Data with a message": ["d"],
  "Data without flags, N=0: an empty message": [""],
  "Data ND, no RC: an empty message, as to Go": [""],
};

/** Makes a call on the same connection, to see that it is as it was. */
async function callOn(peer: RawPeer, number: number): Promise<void> {
  const call = calling.client.echo({ text: "still" });
  const request = await peer.next();
  expect([request.id, request.type]).toEqual([number, 1]);
  peer.send(responseFrame(number, dataFrame(number, "there").data));
  expect((await call).text).toBe("there");
}

describe("the client", () => {
  test.each(cells)("$row | $state", async ({ row, state, frames, cell }) => {
    calling = startCalling({ limits, control: false });
    let outcome: Outcome | undefined;
    const call = states[state]().then((given) => {
      outcome = given;
    });
    const peer = await calling.peer();
    expect((await peer.next()).id).toBe(id);
    peer.send(...frames);
    await turns();
    if (cell.outcome !== undefined) await call;
    expect(outcome).toEqual(cell.outcome);
    for (const told of cell.told ?? []) {
      const frame = await peer.next();
      expect([frame.id, frame.type, `flags ${frame.flags}: ${frame.data.toString("hex")}`]).toEqual([id, 3, told]);
    }
    // Nothing else was sent, and the connection serves on.
    await callOn(peer, 3);
    if (outcome === undefined) {
      peer.send(streams(state) ? emptyData(id, 5) : responseFrame(id, Buffer.alloc(0)));
      await call;
      expect(outcome).toEqual(streams(state) ? [...(before[row] ?? []), "end"] : [""]);
    }
  });
});
