import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorOf } from "../guest.test.support.js";
import { readBundle, readExecSpec } from "./oci-process.js";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-oci-"));
  await mkdir(join(folder, "rootfs"));
});

afterAll(() => rm(folder, { recursive: true }));

const good = { args: ["sh", "-c", "true"], env: ["PATH=/usr/bin:/bin", "E=", "X=a=b"], cwd: "/srv/deep" };

async function read(config: unknown) {
  await writeFile(join(folder, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  return readBundle(folder);
}

test("what to run, where and with what comes from config.json", async () => {
  const { root, process } = await read({ process: good });
  expect(root).toBe(join(folder, "rootfs"));
  expect(process).toEqual({
    args: good.args,
    env: { PATH: "/usr/bin:/bin", E: "", X: "a=b" },
    cwd: join(folder, "rootfs/srv/deep"),
    runAs: undefined,
  });
  expect((await stat(process.cwd)).isDirectory()).toBe(true);
});

test("the root may be elsewhere, and the working directory stays in it", async () => {
  const elsewhere = join(folder, "elsewhere");
  const { process } = await read({ root: { path: elsewhere }, process: { ...good, cwd: "/../../up" } });
  expect(process.cwd).toBe(join(elsewhere, "up"));
});

test("a directory that no file system makes is refused, and nothing waits for it", async () => {
  const error = await errorOf(read({ root: { path: "/" }, process: { ...good, cwd: "/proc/nowhere/deep" } }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toContain("process.cwd: ENOENT");
});

test.each<[string, unknown, string]>([
  ["no JSON", "{", "is no JSON"],
  ["no object", "[]", "the spec must be a JSON object"],
  ["no process", {}, "process must be a JSON object"],
  ["no arguments", { process: { ...good, args: [] } }, "process.args must name a program"],
  ["an empty program", { process: { ...good, args: [""] } }, "process.args must name a program"],
  ["arguments that are no texts", { process: { ...good, args: ["sh", 1] } }, "process.args"],
  ["a NUL", { process: { ...good, args: ["sh", "a\0"] } }, "process.args"],
  ["a program with =", { process: { ...good, args: ["a=b"] } }, 'must not contain "="'],
  ["a program that is missing", { process: { ...good, args: ["no-such-program"] } }, '"no-such-program" is not found'],
  ["a program that is no file", { process: { ...good, args: ["/usr"] } }, '"/usr" is not executable'],
  ["a variable without =", { process: { ...good, env: ["PATH"] } }, "process.env[0] must have the form NAME=VALUE"],
  ["a relative directory", { process: { ...good, cwd: "work" } }, "process.cwd must be an absolute path"],
  ["no directory", { process: { ...good, cwd: undefined } }, "process.cwd"],
  ["a user that is no number", { process: { ...good, user: { uid: "me" } } }, "process.user"],
  ["a root without a path", { process: good, root: { path: 1 } }, "root.path must be a path"],
])("%s is refused by name", async (_, config, text) => {
  const error = await errorOf(read(config));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toContain(text);
});

test("a missing bundle is NotFound and a relative one InvalidArgument", async () => {
  expect((await errorOf(readBundle(join(folder, "none")))).code).toBe(Code.NotFound);
  expect((await errorOf(readBundle("bundles/web"))).code).toBe(Code.InvalidArgument);
});

test("an exec's process is read by the same rules", async () => {
  const spec = await readExecSpec(Buffer.from(JSON.stringify(good)), join(folder, "rootfs"));
  expect(spec.cwd).toBe(join(folder, "rootfs/srv/deep"));
  expect((await errorOf(readExecSpec(Buffer.from("no"), folder))).code).toBe(Code.InvalidArgument);
});

test("only root may become another user", async () => {
  const other = read({ process: { ...good, user: { uid: 4242, gid: 4343 } } });
  if (process.getuid?.() === 0) expect((await other).process.runAs).toEqual({ uid: 4242, gid: 4343 });
  else expect((await errorOf(other)).code).toBe(Code.PermissionDenied);
});
