// Snapshots through their service: folders that are written, frozen and built upon.
import { readdirSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageService, type PullImageProgress, SnapshotKind, SnapshotterService } from "@guestwire/ross";
import { type Client, Code, createClient, createInProcessChannel } from "@guestwire/rpc";
import { type TempFolder, tempFolder } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClock } from "../../clock.js";
import { errorOf } from "../../guest.test.support.js";
import { type Images, openImages } from "../images/images.js";
import { makeLayout } from "../images/layout.test.support.js";

let folder: TempFolder;
let images: Images;
let client: Client<typeof ImageService>;
let snapshots: Client<typeof SnapshotterService>;
let users: string[];

beforeEach(async () => {
  folder = await tempFolder();
  await mkdir(folder.file("scratch"));
  users = [];
});

afterEach(() => folder[Symbol.asyncDispose]());

async function open(...layouts: string[]): Promise<void> {
  const paths = layouts.map((name) => folder.file(name));
  const options = {
    folder: folder.file("ross"),
    scratch: folder.file("scratch"),
    clock: createClock(),
    layouts: paths,
  };
  images = await openImages(options);
  const channel = createInProcessChannel((registry) => images.register(registry, { containersOf: () => users }));
  client = createClient(ImageService, channel);
  snapshots = createClient(SnapshotterService, channel);
}

async function pull(imageName: string, tag = ""): Promise<PullImageProgress[]> {
  const reports: PullImageProgress[] = [];
  for await (const report of client.pullImage({ imageName, tag })) reports.push(report);
  return reports;
}

describe("snapshots", () => {
  beforeEach(() => open());

  const sourceOf = (mounts: readonly { source: string }[]): string => mounts[0]?.source as string;

  test("are prepared, written, committed, viewed and removed", async () => {
    const { mounts } = await snapshots.prepare({ key: "work", labels: { a: "1" } });
    expect(mounts).toMatchObject([{ type: "bind", options: ["rw", "rbind"] }]);
    await writeFile(join(sourceOf(mounts), "file"), "one");
    await snapshots.commit({ key: "base", activeKey: "work", labels: { b: "2" } });
    expect((await errorOf(snapshots.stat({ key: "work" }))).code).toBe(Code.NotFound);
    const { info } = await snapshots.stat({ key: "base" });
    expect(info).toMatchObject({ key: "base", parent: "", kind: SnapshotKind.COMMITTED, labels: { b: "2" } });
    const child = await snapshots.prepare({ key: "child", parent: "base" });
    await writeFile(join(sourceOf(child.mounts), "file"), "two");
    const view = await snapshots.view({ key: "look", parent: "base" });
    expect(view.mounts).toMatchObject([{ type: "bind", options: ["ro", "rbind"] }]);
    expect(await readFile(join(sourceOf(view.mounts), "file"), "utf8")).toBe("one");
    expect((await snapshots.mounts({ key: "child" })).mounts).toMatchObject(child.mounts);
    expect((await snapshots.list({ parentFilter: "base" })).infos.map(({ key }) => key)).toEqual(["child", "look"]);
    const refused = await errorOf(snapshots.remove({ key: "base" }));
    expect(refused.code).toBe(Code.FailedPrecondition);
    for (const key of ["look", "child", "base"]) await snapshots.remove({ key });
    expect((await snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(folder.file("ross/snapshots"))).toEqual(["snapshots.json"]);
  });

  test("usage counts what a snapshot adds to its parent or changes in it", async () => {
    const { mounts } = await snapshots.prepare({ key: "work" });
    await writeFile(join(sourceOf(mounts), "big"), Buffer.alloc(1 << 20, 1));
    await snapshots.commit({ key: "base", activeKey: "work" });
    expect((await snapshots.usage({ key: "base" })).size).toBeGreaterThanOrEqual(1n << 20n);
    const child = await snapshots.prepare({ key: "child", parent: "base" });
    expect(await snapshots.usage({ key: "child" })).toMatchObject({ size: 0n, inodes: 0n });
    await writeFile(join(sourceOf(child.mounts), "small"), Buffer.alloc(10_000, 1));
    const { size, inodes } = await snapshots.usage({ key: "child" });
    expect(size).toBeLessThan(100_000n);
    // The file, and the folder that it is in.
    expect(inodes).toBe(2n);
  });

  test.each<[string, () => Promise<unknown>, Code]>([
    ["a key in use", () => snapshots.prepare({ key: "active" }), Code.AlreadyExists],
    ["an unknown parent", () => snapshots.prepare({ key: "new", parent: "nope" }), Code.NotFound],
    ["a parent that is not committed", () => snapshots.view({ key: "new", parent: "active" }), Code.FailedPrecondition],
    ["an empty key", () => snapshots.prepare({ key: "" }), Code.InvalidArgument],
    ["a long key", () => snapshots.prepare({ key: "k".repeat(1025) }), Code.InvalidArgument],
    ["a commit of nothing", () => snapshots.commit({ key: "new", activeKey: "nope" }), Code.NotFound],
    ["a commit of a view", () => snapshots.commit({ key: "new", activeKey: "view" }), Code.FailedPrecondition],
    ["a commit over a key", () => snapshots.commit({ key: "view", activeKey: "active" }), Code.AlreadyExists],
    [
      "a layer without a blob",
      () => snapshots.extractLayer({ key: "new", digest: `sha256:${"0".repeat(64)}` }),
      Code.NotFound,
    ],
    ["a layer without a digest", () => snapshots.extractLayer({ key: "new", digest: "x" }), Code.InvalidArgument],
    ["usage of nothing", () => snapshots.usage({ key: "nope" }), Code.NotFound],
  ])("refuses %s", async (_, call, code) => {
    await snapshots.prepare({ key: "active" });
    await snapshots.view({ key: "view" });
    expect((await errorOf(call())).code).toBe(code);
    expect((await snapshots.list({})).infos.map(({ key }) => key)).toEqual(["active", "view"]);
  });

  test("are there after a restart, and cleanup removes what belongs to none", async () => {
    await snapshots.prepare({ key: "kept" });
    await mkdir(folder.file("ross/snapshots/orphan"));
    await writeFile(folder.file("ross/snapshots/orphan/file"), Buffer.alloc(8192, 1));
    await open();
    expect((await snapshots.list({})).infos.map(({ key }) => key)).toEqual(["kept"]);
    expect((await snapshots.cleanup({})).reclaimedBytes).toBeGreaterThanOrEqual(8192n);
    expect((await snapshots.cleanup({})).reclaimedBytes).toBe(0n);
    expect((await snapshots.mounts({ key: "kept" })).mounts).toHaveLength(1);
  });

  test("many at once keep their records", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => snapshots.prepare({ key: `s${i}` })));
    await open();
    expect((await snapshots.list({})).infos).toHaveLength(20);
  });

  test("a layer of a pulled image can be unpacked on its own", async () => {
    const [made] = await makeLayout(folder.file("app"), [{ name: "latest", layers: [[{ path: "a", text: "a" }]] }]);
    await open("app");
    await pull("app");
    const { key, size } = await snapshots.extractLayer({ digest: made?.layers[0] as string, key: "mine" });
    expect([key, size > 0n]).toEqual(["mine", true]);
    const taken = await errorOf(snapshots.extractLayer({ digest: made?.layers[0] as string, key: "mine" }));
    expect(taken.code).toBe(Code.AlreadyExists);
    await rm(folder.file("ross/blobs"), { recursive: true });
    expect((await errorOf(snapshots.extractLayer({ digest: made?.layers[0] as string, key: "new" }))).code).toBe(
      Code.NotFound,
    );
  });
});
