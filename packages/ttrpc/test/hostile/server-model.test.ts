// Sequences of frames against our server, each answer foretold by a model: what single cells of the table cannot show.
import { echoHandlers, propertySeed, type RawPeer, turns } from "@guestwire/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Serving, startServing } from "../support/serving.js";
import { dataFrame, echo, emptyData, requestFrame, say } from "../support/wire.js";

/** A server as its client sees it: which ids are used, which streams are open. */
interface Model {
  highest: number;
  readonly skipped: Set<number>;
  /** Streams that still run: `chat` answers each message, `hang` takes none. */
  readonly open: Map<number, "chat" | "hang">;
  /** Ids whose late data was answered already. */
  readonly told: Set<number>;
}

interface Real {
  readonly peer: RawPeer;
  readonly serving: Serving;
}

const reused = "StreamID cannot be re-used and must increment";
const odd = (id: number): string[] => [`error 3 on ${id}: StreamID must be odd for client initiated streams`];

/** A frame that the client sends and what the model expects to be answered. */
class Send implements fc.AsyncCommand<Model, Real> {
  readonly #id: number;
  readonly #what: string;

  constructor(id: number, what: string) {
    this.#id = id;
    this.#what = what;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { peer, serving }: Real): Promise<void> {
    const expected = (this.#id & 1) === 0 ? odd(this.#id) : this.#expected(model);
    peer.send(this.#frame());
    await turns(3);
    expect((await peer.untilProbe()).map(say)).toEqual(expected);
    expect(serving.server.runningCalls).toBe(model.open.size);
  }

  toString(): string {
    return `${this.#what} on ${this.#id}`;
  }

  #frame() {
    const id = this.#id;
    switch (this.#what) {
      case "Echo":
        return requestFrame(id, "Echo", { payload: echo({ text: "a" }) });
      case "Chat":
        return requestFrame(id, "Chat", { flags: 6 });
      case "Chat with RC":
        return requestFrame(id, "Chat", { flags: 1 });
      case "Hang":
      case "Nope":
        return requestFrame(id, this.#what);
      case "message":
        return dataFrame(id, "m");
      case "last message":
        return dataFrame(id, "l", 1);
      case "empty message":
        return emptyData(id, 0);
      case "no data":
        return emptyData(id, 4);
      case "end":
        return emptyData(id, 5);
      case "given up":
        return emptyData(id, 7);
      default:
        return { id, type: 2, flags: 0, data: Buffer.from("0a00", "hex") };
    }
  }

  #expected(model: Model): string[] {
    const id = this.#id;
    switch (this.#what) {
      case "Echo":
        return this.#accepted(model) ? [`response ${id}: a`] : [`error 3 on ${id}: ${reused}`];
      case "Nope":
        return this.#accepted(model) ? [`error 12 on ${id}: method Nope`] : [`error 3 on ${id}: ${reused}`];
      case "Chat with RC":
        return this.#accepted(model) ? [`end ${id}`] : [`error 3 on ${id}: ${reused}`];
      case "Chat":
      case "Hang":
        if (!this.#accepted(model)) return [`error 3 on ${id}: ${reused}`];
        model.open.set(id, this.#what === "Chat" ? "chat" : "hang");
        return [];
      case "message":
      case "last message":
      case "empty message":
        return this.#message(model);
      case "end":
        if (model.open.get(id) !== "chat") return [];
        model.open.delete(id);
        return [`end ${id}`];
      case "given up":
        model.open.delete(id);
        return [];
      default:
        return [];
    }
  }

  #message({ open, told }: Model): string[] {
    const id = this.#id;
    const kind = open.get(id);
    const text = this.#what === "empty message" ? "" : this.#what.slice(0, 1);
    if (kind === "chat") {
      if (this.#what !== "last message") return [`data ${id}: ${text}`];
      open.delete(id);
      return [`data ${id}: ${text}`, `end ${id}`];
    }
    // Nothing in it, and nothing new: the call takes no messages.
    if (kind === "hang" && text === "") return [];
    if (told.has(id)) return [];
    told.add(id);
    return [
      `error 3 on ${id}: ${kind === "hang" ? "the call takes no stream of requests" : "StreamID is no longer active"}`,
    ];
  }

  #accepted(model: Model): boolean {
    const id = this.#id;
    if (id <= model.highest) return model.skipped.delete(id);
    for (let low = model.highest + 2; low < id; low += 2) model.skipped.add(low);
    model.highest = id;
    return true;
  }
}

const whats = [
  ...["Echo", "Chat", "Chat", "Chat with RC", "Hang", "Nope", "message", "message", "last message", "empty message"],
  ...["no data", "end", "given up", "response"],
];
const commands = fc
  .tuple(fc.constantFrom(1, 3, 3, 5, 5, 7, 9, 4), fc.constantFrom(...whats))
  .map(([id, what]) => new Send(id, what));

test("any sequence of frames is answered as the model says, and the end leaves nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands([commands], { maxCommands: 30 }), async (sequence) => {
      const serving = startServing(echoHandlers);
      const model: Model = { highest: -1, skipped: new Set(), open: new Map(), told: new Set() };
      try {
        await fc.asyncModelRun(() => ({ model, real: { peer: serving.peer, serving } }), sequence);
        serving.peer.destroy();
        await turns(6);
        expect(serving.server.runningCalls).toBe(0);
      } finally {
        await serving.end();
      }
    }),
    { seed: propertySeed, numRuns: 1000 },
  );
});
