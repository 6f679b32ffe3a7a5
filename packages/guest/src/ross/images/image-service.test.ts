// What can be done with images that are there: names, listings, removal.
import { readdirSync } from "node:fs";
import { Code } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { base, type TestImages, testImages, tool } from "../images/images.test.support.js";
import { makeLayout } from "../images/layout.test.support.js";

let t: TestImages;

beforeEach(async () => {
  t = await testImages();
});

afterEach(() => t[Symbol.asyncDispose]());

describe("names", () => {
  beforeEach(async () => {
    await makeLayout(t.folder.file("app"), [
      { ...tool, name: "1", created: "2026-01-01T00:00:00Z" },
      { ...tool, name: "2", created: "2026-02-01T00:00:00Z", config: { Labels: { a: "b" } } },
    ]);
    await t.open("app");
    await t.pull("app", "1");
    await t.pull("app", "2");
  });

  test("tags move, and outlast a restart", async () => {
    expect(
      await t.client.tagImage({ sourceImage: "app:1", repository: "docker.io/library/app", tag: "2" }),
    ).toMatchObject({
      success: true,
    });
    await t.open("app");
    const first = (await t.client.inspectImage({ imageId: "app:1" })).image;
    expect(first?.repoTags).toEqual(["app:1", "app:2"]);
    const { images: dangling } = await t.client.listImages({ filters: { dangling: "true" } });
    expect(dangling).toHaveLength(1);
    expect(dangling[0]?.id).not.toBe(first?.id);
  });

  test("an image is found by its id and the beginning of that", async () => {
    const id = (await t.client.inspectImage({ imageId: "app:1" })).image?.id as string;
    for (const imageId of [id, id.slice("sha256:".length), id.slice(0, 20)]) {
      expect((await t.client.inspectImage({ imageId })).image?.id).toBe(id);
    }
    expect((await errorOf(t.client.inspectImage({ imageId: `sha256:${"0".repeat(64)}` }))).code).toBe(Code.NotFound);
    expect((await errorOf(t.client.inspectImage({ imageId: "" }))).code).toBe(Code.InvalidArgument);
  });

  test("history comes newest first, with the sizes of the layers", async () => {
    const { history } = await t.client.inspectImage({ imageId: "app:1" });
    expect(history.map(({ createdBy }) => createdBy)).toEqual(["step 1", "step 0"]);
    expect(history[0]?.tags).toEqual(["app:1"]);
    expect(history.every(({ size }) => size > 0n)).toBe(true);
  });

  test.each<[Record<string, string>, number]>([
    [{ reference: "app" }, 2],
    [{ reference: "a*:2" }, 1],
    [{ reference: "ap?" }, 2],
    [{ reference: "other" }, 0],
    [{ label: "a" }, 1],
    [{ label: "a=b" }, 1],
    [{ label: "a=c" }, 0],
    [{ before: "app:2" }, 1],
    [{ since: "app:1" }, 1],
    [{ since: "app:2" }, 0],
    [{ dangling: "false", reference: "app:1" }, 1],
  ])("filters %j leave %i", async (filters, count) => {
    expect((await t.client.listImages({ filters })).images).toHaveLength(count);
  });

  test.each([{ color: "red" }, { dangling: "maybe" }])("refuses the filter %j", async (filters) => {
    expect((await errorOf(t.client.listImages({ filters }))).code).toBe(Code.InvalidArgument);
  });

  test("search finds what can be pulled", async () => {
    expect((await t.client.searchImages({ term: "ap" })).results.map(({ name }) => name)).toEqual(["app"]);
    expect((await t.client.searchImages({ term: "zzz" })).results).toEqual([]);
    expect((await errorOf(t.client.searchImages({ term: "" }))).code).toBe(Code.InvalidArgument);
  });

  test("what needs a registry is refused", async () => {
    expect((await errorOf(t.client.pushImage({ imageName: "app", tag: "1" }))).code).toBe(Code.Unimplemented);
    expect((await errorOf(t.client.pushImage({ imageName: "nope" }))).code).toBe(Code.NotFound);
    expect((await errorOf(t.client.buildImage({ contextPath: "/" }))).code).toBe(Code.Unimplemented);
  });
});

describe("removing", () => {
  beforeEach(async () => {
    await makeLayout(t.folder.file("app"), [
      { ...tool, name: "1" },
      { ...tool, name: "2", layers: [base, [{ path: "more", text: "more" }]] },
    ]);
    await t.open("app");
    await t.pull("app", "1");
    await t.pull("app", "2");
  });

  test("a name goes alone while there are others; the last one takes the image", async () => {
    await t.client.tagImage({ sourceImage: "app:1", repository: "also" });
    expect(await t.client.removeImage({ imageId: "also" })).toMatchObject({ deleted: [], untagged: ["also:latest"] });
    const { id } = (await t.client.inspectImage({ imageId: "app:1" })).image as { id: string };
    expect((await t.client.removeImage({ imageId: "app:1" })).deleted).toEqual([id]);
    expect((await errorOf(t.client.removeImage({ imageId: "app:1" }))).code).toBe(Code.NotFound);
  });

  test("content goes with the last image that needs it", async () => {
    expect((await t.snapshots.list({})).infos).toHaveLength(3);
    expect(readdirSync(t.folder.file("ross/blobs/sha256"))).toHaveLength(7);
    await t.client.removeImage({ imageId: "app:1" });
    expect((await t.snapshots.list({})).infos).toHaveLength(2);
    expect(readdirSync(t.folder.file("ross/blobs/sha256"))).toHaveLength(4);
    await t.client.removeImage({ imageId: "app:2" });
    expect((await t.snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(t.folder.file("ross/blobs/sha256"))).toEqual([]);
    expect(await t.failureOf("app", "1")).toBe("");
  });

  test("an image of containers, or with several names, needs force", async () => {
    t.users = ["c1"];
    expect((await errorOf(t.client.removeImage({ imageId: "app:1" }))).code).toBe(Code.FailedPrecondition);
    t.users = [];
    await t.client.tagImage({ sourceImage: "app:1", repository: "also" });
    const { id } = (await t.client.inspectImage({ imageId: "app:1" })).image as { id: string };
    expect((await errorOf(t.client.removeImage({ imageId: id }))).code).toBe(Code.FailedPrecondition);
    const { deleted, untagged } = await t.client.removeImage({ imageId: id, force: true });
    expect([deleted, untagged.slice(0, 2)]).toEqual([[id], ["app:1", "also:latest"]]);
  });
});
