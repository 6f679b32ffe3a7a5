import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { logLineBytes, logPendingBytes } from "../limits.js";
import { gather } from "../ross.test.support.js";
import { ContainerLog } from "./container-log.js";
import { decodeEntry, encodeEntry, LineCutter, type LogEntry } from "./log-entry.js";
import { readLog } from "./log-reader.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-log-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const small = { segmentBytes: 100, segments: 3 };
const textOf = ({ data }: LogEntry): string => Buffer.from(data).toString();
const texts = (log: ContainerLog, query = {}) => gather(readLog(log, query), textOf);

test("an entry is the same on disk, whatever bytes it holds", () => {
  const data = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10);
  for (const stream of ["stdout", "stderr"] as const) {
    for (const partial of [true, false]) {
      const encoded = encodeEntry({ at: 123, stream, partial, data });
      expect(encoded.at(-1)).toBe(10);
      expect(decodeEntry(encoded.subarray(0, -1))).toEqual({ at: 123, stream, partial, data: Buffer.from(data) });
    }
  }
  for (const broken of ["", "x", "12", "12 o", "12 x= a", "12 o?a"])
    expect(decodeEntry(Buffer.from(broken))).toBeUndefined();
});

test("a line is cut at the bound, not below it, and not inside of a character", () => {
  const cut = (text: string) => {
    const cutter = new LineCutter("stdout");
    return [...cutter.push(Buffer.from(`${text}\n`), 1), ...cutter.end(1)].map((entry) => [
      entry.partial,
      entry.data.length,
    ]);
  };
  expect(cut("x".repeat(logLineBytes - 1))).toEqual([[false, logLineBytes - 1]]);
  expect(cut("x".repeat(logLineBytes))).toEqual([[false, logLineBytes]]);
  expect(cut("x".repeat(logLineBytes + 1))).toEqual([
    [true, logLineBytes],
    [false, 1],
  ]);
  expect(cut(`${"x".repeat(logLineBytes - 1)}é`)).toEqual([
    [true, logLineBytes - 1],
    [false, 2],
  ]);
  const cutter = new LineCutter("stderr");
  expect(cutter.push(Buffer.from("no end"), 1)).toEqual([]);
  expect(Buffer.from(cutter.rest).toString()).toBe("no end");
  expect(cutter.end(2)).toMatchObject([{ at: 2, partial: true, stream: "stderr" }]);
  expect(cutter.end(3)).toEqual([]);
});

test("the oldest file goes when one more is begun; what is left is whole lines", async () => {
  const log = await ContainerLog.open(folder, small);
  for (let line = 0; line < 100; line++) log.append("stdout", Buffer.from(`line ${line}\n`), 1);
  await log.flushed();
  expect(await readdir(folder)).toHaveLength(3);
  const left = await texts(log);
  expect(left.at(-1)).toBe("line 99");
  expect(left).toEqual(Array.from({ length: left.length }, (_, index) => `line ${100 - left.length + index}`));
  await log.close();
});

test("a log that is opened again goes on behind what was there, also behind half an entry", async () => {
  const first = await ContainerLog.open(folder, small);
  first.append("stdout", Buffer.from("before\n"), 1);
  await first.close();
  const [name = ""] = await readdir(folder);
  await writeFile(join(folder, name), "1 o= torn", { flag: "a" });
  const second = await ContainerLog.open(folder, small);
  second.append("stdout", Buffer.from("after\n"), 1);
  expect(await texts(second)).toEqual(["before", "after"]);
  expect(await texts(second, { tail: 1 })).toEqual(["after"]);
  await second.close();
});

test("who writes asks for room, and is told when there is some", async () => {
  const log = await ContainerLog.open(folder);
  const room = Promise.withResolvers<void>();
  log.whenRoom = room.resolve;
  const line = Buffer.from(`${"x".repeat(1000)}\n`);
  let taken = 0;
  for (; log.hasRoom; taken++) log.append("stdout", line, 1);
  expect(taken * line.length).toBeGreaterThan(logPendingBytes - 40 * taken);
  await room.promise;
  expect(log.hasRoom).toBe(true);
  await log.close();
});

test("a follower gets what comes, until nothing more can", async () => {
  const log = await ContainerLog.open(folder, { segmentBytes: 100, segments: 100 });
  let live = true;
  const follower = texts(log, { follow: () => live });
  const wanted: string[] = [];
  for (let line = 0; line < 200; line++) {
    wanted.push(`line ${line}`);
    log.append("stdout", Buffer.from(`line ${line}\n`), 1);
    if (line % 10 === 0) await log.flushed();
  }
  live = false;
  log.wake();
  expect(await follower).toEqual(wanted);
  await log.close();
});

test("a follower whose next lines are gone is told so", async () => {
  const log = await ContainerLog.open(folder, small);
  log.append("stdout", Buffer.from("one\n"), 1);
  const follower = readLog(log, { follow: () => true });
  expect(textOf((await follower.next()).value as LogEntry)).toBe("one");
  for (let line = 0; line < 100; line++) log.append("stdout", Buffer.from(`line ${line}\n`), 1);
  await log.flushed();
  let error: Awaited<ReturnType<typeof errorOf>> | undefined;
  while (error === undefined) error = await errorOf(follower).catch(() => undefined);
  expect(error.code).toBe(Code.ResourceExhausted);
  await log.close();
});

test("a follower who leaves is not waited for", async () => {
  const log = await ContainerLog.open(folder);
  const control = new AbortController();
  const follower = texts(log, { follow: () => true, signal: control.signal });
  control.abort();
  expect(await follower).toEqual([]);
  await log.close();
});
