import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { AppendLog } from "./append-log.js";

const never = new AbortController().signal;
const line = (number: number): Uint8Array => Buffer.from(`line ${String(number).padStart(4, "0")}\n`);

async function tempFolder(): Promise<AsyncDisposable & { path: string; file(name: string): string }> {
  const path = await mkdtemp(join(tmpdir(), "gw-log-"));
  const dispose = (): Promise<void> => rm(path, { recursive: true, force: true });
  return { path, file: (name) => join(path, name), [Symbol.asyncDispose]: dispose };
}

async function all(log: AppendLog, signal: AbortSignal = never): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of log.read({ signal })) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

test("readers that come before, during and after get the same, each byte once", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 1 << 20);
  const readers = [all(log)];
  let expected = "";
  for (let number = 0; number < 300; number++) {
    log.append(line(number));
    expected += line(number);
    if (number % 50 === 0) {
      await log.written();
      readers.push(all(log));
    }
  }
  await log.end();
  readers.push(all(log));
  for (const text of await Promise.all(readers)) expect(text).toBe(expected);
});

test("a log is found again, and goes on in the same file", async () => {
  await using folder = await tempFolder();
  const before = await AppendLog.open(folder.path, "output", 1000);
  before.append(Buffer.from("one\n"));
  await before.end();
  const after = await AppendLog.open(folder.path, "output", 1000);
  after.append(Buffer.from("two\n"));
  await after.end();
  expect(await all(after)).toBe("one\ntwo\n");
  expect(await readdir(folder.path)).toEqual(["output.0"]);
});

test("a log keeps at most its bound: the oldest goes, whole pieces only", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100);
  for (let number = 0; number < 100; number++) {
    log.append(line(number));
    await log.written();
  }
  await log.end();
  const kept = await all(log);
  expect(kept.length).toBeLessThanOrEqual(100);
  expect(kept.length).toBeGreaterThan(50);
  expect(kept).toMatch(/^(line \d{4}\n)+$/);
  expect(kept.endsWith("line 0099\n")).toBe(true);
  const files = await readdir(folder.path);
  const sizes = await Promise.all(files.map(async (name) => (await readFile(folder.file(name))).length));
  expect(sizes.reduce((sum, size) => sum + size)).toBe(kept.length);
});

test("a reader that keeps reading is waited for, whatever is appended meanwhile", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100, 60_000);
  const reading = all(log);
  let expected = "";
  for (let number = 0; number < 500; number++) {
    log.append(line(number));
    expected += line(number);
  }
  await log.end();
  expect(await reading).toBe(expected);
});

test("a reader that stands still is overtaken: DataLoss, after what it could read, and nobody waits for it again", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100, 5);
  log.append(line(0));
  await log.written();
  const reader = log.read({ signal: never });
  expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toBe("line 0000\n");
  for (let number = 1; number < 100; number++) {
    log.append(line(number));
    await log.written();
  }
  // The file that it reads in stays readable for it; the one behind that is gone.
  expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toMatch(/^line 0001\n/);
  const error = await reader.next().catch(RpcError.from);
  expect(error).toMatchObject({ code: Code.DataLoss, rawMessage: expect.stringContaining("byte 50") });
});

test("a reader that leaves is not waited for", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100, 60_000);
  log.append(line(0));
  await log.written();
  const reader = log.read({ signal: never });
  await reader.next();
  for (let number = 1; number < 100; number++) log.append(line(number));
  await new Promise(setImmediate);
  await reader.return(undefined);
  await log.end();
  expect(await all(log)).toMatch(/line 0099\n$/);
});

test("a silent log gives empty chunks, and lets a reader go", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100);
  const leaving = new AbortController();
  const reader = log.read({ signal: leaving.signal, idleMs: 5 });
  expect((await reader.next()).value).toHaveLength(0);
  expect((await reader.next()).value).toHaveLength(0);
  const next = log.read({ signal: leaving.signal }).next();
  leaving.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect((await reader.next()).done).toBe(true);
});

test("a log that failed tells so after what was written", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "output", 100);
  log.append(line(1));
  await log.fail(new RpcError(Code.Unavailable, "shutting down"));
  const reader = log.read({ signal: never });
  expect((await reader.next()).value).toHaveLength(10);
  await expect(reader.next()).rejects.toMatchObject({ code: Code.Unavailable });
});

test("what cannot be written is DataLoss for readers, and nobody who appends waits for ever", async () => {
  await using folder = await tempFolder();
  const log = await AppendLog.open(folder.path, "no/such", 100);
  log.append(line(1));
  await log.written();
  expect(log.hasRoom).toBe(true);
  log.append(line(2));
  await log.end();
  await expect(all(log)).rejects.toMatchObject({ code: Code.DataLoss });
});
