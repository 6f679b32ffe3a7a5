// Images and snapshots through their services, from layouts made for each test.
import { existsSync, readdirSync } from "node:fs";
import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageService, type PullImageProgress, SnapshotKind, SnapshotterService } from "@guestwire/ross";
import { type Client, Code, createClient, createInProcessChannel, RpcError } from "@guestwire/rpc";
import { type TempFolder, tempFolder } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClock } from "../../clock.js";
import { errorOf } from "../../guest.test.support.js";
import { type Images, openImages } from "./images.js";
import { makeLayout, type TestImage } from "./layout.test.support.js";

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

const failureOf = async (imageName: string, tag = ""): Promise<string> =>
  (await pull(imageName, tag)).at(-1)?.error ?? "";

const base = [
  { path: "bin/", type: "Directory" as const },
  { path: "bin/tool", text: "tool", mode: 0o755 },
  { path: "etc/", type: "Directory" as const },
  { path: "etc/a", text: "a" },
  { path: "etc/b", text: "b" },
  { path: "old/", type: "Directory" as const },
  { path: "old/x", text: "x" },
];
const changes = [
  { path: "etc/", type: "Directory" as const },
  { path: "etc/.wh.a", text: "" },
  { path: "etc/b", text: "new b" },
  { path: "old/", type: "Directory" as const },
  { path: "old/y", text: "y" },
  { path: "old/.wh..wh..opq", text: "" },
];
const tool: TestImage = {
  name: "registry.example:5000/team/tool:1.0",
  layers: [base, changes],
  config: { Env: ["A=1"], Cmd: ["/bin/tool"], WorkingDir: "/etc", Labels: { "org.example.kind": "tool" } },
  created: "2026-01-02T03:04:05Z",
};

