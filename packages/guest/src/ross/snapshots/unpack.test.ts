// Layers that try to touch what is not theirs.
import { existsSync, readdirSync } from "node:fs";
import { lstat, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TestImages, testImages } from "../images/images.test.support.js";
import { makeLayout } from "../images/layout.test.support.js";

let t: TestImages;

beforeEach(async () => {
  t = await testImages();
});

afterEach(() => t[Symbol.asyncDispose]());

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
    const outside = t.folder.file("outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "secret");
    const layer = entries.map((entry) =>
      "linkpath" in entry ? { ...entry, linkpath: entry.linkpath.replace("OUTSIDE", outside) } : entry,
    );
    await makeLayout(t.folder.file("app"), [{ name: "latest", layers: [layer] }]);
    await t.open("app");
    await t.pull("app");
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect((await lstat(join(outside, "secret"))).nlink).toBe(1);
    expect(existsSync(t.folder.file("ross/snapshots/evil"))).toBe(false);
    expect(existsSync("/ross-evil")).toBe(false);
  });

  test("nor by a link of the layer below, nor by marks through it", async () => {
    const outside = t.folder.file("outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "secret");
    const link = [{ path: "out", type: "SymbolicLink" as const, linkpath: outside }];
    const through = [
      { path: "out/evil", text: "!" },
      { path: "out/.wh.secret", text: "" },
      { path: "out/.wh..wh..opq", text: "" },
    ];
    await makeLayout(t.folder.file("app"), [{ name: "latest", layers: [link, through] }]);
    await t.open("app");
    await t.pull("app");
    expect(readdirSync(outside)).toEqual(["secret"]);
  });

  test("device files are left out", async () => {
    const device = { path: "dev/null", type: "CharacterDevice" as const };
    await makeLayout(t.folder.file("app"), [{ name: "latest", layers: [[device, { path: "a", text: "a" }]] }]);
    await t.open("app");
    expect(await t.failureOf("app")).toBe("");
    const { rootfs } = (await t.images.lookup.resolve("app")) as { rootfs: string };
    expect(readdirSync(rootfs)).toEqual(["a"]);
  });
});
