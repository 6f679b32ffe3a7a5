import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { ProcessOutput } from "../../process/process-output.js";
import { followerPieces } from "../limits.js";
import { gather } from "../ross.test.support.js";
import { OutputHub, type OutputSink, type Piece } from "./output-hub.js";

function outputs() {
  const changes = { stdout: 0, stderr: 0 };
  const stdout: ProcessOutput = new ProcessOutput(() => void changes.stdout++);
  const stderr: ProcessOutput = new ProcessOutput(() => void changes.stderr++);
  return { stdout, stderr, changes };
}
const texts = (pieces: AsyncIterable<Piece>) => gather(pieces, ({ stream, data }) => `${stream} ${Buffer.from(data)}`);

test("every follower gets what it wants, in the order of its coming, and the end", async () => {
  const { stdout, stderr } = outputs();
  const hub = new OutputHub({ stdout, stderr });
  const [all, errors] = [hub.follow({ stalls: true }), hub.follow({ stalls: false, streams: ["stderr"] })];
  stdout.push(Buffer.from("1"));
  stderr.push(Buffer.from("2"));
  stdout.push(Buffer.from("3"));
  stdout.end();
  expect(hub.ended).toBe(false);
  stderr.end();
  await hub.done;
  expect(await texts(all)).toEqual(["stdout 1", "stderr 2", "stdout 3"]);
  expect(await texts(errors)).toEqual(["stderr 2"]);
  expect(await texts(hub.follow({ stalls: true }))).toEqual([]);
});

test("a follower that stalls stops the flow and loses nothing, of either stream", async () => {
  const { stdout, stderr, changes } = outputs();
  const hub = new OutputHub({ stdout, stderr });
  const follower = hub.follow({ stalls: true });
  for (let sent = 0; sent < followerPieces; sent++) {
    expect(stdout.flowing).toBe(true);
    stdout.push(Buffer.from("o"));
  }
  expect([stdout.flowing, stderr.flowing]).toEqual([false, false]);
  // What the other pipe had read already.
  stderr.push(Buffer.from("late"));
  expect((await follower.next()).value).toMatchObject({ stream: "stdout" });
  expect(stdout.flowing).toBe(false);
  await follower.next();
  expect([stdout.flowing, changes.stdout > 0, changes.stderr > 0]).toEqual([true, true, true]);
  stdout.end();
  stderr.end();
  expect((await texts(follower)).at(-1)).toBe("stderr late");
});

test("a follower that does not stall is ended when it is behind", async () => {
  const { stdout } = outputs();
  const hub = new OutputHub({ stdout });
  const follower = hub.follow({ stalls: false });
  for (let sent = 0; sent <= followerPieces; sent++) {
    expect(stdout.flowing).toBe(true);
    stdout.push(Buffer.from("o"));
  }
  for (let read = 0; read < followerPieces; read++) expect((await follower.next()).done).toBe(false);
  expect((await errorOf(follower)).code).toBe(Code.ResourceExhausted);
});

test("a follower who leaves, or was never there, holds up nobody", async () => {
  const { stdout } = outputs();
  const hub = new OutputHub({ stdout });
  const control = new AbortController();
  const follower = hub.follow({ stalls: true, signal: control.signal });
  hub.follow({ stalls: true, signal: AbortSignal.abort() });
  for (let sent = 0; sent < followerPieces; sent++) stdout.push(Buffer.from("o"));
  expect(stdout.flowing).toBe(false);
  control.abort();
  expect(stdout.flowing).toBe(true);
  expect((await follower.next()).done).toBe(true);
});

test("the sink gets everything, sets the pace, and hears the end once", () => {
  const { stdout, stderr, changes } = outputs();
  const seen: string[] = [];
  let room = true;
  let roomMade = (): void => {};
  const sink: OutputSink = {
    get hasRoom() {
      return room;
    },
    onRoom: (call) => {
      roomMade = call;
    },
    append: (stream, data) => void seen.push(`${stream} ${Buffer.from(data)}`),
    end: () => void seen.push("end"),
  };
  new OutputHub({ stdout, stderr }, sink);
  stdout.push(Buffer.from("1"));
  room = false;
  expect(stdout.flowing).toBe(false);
  room = true;
  changes.stdout = 0;
  roomMade();
  expect(changes.stdout).toBe(1);
  stderr.end();
  stdout.end();
  expect(seen).toEqual(["stdout 1", "end"]);
});
