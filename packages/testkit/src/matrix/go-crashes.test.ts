// What ends the process of a Go server, with raw frames, for reporting upstream; and what does not. That our client sends none
// of it is checked in every case of the matrix (`wrongFrames`).
import { create, toBinary } from "@bufbuild/protobuf";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { describe, expect, test } from "vitest";
import { type RawFrame, rawFrame, rawType } from "../frames.js";
import { EchoRequestSchema, EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { goProgram } from "../go-tools.js";
import { type RawPeer, rawConnect } from "../raw-peer.js";
import { tempFolder } from "../temp-folder.js";
import { type PeerProcess, startPeer } from "./peer-process.js";

const versions = {
  "1.2.10": () => goProgram("ttrpc-peer"),
  "1.2.4": () => goProgram("ttrpc-peer", { modfile: "ttrpc-1.2.4.mod" }),
  "1.1.2": () => goProgram(".", { module: "go-ttrpc-1.1" }),
};

const message = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "x" }));
const request = (id: number, method: string, flags = 0): RawFrame =>
  rawFrame(id, rawType.request, flags, toBinary(RequestSchema, create(RequestSchema, { service, method })));
const service = EchoService.typeName;

/** Frames on an id, none of which a client of that id has any business to send. */
const strays: Record<string, (id: number) => RawFrame> = {
  "a message": (id) => rawFrame(id, rawType.data, 0, message),
  "the end of requests": (id) => rawFrame(id, rawType.data, 5),
  "a cancellation of ours": (id) => rawFrame(id, rawType.data, 7),
};

type End = "crashes" | "answers" | "ignores";
const unary: Record<keyof typeof versions, Record<string, End>> = {
  "1.2.10": { "a message": "crashes", "the end of requests": "crashes", "a cancellation of ours": "crashes" },
  "1.2.4": { "a message": "crashes", "the end of requests": "crashes", "a cancellation of ours": "crashes" },
  "1.1.2": { "a message": "ignores", "the end of requests": "ignores", "a cancellation of ours": "ignores" },
};
const late: Partial<typeof unary> = {
  "1.2.10": { "a message": "answers", "the end of requests": "answers", "a cancellation of ours": "answers" },
  "1.2.4": { "a message": "crashes", "the end of requests": "crashes", "a cancellation of ours": "crashes" },
};

/** Starts a server, lets the test bring a call to where the frame is stray, sends it and sees what becomes of the server. */
async function sendStray(
  program: string,
  before: (raw: RawPeer, process: PeerProcess) => Promise<number>,
  stray: (id: number) => RawFrame,
): Promise<End> {
  await using folder = await tempFolder();
  const path = folder.file("p.sock");
  await using process = startPeer(program, ["server", path]);
  await process.said("listening");
  await using raw = await rawConnect(path);
  const id = await before(raw, process);
  // The answer to a call behind it shows that the server went on.
  raw.send(stray(id), request(id + 2, "Echo"));
  for (let answered = false; ; answered = true) {
    const frame = await raw.next().catch(() => undefined);
    if (frame === undefined) {
      const { code, errors } = await process.exited;
      // It may have logged something before.
      expect([code, /^panic:/m.exec(errors)?.[0]]).toEqual([2, "panic:"]);
      return "crashes";
    }
    if (frame.id === id + 2) return answered ? "answers" : "ignores";
  }
}

describe.each(Object.entries(versions))("Go ttrpc %s", async (version, build) => {
  const program = await build();
  const strayUnary = Object.entries(unary[version as keyof typeof versions]);
  test.for(strayUnary)("%s on a unary call that runs: the server %s", async ([name, end], context) => {
    if (program === undefined) return context.skip();
    const running = async (raw: RawPeer, process: PeerProcess): Promise<number> => {
      raw.send(request(1, "Hang"));
      await process.said("hanging");
      return 1;
    };
    expect(await sendStray(program, running, strays[name] as () => RawFrame)).toBe(end);
  });

  const strayLate = Object.entries(late[version as keyof typeof versions] ?? {});
  test.for(strayLate)("%s on a stream that the server has ended: the server %s", async ([name, end], context) => {
    if (program === undefined) return context.skip();
    const ended = async (raw: RawPeer): Promise<number> => {
      raw.send(request(1, "Split", 1));
      expect(await raw.next()).toMatchObject({ id: 1, type: rawType.data, flags: 5 });
      // The server takes the stream from its table just behind that frame: a second call's answer comes after it.
      raw.send(request(3, "Echo"));
      await raw.next();
      return 1;
    };
    expect(await sendStray(program, (raw) => ended(raw), strays[name] as () => RawFrame)).toBe(end);
  });
});
