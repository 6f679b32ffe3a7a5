// Snapshots through their service: folders that are written, frozen and built upon.
import { readdirSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SnapshotKind } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestImages, testImages } from "../images/images.test.support.js";
import { makeLayout } from "../images/layout.test.support.js";

let t: TestImages;

beforeEach(async () => {
  t = await testImages();
});

afterEach(() => t[Symbol.asyncDispose]());

describe("snapshots", () => {
  const sourceOf = (mounts: readonly { source: string }[]): string => mounts[0]?.source as string;

  test("are prepared, written, committed, viewed and removed", async () => {
    const { mounts } = await t.snapshots.prepare({ key: "work", labels: { a: "1" } });
    expect(mounts).toMatchObject([{ type: "bind", options: ["rw", "rbind"] }]);
    await writeFile(join(sourceOf(mounts), "file"), "one");
    await t.snapshots.commit({ key: "base", activeKey: "work", labels: { b: "2" } });
    expect((await errorOf(t.snapshots.stat({ key: "work" }))).code).toBe(Code.NotFound);
    const { info } = await t.snapshots.stat({ key: "base" });
    expect(info).toMatchObject({ key: "base", parent: "", kind: SnapshotKind.COMMITTED, labels: { b: "2" } });
    const child = await t.snapshots.prepare({ key: "child", parent: "base" });
    await writeFile(join(sourceOf(child.mounts), "file"), "two");
    const view = await t.snapshots.view({ key: "look", parent: "base" });
    expect(view.mounts).toMatchObject([{ type: "bind", options: ["ro", "rbind"] }]);
    expect(await readFile(join(sourceOf(view.mounts), "file"), "utf8")).toBe("one");
    expect((await t.snapshots.mounts({ key: "child" })).mounts).toMatchObject(child.mounts);
    expect((await t.snapshots.list({ parentFilter: "base" })).infos.map(({ key }) => key)).toEqual(["child", "look"]);
    const refused = await errorOf(t.snapshots.remove({ key: "base" }));
    expect(refused.code).toBe(Code.FailedPrecondition);
    for (const key of ["look", "child", "base"]) await t.snapshots.remove({ key });
    expect((await t.snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(t.folder.file("ross/snapshots"))).toEqual(["snapshots.json"]);
  });

  test("usage counts what a snapshot adds to its parent or changes in it", async () => {
    const { mounts } = await t.snapshots.prepare({ key: "work" });
    await writeFile(join(sourceOf(mounts), "big"), Buffer.alloc(1 << 20, 1));
    await t.snapshots.commit({ key: "base", activeKey: "work" });
    expect((await t.snapshots.usage({ key: "base" })).size).toBeGreaterThanOrEqual(1n << 20n);
    const child = await t.snapshots.prepare({ key: "child", parent: "base" });
    expect(await t.snapshots.usage({ key: "child" })).toMatchObject({ size: 0n, inodes: 0n });
    await writeFile(join(sourceOf(child.mounts), "small"), Buffer.alloc(10_000, 1));
    const { size, inodes } = await t.snapshots.usage({ key: "child" });
    expect(size).toBeLessThan(100_000n);
    // The file, and the folder that it is in.
    expect(inodes).toBe(2n);
  });

  test.each<[string, () => Promise<unknown>, Code]>([
    ["a key in use", () => t.snapshots.prepare({ key: "active" }), Code.AlreadyExists],
    ["an unknown parent", () => t.snapshots.prepare({ key: "new", parent: "nope" }), Code.NotFound],
    [
      "a parent that is not committed",
      () => t.snapshots.view({ key: "new", parent: "active" }),
      Code.FailedPrecondition,
    ],
    ["an empty key", () => t.snapshots.prepare({ key: "" }), Code.InvalidArgument],
    ["a long key", () => t.snapshots.prepare({ key: "k".repeat(1025) }), Code.InvalidArgument],
    ["a commit of nothing", () => t.snapshots.commit({ key: "new", activeKey: "nope" }), Code.NotFound],
    ["a commit of a view", () => t.snapshots.commit({ key: "new", activeKey: "view" }), Code.FailedPrecondition],
    ["a commit over a key", () => t.snapshots.commit({ key: "view", activeKey: "active" }), Code.AlreadyExists],
    [
      "a layer without a blob",
      () => t.snapshots.extractLayer({ key: "new", digest: `sha256:${"0".repeat(64)}` }),
      Code.NotFound,
    ],
    ["a layer without a digest", () => t.snapshots.extractLayer({ key: "new", digest: "x" }), Code.InvalidArgument],
    ["usage of nothing", () => t.snapshots.usage({ key: "nope" }), Code.NotFound],
  ])("refuses %s", async (_, call, code) => {
    await t.snapshots.prepare({ key: "active" });
    await t.snapshots.view({ key: "view" });
    expect((await errorOf(call())).code).toBe(code);
    expect((await t.snapshots.list({})).infos.map(({ key }) => key)).toEqual(["active", "view"]);
  });

  test("are there after a restart, and cleanup removes what belongs to none", async () => {
    await t.snapshots.prepare({ key: "kept" });
    await mkdir(t.folder.file("ross/snapshots/orphan"));
    await writeFile(t.folder.file("ross/snapshots/orphan/file"), Buffer.alloc(8192, 1));
    await t.open();
    expect((await t.snapshots.list({})).infos.map(({ key }) => key)).toEqual(["kept"]);
    expect((await t.snapshots.cleanup({})).reclaimedBytes).toBeGreaterThanOrEqual(8192n);
    expect((await t.snapshots.cleanup({})).reclaimedBytes).toBe(0n);
    expect((await t.snapshots.mounts({ key: "kept" })).mounts).toHaveLength(1);
  });

  test("many at once keep their records", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => t.snapshots.prepare({ key: `s${i}` })));
    await t.open();
    expect((await t.snapshots.list({})).infos).toHaveLength(20);
  });

  test("a layer of a pulled image can be unpacked on its own", async () => {
    const [made] = await makeLayout(t.folder.file("app"), [{ name: "latest", layers: [[{ path: "a", text: "a" }]] }]);
    await t.open("app");
    await t.pull("app");
    const { key, size } = await t.snapshots.extractLayer({ digest: made?.layers[0] as string, key: "mine" });
    expect([key, size > 0n]).toEqual(["mine", true]);
    const taken = await errorOf(t.snapshots.extractLayer({ digest: made?.layers[0] as string, key: "mine" }));
    expect(taken.code).toBe(Code.AlreadyExists);
    await rm(t.folder.file("ross/blobs"), { recursive: true });
    expect((await errorOf(t.snapshots.extractLayer({ digest: made?.layers[0] as string, key: "new" }))).code).toBe(
      Code.NotFound,
    );
  });
});
