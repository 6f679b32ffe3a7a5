// Every frame in every state of a stream, against our server: the table of docs/wire.md, "What the server does".
import { encodeFrames, type RawPart, rawFrame, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Controlled, controlled, type Serving, startServing } from "../support/serving.js";
import { dataFrame, echo, emptyData, requestData, requestFrame, say } from "../support/wire.js";

let serving: Serving;
let control: Controlled;

afterEach(() => serving.end());

/** The id under test; lower ones were used or skipped by the set-up. */
const id = 5;

/** Brings the stream with id 5 into a state. */
const states = {
  "no entry": async () => {},
  "unary in progress": async () => {
    serving.peer.send(requestFrame(id, "Echo", { payload: echo({ text: "u" }) }));
  },
  "server stream running": async () => {
    serving.peer.send(requestFrame(id, "Split", { flags: 1 }));
  },
  "remote open": async () => {
    serving.peer.send(requestFrame(id, "Chat", { flags: 6 }));
  },
  "remote closed": async () => {
    serving.peer.send(requestFrame(id, "Chat", { flags: 6 }), emptyData(id, 5));
  },
  "handler returned": async () => {
    serving.peer.send(requestFrame(id, "Echo", { payload: echo({ text: "u" }) }));
    await turns();
    control.release();
    await turns();
  },
} as const;

type State = keyof typeof states;

interface Cell {
  /** What the server answers to the frame. */
  readonly answers: readonly string[];
  /** What the handler sees of it. */
  readonly handler?: readonly string[];
  /** What the call still gets when it may go on: nothing where it is over. */
  readonly later: readonly string[];
}

const notActive = "error 3 on 5: StreamID is no longer active";
const reused = "error 3 on 5: StreamID cannot be re-used and must increment";
const noStream = "error 3 on 5: the call takes no stream of requests";
const afterEnd = "error 3 on 5: data came after the stream of requests was closed";
const tooLong = (size: number): string => `error 8 on 5: message length ${size} exceed maximum message size of 1000`;
const undecodable = "error 13 on 5: error unmarshalling payload: ";

/** How each call goes on when the frame changes nothing. */
const goesOn: Record<State, Cell> = {
  "no entry": { answers: [], later: [] },
  "unary in progress": { answers: [], later: ["response 5: u"] },
  "server stream running": { answers: [], later: ["end 5"] },
  "remote open": { answers: [], later: [] },
  "remote closed": { answers: [], later: ["end 5"] },
  "handler returned": { answers: [], later: [] },
};

const answered =
  (...answers: string[]) =>
  (state: State): Cell => ({ ...goesOn[state], answers });
const over = (code: number, ...answers: string[]): Cell => ({ answers, handler: [`chat aborted ${code}`], later: [] });
const unchanged = (state: State): Cell => goesOn[state];

type Expectation = (state: State) => Cell;
const all = (expectation: Expectation): Record<State, Expectation> =>
  Object.fromEntries(Object.keys(states).map((state) => [state, expectation])) as Record<State, Expectation>;

/** Frames for which no stream is there: an answer for the first, whatever comes. */
const ofNoStream = {
  "no entry": answered(notActive),
  "handler returned": answered(notActive),
};
const refusedBeside = {
  "unary in progress": answered(noStream),
  "server stream running": answered(noStream),
};

/** Nobody waits any more. */
const abandoned: Record<State, Expectation> = {
  "no entry": unchanged,
  "handler returned": unchanged,
  "unary in progress": () => ({ answers: [], handler: ["echo aborted 1"], later: [] }),
  "server stream running": () => ({ answers: [], handler: ["split aborted 1"], later: [] }),
  "remote open": () => ({ answers: [], handler: ["chat aborted 1", "chat error 1"], later: [] }),
  "remote closed": () => over(1),
};

