import { existsSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buryTree, removeTree } from "./remove-tree.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-tree-"));
  await mkdir(join(folder, "scratch"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("a tree whose directories forbid it is removed", async () => {
  await mkdir(join(folder, "tree/a/b"), { recursive: true });
  await writeFile(join(folder, "tree/a/b/file"), "");
  for (const path of ["tree/a/b", "tree/a", "tree"]) await chmod(join(folder, path), 0);
  await removeTree(join(folder, "tree"));
  expect(await readdir(folder)).toEqual(["scratch"]);
});

test("a link is removed, and what it leads to stays as it is", async () => {
  await mkdir(join(folder, "victim"));
  await chmod(join(folder, "victim"), 0o755);
  await symlink(join(folder, "victim"), join(folder, "link"));
  await removeTree(join(folder, "link"));
  expect(existsSync(join(folder, "link"))).toBe(false);
  expect(statSync(join(folder, "victim")).mode & 0o777).toBe(0o755);
});

test("what is buried is gone from its place; where that cannot be, it is there as before", async () => {
  const scratch = join(folder, "scratch");
  const tree = join(folder, "tree");
  await mkdir(join(tree, "a"), { recursive: true });
  await rename(scratch, join(folder, "elsewhere"));
  await expect(buryTree(tree, scratch)).rejects.toThrow("ENOENT");
  expect(await readdir(tree)).toEqual(["a"]);
  await rename(join(folder, "elsewhere"), scratch);
  await buryTree(tree, scratch);
  expect([existsSync(tree), await readdir(scratch)]).toEqual([false, []]);
});
