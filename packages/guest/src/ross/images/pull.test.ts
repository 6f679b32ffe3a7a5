// Pulling images from layouts made for each test.
import { readdirSync } from "node:fs";
import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SnapshotKind } from "@guestwire/ross";
import { Code, RpcError } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { base, type TestImages, testImages, tool } from "../images/images.test.support.js";
import { makeLayout, type TestImage } from "../images/layout.test.support.js";

let t: TestImages;

beforeEach(async () => {
  t = await testImages();
});

afterEach(() => t[Symbol.asyncDispose]());

describe("pulling", () => {
  test("copies, verifies and unpacks an image, with progress", async () => {
    const [made] = await makeLayout(t.folder.file("layout"), [tool]);
    await t.open("layout");
    const reports = await t.pull("registry.example:5000/team/tool", "1.0");
    expect(reports.map(({ error }) => error).join("")).toBe("");
    expect(reports.at(-1)?.status).toBe("Pulled");
    const counted = reports.filter(({ progressDetail }) => progressDetail !== undefined);
    expect(counted.some(({ progressDetail: at }) => at?.current === at?.total && at?.total !== 0n)).toBe(true);
    const { images: listed } = await t.client.listImages({ digests: true });
    expect(listed).toMatchObject([
      {
        id: made?.id,
        repoTags: ["registry.example:5000/team/tool:1.0"],
        repoDigests: [`registry.example:5000/team/tool@${made?.manifest}`],
        labels: { "org.example.kind": "tool" },
        rootFs: { type: "layers", layers: made?.diffIds },
        created: { seconds: BigInt(Date.parse(tool.created as string) / 1000) },
      },
    ]);
    const found = await t.images.lookup.resolve("registry.example:5000/team/tool:1.0");
    expect(found).toMatchObject({ id: made?.id, config: { env: ["A=1"], cmd: ["/bin/tool"], workingDir: "/etc" } });
    const root = found?.rootfs as string;
    expect(readdirSync(join(root, "etc"))).toEqual(["b"]);
    expect(await readFile(join(root, "etc/b"), "utf8")).toBe("new b");
    expect(readdirSync(join(root, "old"))).toEqual(["y"]);
    expect((await lstat(join(root, "bin/tool"))).mode & 0o777).toBe(0o755);
  });

  test("says that an image is there already, and copies nothing", async () => {
    await makeLayout(t.folder.file("layout"), [tool]);
    await t.open("layout");
    await t.pull("registry.example:5000/team/tool", "1.0");
    const again = await t.pull("registry.example:5000/team/tool:1.0");
    expect(again.at(-1)?.status).toBe("Image is up to date");
    expect(again.filter(({ status }) => status === "Copying")).toEqual([]);
  });

  test("two pulls of the same image at once both succeed", async () => {
    await makeLayout(t.folder.file("layout"), [tool]);
    await t.open("layout");
    const both = await Promise.all([t.pull(tool.name), t.pull(tool.name)]);
    expect(both.map((reports) => reports.at(-1)?.error)).toEqual(["", ""]);
    expect((await t.client.listImages({})).images).toHaveLength(1);
    expect((await t.snapshots.list({})).infos.map(({ kind }) => kind)).toEqual([
      SnapshotKind.COMMITTED,
      SnapshotKind.COMMITTED,
    ]);
  });

  test.each([
    ["app", ""],
    ["app", "latest"],
    ["docker.io/library/app", ""],
    ["app:latest", ""],
  ])("an entry with only a tag has the name of its layout: %s %s", async (name, tag) => {
    await makeLayout(t.folder.file("app"), [{ ...tool, name: "latest" }]);
    await t.open("app");
    expect(await t.failureOf(name, tag)).toBe("");
    expect((await t.client.inspectImage({ imageId: "app" })).image?.repoTags).toEqual(["app:latest"]);
  });

  test("by digest, and from the second layout", async () => {
    await makeLayout(t.folder.file("other"), [{ ...tool, name: "nothing" }]);
    const [made] = await makeLayout(t.folder.file("app"), [{ ...tool, name: "docker.io/library/app:1" }]);
    await t.open("other", "app");
    expect(await t.failureOf("app", made?.manifest)).toBe("");
    const { image } = await t.client.inspectImage({ imageId: `app@${made?.manifest}` });
    expect(image).toMatchObject({ id: made?.id, repoTags: [] });
  });

  test("takes the image of this host's platform", async () => {
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const [, mine] = await makeLayout(t.folder.file("app"), [
      { ...tool, name: "1", platform: { os: "linux", architecture: "s390x" } },
      { ...tool, name: "1", platform: { os: "linux", architecture } },
    ]);
    await makeLayout(t.folder.file("far"), [
      { ...tool, name: "1", platform: { os: "windows", architecture: "amd64" } },
    ]);
    await t.open("app", "far");
    expect(await t.failureOf("app", "1")).toBe("");
    expect((await t.client.inspectImage({ imageId: "app:1" })).image?.id).toBe(mine?.id);
    expect(await t.failureOf("far", "1")).toMatch(/there for windows\/amd64, not for linux/);
  });

  test("a broken layout does not hide those behind it", async () => {
    await makeLayout(t.folder.file("app"), [{ ...tool, name: "1" }]);
    await mkdir(t.folder.file("broken"));
    await writeFile(t.folder.file("broken/oci-layout"), "{}");
    await writeFile(t.folder.file("broken/index.json"), "[");
    await t.open("missing", "broken", "app");
    expect(await t.failureOf("app", "1")).toBe("");
    expect((await t.client.searchImages({ term: "app" })).results).toHaveLength(1);
    expect(await t.failureOf("other")).toMatch(/missing is no OCI image layout/);
  });

  test("what fails is told in the stream, which ends well", async () => {
    await makeLayout(t.folder.file("layout"), [tool]);
    await t.open("layout");
    expect(await t.failureOf("nowhere")).toMatch(/"nowhere:latest": none of its 1 layouts has it/);
    await t.open("missing");
    expect(await t.failureOf("tool")).toMatch(/missing is no OCI image layout/);
    await t.open();
    expect(await t.failureOf("tool")).toMatch(/this guest has no image layout/);
  });

  test.each<[string, Partial<TestImage>, RegExp]>([
    [
      "a blob with another digest",
      { spoil: { layer: (bytes) => Buffer.alloc(bytes.length) } },
      /its digest is sha256:/,
    ],
    ["a blob that is too long", { spoil: { layer: (bytes) => Buffer.concat([bytes, bytes]) } }, /larger than/],
    ["a blob that is too short", { spoil: { layer: (bytes) => bytes.subarray(1) } }, /were announced/],
    [
      "a layer that is not the one announced",
      { spoil: { diffIds: [`sha256:${"0".repeat(64)}`] } },
      /the layer .* not sha256:000/,
    ],
    ["a missing digest of a layer", { spoil: { diffIds: [] } }, /has 1 layers, but its configuration tells of 0/],
    ["a digest that is a path", { spoil: { diffIds: ["../../etc"] } }, /is no digest/],
  ])("refuses %s and leaves nothing behind", async (_, spoiled, message) => {
    await makeLayout(t.folder.file("app"), [{ name: "latest", layers: [base], ...spoiled }]);
    await t.open("app");
    expect(await t.failureOf("app")).toMatch(message);
    expect((await t.client.listImages({})).images).toEqual([]);
    expect((await t.snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(t.folder.file("scratch"))).toEqual([]);
    expect((await t.snapshots.cleanup({})).reclaimedBytes).toBe(0n);
  });

  test("a canceled pull stops and leaves no half image", async () => {
    await makeLayout(t.folder.file("layout"), [tool]);
    await t.open("layout");
    for await (const { status } of t.client.pullImage({ imageName: tool.name })) if (status === "Copying") break;
    expect((await t.client.listImages({})).images).toEqual([]);
    expect((await t.pull(tool.name)).at(-1)?.status).toBe("Pulled");
  });

  test.each([
    ["", "", "image_name"],
    ["UPPER", "", "image_name"],
    ["a:1", "2", "tag"],
    ["a", "sha256:zz", "tag"],
    ["a", "no good", "tag"],
  ])("refuses the name %j with the tag %j at once", async (imageName, tag, field) => {
    await t.open();
    const error = await errorOf(t.client.pullImage({ imageName, tag }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(new RegExp(`^${field}: `));
  });
});

test("a record that cannot be read is said clearly", async () => {
  await mkdir(t.folder.file("ross/snapshots"), { recursive: true });
  await writeFile(t.folder.file("ross/snapshots/snapshots.json"), "{");
  const error = await t.open().catch((thrown: unknown) => RpcError.from(thrown));
  expect(error).toMatchObject({ code: Code.FailedPrecondition });
  expect((error as RpcError).rawMessage).toContain("snapshots.json");
});
