import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Bundle as SeedBundle } from "@guestwire/bundle";
import { Bundle } from "@guestwire/bundle/vminitd";
import { type Client, Code, type RpcError } from "@guestwire/rpc";
import { BadRequestSchema, ResourceInfoSchema } from "@guestwire/types/google-rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, type TestGuest, testGuest } from "../guest.test.support.js";

let guest: TestGuest;
let bundles: Client<typeof Bundle>;
let seed: Client<typeof SeedBundle>;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

beforeAll(async () => {
  guest = await testGuest();
  bundles = guest.client(Bundle);
  seed = guest.client(SeedBundle);
});

afterAll(() => guest[Symbol.asyncDispose]());

describe("the running shape", () => {
  test("a bundle has its files, a rootfs and private modes", async () => {
    const { bundle } = await bundles.create({ id: "web", files: { "config.json": bytes("{}"), "hosts.1": bytes("") } });
    expect(bundle).toBe(join(guest.guest.stateDir, "bundles/web"));
    expect((await readdir(bundle)).sort()).toEqual(["config.json", "hosts.1", "rootfs"]);
    expect(await readFile(join(bundle, "config.json"), "utf8")).toBe("{}");
    expect(await mode(bundle)).toBe("750");
    expect(await mode(join(bundle, "rootfs"))).toBe("750");
    expect(await mode(join(bundle, "config.json"))).toBe("600");
    expect(await mode(guest.guest.stateDir)).toBe("700");
  });

  test("a bundle without files is accepted", async () => {
    const { bundle } = await bundles.create({ id: "bare" });
    expect(await readdir(bundle)).toEqual(["rootfs"]);
  });

  test("an existing bundle is a bare system error and stays as it is", async () => {
    const { bundle } = await bundles.create({ id: "twice", files: { a: bytes("1") } });
    const error = await errorOf(bundles.create({ id: "twice", files: { a: bytes("2") } }));
    expect(error.code).toBe(Code.Unknown);
    expect(error.rawMessage).toContain("file exists");
    expect(await readFile(join(bundle, "a"), "utf8")).toBe("1");
  });

  test("of several calls for one id exactly one succeeds", async () => {
    const calls = Array.from({ length: 8 }, () => bundles.create({ id: "race", files: { a: bytes("1") } }));
    const results = await Promise.allSettled(calls);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test.each(["", ".", "..", "a/b", "a..b", "../x", "a\0b", "x".repeat(256)])("the id %j is refused", async (id) => {
    const error = await errorOf(bundles.create({ id, files: {} }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(violations(error)[0]?.field).toBe("id");
  });

  test.each(["", ".", "..", "/etc/passwd", "a/b", "a\\b", "../x", "rootfs", "a\0b", "x".repeat(256)])(
    "the file name %j is refused and nothing is left",
    async (name) => {
      const error = await errorOf(bundles.create({ id: "refused", files: { ok: bytes("1"), [name]: bytes("2") } }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(violations(error)[0]?.field).toMatch(/^files\[/);
      expect(await readdir(join(guest.guest.stateDir, "bundles"))).not.toContain("refused");
      expect(await readdir(join(guest.guest.stateDir, "scratch"))).toEqual([]);
    },
  );

  test("a failure of the system is Unknown and leaves nothing", async () => {
    await using own = await testGuest();
    await rm(join(own.guest.stateDir, "bundles"), { recursive: true });
    const error = await errorOf(own.client(Bundle).create({ id: "web", files: {} }));
    expect(error.code).toBe(Code.Unknown);
    expect(error.rawMessage).toContain('bundle "web"');
    expect((await errorOf(own.client(SeedBundle).create({ id: "web", spec: bytes("{}") }))).code).toBe(Code.Unknown);
    expect(await readdir(join(own.guest.stateDir, "scratch"))).toEqual([]);
  });

  test("something else in the bundle's place counts as a bundle", async () => {
    await writeFile(join(guest.guest.stateDir, "bundles/blocked"), "");
    expect((await errorOf(bundles.create({ id: "blocked", files: {} }))).code).toBe(Code.Unknown);
    expect((await errorOf(seed.create({ id: "blocked", spec: bytes("{}") }))).code).toBe(Code.AlreadyExists);
  });
});

describe("the seed's shape", () => {
  test("the spec becomes config.json byte for byte", async () => {
    const spec = '{ "ociVersion":"1.2.0",\n"n": 18446744073709551615 }';
    const { bundle } = await seed.create({ id: "seed", spec: bytes(spec) });
    expect(await readFile(join(bundle, "config.json"), "utf8")).toBe(spec);
  });

  test("mounts are appended to those of the spec, and large numbers stay", async () => {
    const spec = '{"mounts":[{"destination":"/proc","type":"proc"}],"limit":18446744073709551615,"share":1.50}';
    const mounts = [
      { type: "bind", source: "/srv", target: "/data", options: ["ro"] },
      { type: "tmpfs", source: "tmpfs", target: "tmp" },
    ];
    const { bundle } = await seed.create({ id: "mounts", spec: bytes(spec), mounts });
    const text = await readFile(join(bundle, "config.json"), "utf8");
    expect(JSON.parse(text).mounts).toEqual([
      { destination: "/proc", type: "proc" },
      { destination: "/data", type: "bind", source: "/srv", options: ["ro"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [] },
    ]);
    expect(text).toContain("18446744073709551615");
    expect(text).toContain("1.50");
  });

  test.each(["", "[]", "1", "null", "{", '"x"', "\xff"])("the spec %j is refused", async (spec) => {
    const error = await errorOf(seed.create({ id: "bad", spec: Buffer.from(spec, "latin1") }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(violations(error)[0]?.field).toBe("spec");
  });

  test("a spec whose mounts are no list is refused where mounts are to be added", async () => {
    const error = await errorOf(seed.create({ id: "bad", spec: bytes('{"mounts":{}}'), mounts: [{ target: "/x" }] }));
    expect(error.code).toBe(Code.InvalidArgument);
  });

  test("an existing bundle is AlreadyExists, also one of the other shape", async () => {
    await bundles.create({ id: "other" });
    const error = await errorOf(seed.create({ id: "other", spec: bytes("{}") }));
    expect(error.code).toBe(Code.AlreadyExists);
    expect(error.rawMessage).toMatch(/: already exists$/);
    expect(error.findDetails(ResourceInfoSchema)).toMatchObject([{ resourceType: "bundle", resourceName: "other" }]);
  });
});

function violations(error: RpcError): { field: string }[] {
  return error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
}
