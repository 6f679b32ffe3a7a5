// The lock across processes: one holder at a time, and a holder that died hinders nobody.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { withFileLock } from "./file-lock.js";
import { tempFolder } from "./temp-folder.js";

test("work under one lock never overlaps, and the lock is gone afterwards", async () => {
  await using folder = await tempFolder();
  const path = folder.file("a.lock");
  let inside = 0;
  const seen: number[] = [];
  const work = async (): Promise<void> => {
    seen.push(++inside);
    await new Promise(setImmediate);
    inside--;
  };
  await Promise.all([withFileLock(path, work), withFileLock(path, work), withFileLock(path, work)]);
  expect(seen).toEqual([1, 1, 1]);
  expect(existsSync(path)).toBe(false);
});

test("the lock of a process that died is taken over", async () => {
  await using folder = await tempFolder();
  const path = folder.file("a.lock");
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  writeFileSync(path, String(pid));
  expect(await withFileLock(path, async () => "done")).toBe("done");
});

test("work that fails gives the lock back", async () => {
  await using folder = await tempFolder();
  const path = folder.file("a.lock");
  await expect(withFileLock(path, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(existsSync(path)).toBe(false);
});