describe("pulling", () => {
  test("copies, verifies and unpacks an image, with progress", async () => {
    const [made] = await makeLayout(folder.file("layout"), [tool]);
    await open("layout");
    const reports = await pull("registry.example:5000/team/tool", "1.0");
    expect(reports.map(({ error }) => error).join("")).toBe("");
    expect(reports.at(-1)?.status).toBe("Pulled");
    const counted = reports.filter(({ progressDetail }) => progressDetail !== undefined);
    expect(counted.some(({ progressDetail: at }) => at?.current === at?.total && at?.total !== 0n)).toBe(true);
    const { images: listed } = await client.listImages({ digests: true });
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
    const found = await images.lookup.resolve("registry.example:5000/team/tool:1.0");
    expect(found).toMatchObject({ id: made?.id, config: { env: ["A=1"], cmd: ["/bin/tool"], workingDir: "/etc" } });
    const root = found?.rootfs as string;
    expect(readdirSync(join(root, "etc"))).toEqual(["b"]);
    expect(await readFile(join(root, "etc/b"), "utf8")).toBe("new b");
    expect(readdirSync(join(root, "old"))).toEqual(["y"]);
    expect((await lstat(join(root, "bin/tool"))).mode & 0o777).toBe(0o755);
  });

  test("says that an image is there already, and copies nothing", async () => {
    await makeLayout(folder.file("layout"), [tool]);
    await open("layout");
    await pull("registry.example:5000/team/tool", "1.0");
    const again = await pull("registry.example:5000/team/tool:1.0");
    expect(again.at(-1)?.status).toBe("Image is up to date");
    expect(again.filter(({ status }) => status === "Copying")).toEqual([]);
  });

  test("two pulls of the same image at once both succeed", async () => {
    await makeLayout(folder.file("layout"), [tool]);
    await open("layout");
    const both = await Promise.all([pull(tool.name), pull(tool.name)]);
    expect(both.map((reports) => reports.at(-1)?.error)).toEqual(["", ""]);
    expect((await client.listImages({})).images).toHaveLength(1);
    expect((await snapshots.list({})).infos.map(({ kind }) => kind)).toEqual([
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
    await makeLayout(folder.file("app"), [{ ...tool, name: "latest" }]);
    await open("app");
    expect(await failureOf(name, tag)).toBe("");
    expect((await client.inspectImage({ imageId: "app" })).image?.repoTags).toEqual(["app:latest"]);
  });

  test("by digest, and from the second layout", async () => {
    await makeLayout(folder.file("other"), [{ ...tool, name: "nothing" }]);
    const [made] = await makeLayout(folder.file("app"), [{ ...tool, name: "docker.io/library/app:1" }]);
    await open("other", "app");
    expect(await failureOf("app", made?.manifest)).toBe("");
    const { image } = await client.inspectImage({ imageId: `app@${made?.manifest}` });
    expect(image).toMatchObject({ id: made?.id, repoTags: [] });
  });

  test("takes the image of this host's platform", async () => {
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const [, mine] = await makeLayout(folder.file("app"), [
      { ...tool, name: "1", platform: { os: "linux", architecture: "s390x" } },
      { ...tool, name: "1", platform: { os: "linux", architecture } },
    ]);
    await makeLayout(folder.file("far"), [{ ...tool, name: "1", platform: { os: "windows", architecture: "amd64" } }]);
    await open("app", "far");
    expect(await failureOf("app", "1")).toBe("");
    expect((await client.inspectImage({ imageId: "app:1" })).image?.id).toBe(mine?.id);
    expect(await failureOf("far", "1")).toMatch(/there for windows\/amd64, not for linux/);
  });

  test("a broken layout does not hide those behind it", async () => {
    await makeLayout(folder.file("app"), [{ ...tool, name: "1" }]);
    await mkdir(folder.file("broken"));
    await writeFile(folder.file("broken/oci-layout"), "{}");
    await writeFile(folder.file("broken/index.json"), "[");
    await open("missing", "broken", "app");
    expect(await failureOf("app", "1")).toBe("");
    expect((await client.searchImages({ term: "app" })).results).toHaveLength(1);
    expect(await failureOf("other")).toMatch(/missing is no OCI image layout/);
  });

  test("what fails is told in the stream, which ends well", async () => {
    await makeLayout(folder.file("layout"), [tool]);
    await open("layout");
    expect(await failureOf("nowhere")).toMatch(/"nowhere:latest": none of its 1 layouts has it/);
    await open("missing");
    expect(await failureOf("tool")).toMatch(/missing is no OCI image layout/);
    await open();
    expect(await failureOf("tool")).toMatch(/this guest has no image layout/);
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
    await makeLayout(folder.file("app"), [{ name: "latest", layers: [base], ...spoiled }]);
    await open("app");
    expect(await failureOf("app")).toMatch(message);
    expect((await client.listImages({})).images).toEqual([]);
    expect((await snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(folder.file("scratch"))).toEqual([]);
    expect((await snapshots.cleanup({})).reclaimedBytes).toBe(0n);
  });

  test("a canceled pull stops and leaves no half image", async () => {
    await makeLayout(folder.file("layout"), [tool]);
    await open("layout");
    for await (const { status } of client.pullImage({ imageName: tool.name })) if (status === "Copying") break;
    expect((await client.listImages({})).images).toEqual([]);
    expect((await pull(tool.name)).at(-1)?.status).toBe("Pulled");
  });

  test.each([
    ["", "", "image_name"],
    ["UPPER", "", "image_name"],
    ["a:1", "2", "tag"],
    ["a", "sha256:zz", "tag"],
    ["a", "no good", "tag"],
  ])("refuses the name %j with the tag %j at once", async (imageName, tag, field) => {
    await open();
    const error = await errorOf(client.pullImage({ imageName, tag }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(new RegExp(`^${field}: `));
  });
});

describe("a layer cannot leave its tree", () => {
  test.each([
    ["a path with ..", [{ path: "../evil", text: "!" }]],
    ["an absolute path", [{ path: "/ross-evil/evil", text: "!" }]],
    [
      "a link to a folder outside",
      [
        { path: "out", type: "SymbolicLink" as const, linkpath: "OUTSIDE" },
        { path: "out/evil", text: "!" },
      ],
    ],
    ["a hard link to a file outside", [{ path: "evil", type: "Link" as const, linkpath: "OUTSIDE/secret" }]],
    ["a mark that removes what is outside", [{ path: "../.wh.outside", text: "" }]],
  ])("by %s", async (_, entries) => {
    const outside = folder.file("outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "secret");
    const layer = entries.map((entry) =>
      "linkpath" in entry ? { ...entry, linkpath: entry.linkpath.replace("OUTSIDE", outside) } : entry,
    );
    await makeLayout(folder.file("app"), [{ name: "latest", layers: [layer] }]);
    await open("app");
    await pull("app");
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect((await lstat(join(outside, "secret"))).nlink).toBe(1);
    expect(existsSync(folder.file("ross/snapshots/evil"))).toBe(false);
    expect(existsSync("/ross-evil")).toBe(false);
  });

  test("nor by a link of the layer below, nor by marks through it", async () => {
    const outside = folder.file("outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "secret");
    const link = [{ path: "out", type: "SymbolicLink" as const, linkpath: outside }];
    const through = [
      { path: "out/evil", text: "!" },
      { path: "out/.wh.secret", text: "" },
      { path: "out/.wh..wh..opq", text: "" },
    ];
    await makeLayout(folder.file("app"), [{ name: "latest", layers: [link, through] }]);
    await open("app");
    await pull("app");
    expect(readdirSync(outside)).toEqual(["secret"]);
  });

  test("device files are left out", async () => {
    const device = { path: "dev/null", type: "CharacterDevice" as const };
    await makeLayout(folder.file("app"), [{ name: "latest", layers: [[device, { path: "a", text: "a" }]] }]);
    await open("app");
    expect(await failureOf("app")).toBe("");
    const { rootfs } = (await images.lookup.resolve("app")) as { rootfs: string };
    expect(readdirSync(rootfs)).toEqual(["a"]);
  });
});

describe("names", () => {
  beforeEach(async () => {
    await makeLayout(folder.file("app"), [
      { ...tool, name: "1", created: "2026-01-01T00:00:00Z" },
      { ...tool, name: "2", created: "2026-02-01T00:00:00Z", config: { Labels: { a: "b" } } },
    ]);
    await open("app");
    await pull("app", "1");
    await pull("app", "2");
  });

  test("tags move, and outlast a restart", async () => {
    expect(
      await client.tagImage({ sourceImage: "app:1", repository: "docker.io/library/app", tag: "2" }),
    ).toMatchObject({
      success: true,
    });
    await open("app");
    const first = (await client.inspectImage({ imageId: "app:1" })).image;
    expect(first?.repoTags).toEqual(["app:1", "app:2"]);
    const { images: dangling } = await client.listImages({ filters: { dangling: "true" } });
    expect(dangling).toHaveLength(1);
    expect(dangling[0]?.id).not.toBe(first?.id);
  });

  test("an image is found by its id and the beginning of that", async () => {
    const id = (await client.inspectImage({ imageId: "app:1" })).image?.id as string;
    for (const imageId of [id, id.slice("sha256:".length), id.slice(0, 20)]) {
      expect((await client.inspectImage({ imageId })).image?.id).toBe(id);
    }
    expect((await errorOf(client.inspectImage({ imageId: `sha256:${"0".repeat(64)}` }))).code).toBe(Code.NotFound);
    expect((await errorOf(client.inspectImage({ imageId: "" }))).code).toBe(Code.InvalidArgument);
  });

  test("history comes newest first, with the sizes of the layers", async () => {
    const { history } = await client.inspectImage({ imageId: "app:1" });
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
    expect((await client.listImages({ filters })).images).toHaveLength(count);
  });

  test.each([{ color: "red" }, { dangling: "maybe" }])("refuses the filter %j", async (filters) => {
    expect((await errorOf(client.listImages({ filters }))).code).toBe(Code.InvalidArgument);
  });

  test("search finds what can be pulled", async () => {
    expect((await client.searchImages({ term: "ap" })).results.map(({ name }) => name)).toEqual(["app"]);
    expect((await client.searchImages({ term: "zzz" })).results).toEqual([]);
    expect((await errorOf(client.searchImages({ term: "" }))).code).toBe(Code.InvalidArgument);
  });

  test("what needs a registry is refused", async () => {
    expect((await errorOf(client.pushImage({ imageName: "app", tag: "1" }))).code).toBe(Code.Unimplemented);
    expect((await errorOf(client.pushImage({ imageName: "nope" }))).code).toBe(Code.NotFound);
    expect((await errorOf(client.buildImage({ contextPath: "/" }))).code).toBe(Code.Unimplemented);
  });
});

describe("removing", () => {
  beforeEach(async () => {
    await makeLayout(folder.file("app"), [
      { ...tool, name: "1" },
      { ...tool, name: "2", layers: [base, [{ path: "more", text: "more" }]] },
    ]);
    await open("app");
    await pull("app", "1");
    await pull("app", "2");
  });

  test("a name goes alone while there are others; the last one takes the image", async () => {
    await client.tagImage({ sourceImage: "app:1", repository: "also" });
    expect(await client.removeImage({ imageId: "also" })).toMatchObject({ deleted: [], untagged: ["also:latest"] });
    const { id } = (await client.inspectImage({ imageId: "app:1" })).image as { id: string };
    expect((await client.removeImage({ imageId: "app:1" })).deleted).toEqual([id]);
    expect((await errorOf(client.removeImage({ imageId: "app:1" }))).code).toBe(Code.NotFound);
  });

  test("content goes with the last image that needs it", async () => {
    expect((await snapshots.list({})).infos).toHaveLength(3);
    expect(readdirSync(folder.file("ross/blobs/sha256"))).toHaveLength(7);
    await client.removeImage({ imageId: "app:1" });
    expect((await snapshots.list({})).infos).toHaveLength(2);
    expect(readdirSync(folder.file("ross/blobs/sha256"))).toHaveLength(4);
    await client.removeImage({ imageId: "app:2" });
    expect((await snapshots.list({})).infos).toEqual([]);
    expect(readdirSync(folder.file("ross/blobs/sha256"))).toEqual([]);
    expect(await failureOf("app", "1")).toBe("");
  });

  test("an image of containers, or with several names, needs force", async () => {
    users = ["c1"];
    expect((await errorOf(client.removeImage({ imageId: "app:1" }))).code).toBe(Code.FailedPrecondition);
    users = [];
    await client.tagImage({ sourceImage: "app:1", repository: "also" });
    const { id } = (await client.inspectImage({ imageId: "app:1" })).image as { id: string };
    expect((await errorOf(client.removeImage({ imageId: id }))).code).toBe(Code.FailedPrecondition);
    const { deleted, untagged } = await client.removeImage({ imageId: id, force: true });
    expect([deleted, untagged.slice(0, 2)]).toEqual([[id], ["app:1", "also:latest"]]);
  });
});

test("a record that cannot be read is said clearly", async () => {
  await mkdir(folder.file("ross/snapshots"), { recursive: true });
  await writeFile(folder.file("ross/snapshots/snapshots.json"), "{");
  const error = await open().catch((thrown: unknown) => RpcError.from(thrown));
  expect(error).toMatchObject({ code: Code.FailedPrecondition });
  expect((error as RpcError).rawMessage).toContain("snapshots.json");
});
