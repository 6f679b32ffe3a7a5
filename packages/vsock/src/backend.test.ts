import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { choose, syscalls } from "./backend.js";
import { hasNodeFfi, nodeFfiSyscalls } from "./backend-node-ffi.js";
import { AF_UNIX, SOCK_STREAM } from "./syscalls.js";

const built = new URL("../dist/index.js", import.meta.url);

/** Runs a module in a process of its own, on the built package. */
async function inChild(code: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  expect(existsSync(built)).toBe(true);
  const args = ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}

test("importing the package loads no addon, and refused arguments load none either", async () => {
  const loaded = await inChild(`
    const vsock = await import(${JSON.stringify(built.href)});
    await vsock.dial({ cid: -1, port: 1 }).catch(() => {});
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify(sharedObjects.filter((file) => file.includes("koffi")).length +
      process.moduleLoadList.filter((name) => /\\bffi$/.test(name)).length));`);
  expect(loaded).toBe(0);
});

test("the first use loads koffi", async () => {
  const loaded = await inChild(`
    const { syscalls } = await import(${JSON.stringify(new URL("backend.js", built).href)});
    const { name } = syscalls();
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify({ name, koffi: sharedObjects.some((file) => file.includes("koffi")) }));`);
  expect(loaded).toEqual({ name: "koffi", koffi: true });
});

test("the environment forces a backend, and a wrong name is refused", async () => {
  const name = `
    const { syscalls } = await import(${JSON.stringify(new URL("backend.js", built).href)});
    let name; try { name = syscalls().name } catch (error) { name = error.message }
    console.log(JSON.stringify(name));`;
  const forced = await inChild(name, { GUESTWIRE_VSOCK_BACKEND: "node-ffi" });
  if (hasNodeFfi()) expect(forced).toBe("node:ffi");
  else expect(forced).toContain(`Node ${process.version} has no node:ffi`);
  expect(await inChild(name, { GUESTWIRE_VSOCK_BACKEND: "other" })).toBe(
    'AF_VSOCK is not available: GUESTWIRE_VSOCK_BACKEND is "other", which is neither "koffi" nor "node-ffi"',
  );
});

test("where neither may be loaded the error says what was tried and what to do", async () => {
  const error = (await inChild(
    `const { spawnSync } = await import("node:child_process");
    const program = 'import(${JSON.stringify(built.href)}).then((vsock) => vsock.dial({ cid: 1, port: 1 })).catch((error) =>' +
      ' console.log(JSON.stringify({ code: error.code, message: error.message, causes: error.cause.errors?.length ?? 1 })))';
    console.log(spawnSync(process.execPath, ["--permission", "--allow-fs-read=*", "-e", program], { encoding: "utf8" }).stdout);`,
  )) as { code: string; message: string; causes: number };
  expect(error.code).toBe("ERR_VSOCK_UNAVAILABLE");
  expect(error.message).toMatch(/^AF_VSOCK is not available: nothing here can make system calls \(.*\): install koffi/);
  expect(error.causes).toBe(2);
});

test("other platforms are refused by name, without loading anything", () => {
  expect(() => choose("darwin")).toThrow(
    "AF_VSOCK is not available: Linux alone has such sockets for Node, and this is darwin",
  );
});

test("a name that is no backend is refused", () => {
  expect(() => choose("linux", "other")).toThrow('GUESTWIRE_VSOCK_BACKEND is "other"');
  expect(choose("linux", "").name).toBe("koffi");
});

test("a backend that was forced is used, or is the cause of the error", () => {
  if (hasNodeFfi()) expect(choose("linux", "node-ffi").name).toBe("node:ffi");
  else expect(() => choose("linux", "node-ffi")).toThrow(expect.objectContaining({ cause: expect.any(Error) }));
});

test("without node:ffi its backend refuses", () => {
  if (hasNodeFfi()) expect(nodeFfiSyscalls().name).toBe("node:ffi");
  else expect(() => nodeFfiSyscalls()).toThrow("has no node:ffi");
});

test("the choice is made once", () => {
  expect(syscalls()).toBe(syscalls());
  const fd = syscalls().socket(AF_UNIX, SOCK_STREAM, 0);
  expect(fd).toBeGreaterThan(2);
  expect(syscalls().close(fd)).toBe(0);
});