const rows: Record<string, { readonly frame: RawPart; readonly cells: Record<State, Expectation> }> = {
  "a new, higher id": {
    frame: requestFrame(9, "Fail", { payload: Buffer.from("0805", "hex") }),
    cells: all(answered("error 12 on 9: method Fail")),
  },
  "Request with the same id": {
    frame: requestFrame(id, "Echo"),
    cells: {
      ...all(answered(reused)),
      "no entry": () => ({ answers: [], handler: ["echo "], later: ["response 5: "] }),
    },
  },
  "Data with a message": {
    frame: dataFrame(id, "x"),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: ["data 5: x"], handler: ["chat got x"], later: [] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data without flags, N=0: an empty message": {
    frame: emptyData(id, 0),
    cells: {
      ...ofNoStream,
      "unary in progress": unchanged,
      "server stream running": unchanged,
      "remote open": () => ({ answers: ["data 5: "], handler: ["chat got "], later: [] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data ND": { frame: emptyData(id, 4), cells: all(unchanged) },
  "Data ND with a payload": {
    frame: dataFrame(id, "x", 4),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: ["data 5: x"], handler: ["chat got x"], later: [] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data RC+ND": {
    frame: emptyData(id, 5),
    cells: { ...all(unchanged), "remote open": () => ({ answers: [], handler: ["chat end"], later: ["end 5"] }) },
  },
  "Data RC, N=0, no ND: an empty message, and the end": {
    frame: emptyData(id, 1),
    cells: {
      ...ofNoStream,
      "unary in progress": unchanged,
      "server stream running": unchanged,
      "remote open": () => ({ answers: ["data 5: "], handler: ["chat got ", "chat end"], later: ["end 5"] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data RC + payload": {
    frame: dataFrame(id, "x", 1),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: ["data 5: x"], handler: ["chat got x", "chat end"], later: ["end 5"] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data RC+ND + payload": {
    frame: dataFrame(id, "x", 5),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: ["data 5: x"], handler: ["chat got x", "chat end"], later: ["end 5"] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data RO+ND+RC: nobody waits any more": { frame: emptyData(id, 7), cells: abandoned },
  "Data RO+ND with a byte that nobody can decode: the same": { frame: rawFrame(id, 3, 6, "00"), cells: abandoned },
  "Data that cannot be decoded": {
    frame: rawFrame(id, 3, 0, "0aff"),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: [undecodable], handler: ["chat aborted 13", "chat error 13"], later: [] }),
      "remote closed": () => over(3, afterEnd),
    },
  },
  "Data over the limit": {
    frame: rawFrame(id, 3, 0, Buffer.alloc(1001)),
    cells: {
      ...ofNoStream,
      ...refusedBeside,
      "remote open": () => ({ answers: [tooLong(1001)], handler: ["chat aborted 8", "chat error 8"], later: [] }),
      "remote closed": () => over(8, tooLong(1001)),
    },
  },
  "Request over the limit": {
    frame: rawFrame(id, 1, 0, Buffer.alloc(1002)),
    cells: all(answered(tooLong(1002))),
  },
  Response: { frame: rawFrame(id, 2, 0, "1200"), cells: all(unchanged) },
  "type 0": { frame: rawFrame(id, 0, 0, "1200"), cells: all(unchanged) },
  "an unknown type": { frame: rawFrame(id, 0xff, 0xff, "1200"), cells: all(unchanged) },
  "the even id before": {
    frame: dataFrame(id - 1, "x"),
    cells: all(answered("error 3 on 4: StreamID must be odd for client initiated streams")),
  },
};

/** What was sent on the stream before the frame under test. */
const opening: Partial<Record<State, string[]>> = {
  "server stream running": ["data 5: first"],
  "handler returned": ["response 5: u"],
};

const cells = Object.entries(rows).flatMap(([row, { frame, cells: byState }]) =>
  Object.entries(byState).map(([state, cell]) => ({ row, state: state as State, frame, cell: cell(state as State) })),
);

test("the table has every frame in every state", () => {
  serving = startServing();
  expect(cells).toHaveLength(Object.keys(rows).length * Object.keys(states).length);
});

describe("the server", () => {
  test.each(cells)("$row | $state", async ({ state, frame, cell }) => {
    control = controlled();
    serving = startServing(control.handlers, { limits: { messageBytes: 1000 } });
    const { peer } = serving;
    await states[state]();
    await turns();
    expect((await peer.untilProbe()).map(say)).toEqual(opening[state] ?? []);
    control.events.length = 0;

    peer.send(frame);
    await turns();
    expect((await peer.untilProbe()).map(say).map(shortened)).toEqual(cell.answers);
    expect(control.events).toEqual(cell.handler ?? []);
    control.release();
    await turns();
    const rest = (await peer.untilProbe()).map(say);
    expect(rest).toEqual(cell.later);

    // Whatever came: the connection serves on, and a call that ends regularly does so.
    peer.send(requestFrame(11, "Chat", { flags: 6 }), dataFrame(11, "still"), emptyData(11, 5));
    expect(say(await peer.next())).toBe("data 11: still");
    await turns();
    control.release();
    expect(say(await peer.next())).toBe("end 11");
    if (state === "remote open" && cell.later.length === 0 && !cell.handler?.some((event) => event.includes("error"))) {
      peer.send(dataFrame(id, "more"), emptyData(id, 5));
      expect(say(await peer.next())).toBe("data 5: more");
      await turns();
      control.release();
      expect(say(await peer.next())).toBe("end 5");
    }
    await turns();
    expect(serving.server.runningCalls).toBe(0);
  });

  test("answers late data once for each stream", async () => {
    control = controlled();
    serving = startServing(control.handlers);
    for (let i = 0; i < 5; i++) serving.peer.send(dataFrame(3, "x"), dataFrame(7, "y"));
    expect((await serving.peer.untilProbe()).map(say)).toEqual([
      "error 3 on 3: StreamID is no longer active",
      "error 3 on 7: StreamID is no longer active",
    ]);
  });

  test("a request over the limit does not use its id up", async () => {
    control = controlled();
    serving = startServing(control.handlers, { limits: { messageBytes: 1000 } });
    serving.peer.send(rawFrame(5, 1, 0, Buffer.alloc(1001)), requestFrame(3, "Echo", { payload: echo({ text: "a" }) }));
    expect(say(await serving.peer.next())).toBe(tooLong(1001));
    await turns();
    serving.peer.send(requestFrame(5, "Echo", { payload: echo({ text: "b" }) }));
    await turns();
    control.release();
    expect((await serving.peer.take(2)).map(say)).toEqual(["response 3: a", "response 5: b"]);
  });

  test.each([
    [1000, false],
    [1001, true],
  ])("a request of %i bytes, where 1,000 are the limit", async (size, refused) => {
    control = controlled();
    serving = startServing(control.handlers, { limits: { messageBytes: 1000 } });
    const bare = requestData("Echo", { payload: Buffer.alloc(200) }).length;
    const frame = requestFrame(1, "Echo", { payload: echo({ text: "x".repeat(200 + size - bare - 3) }) });
    expect(frame.data).toHaveLength(size);
    serving.peer.send(encodeFrames([frame]));
    await turns();
    control.release();
    expect(say(await serving.peer.next())).toMatch(refused ? /^error 8/ : /^response 1: xxx/);
  });
});

function shortened(text: string): string {
  return text.startsWith(undecodable) ? undecodable : text;
}
