// Listening sockets on the real system: who may use them, and what they replace.
import { chmod, link, lstat, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { Code, RpcError } from "@guestwire/rpc";
import { type Listener, openListener, parseAddress } from "@guestwire/rpc/transport";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchHandles } from "./handles.js";
import { rawConnect, rawListen } from "./raw-peer.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

let folder: TempFolder;
let allClosed: () => Promise<void>;

beforeEach(async () => {
  allClosed = watchHandles();
  folder = await tempFolder();
});

afterEach(async () => {
  await folder[Symbol.asyncDispose]();
  await allClosed();
});

const open = (address: string, accept: (socket: Socket) => void = (socket) => socket.destroy()): Promise<Listener> =>
  openListener(parseAddress(address), accept);

const close = ({ server }: Listener): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

async function refusal(address: string): Promise<RpcError> {
  const error = await open(address).then(close, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

describe("a unix socket", () => {
  test("is the owner's alone, in a folder that is the owner's alone", async () => {
    const mask = process.umask();
    const path = folder.file("new/deep/a.sock");
    const listener = await open(`unix:${path}`);
    expect(listener.address).toBe(`unix://${path}`);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect((await lstat(folder.file("new/deep"))).mode & 0o777).toBe(0o700);
    expect(process.umask()).toBe(mask);
    await close(listener);
  });

  test("leaves a folder that exists as it is, and goes when it is closed", async () => {
    await mkdir(folder.file("open"), { mode: 0o755 });
    await chmod(folder.file("open"), 0o755);
    const listener = await open(`unix:${folder.file("open/a.sock")}`);
    expect((await lstat(folder.file("open"))).mode & 0o777).toBe(0o755);
    await close(listener);
    await expect(lstat(folder.file("open/a.sock"))).rejects.toThrow("ENOENT");
  });

  test("takes connections", async () => {
    const accepted = Promise.withResolvers<Socket>();
    const listener = await open(`unix:${folder.file("a.sock")}`, accepted.resolve);
    await using peer = await rawConnect(folder.file("a.sock"));
    (await accepted.promise).end("0123456789");
    await peer.closed;
    expect(peer.receivedBytes).toBe(10);
    (await accepted.promise).destroy();
    await close(listener);
  });

  test("that nobody listens on any more is replaced", async () => {
    const path = folder.file("a.sock");
    await makeStale(path);
    const before = (await lstat(path)).birthtimeMs;
    const listener = await open(`unix:${path}`);
    await using peer = await rawConnect(path);
    await peer.closed;
    expect((await lstat(path)).isSocket()).toBe(true);
    expect((await lstat(path)).birthtimeMs).toBeGreaterThan(before);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    await close(listener);
  });

  test("that another one listens on is not replaced", async () => {
    const path = folder.file("a.sock");
    await using other = await rawListen(path);
    expect(await refusal(`unix:${path}`)).toMatchObject({
      code: Code.AlreadyExists,
      rawMessage: `unix://${path} is in use already`,
    });
    await using peer = await rawConnect(path);
    expect(peer.isClosed).toBe(false);
    expect(other.server.listening).toBe(true);
  });

  test.each([
    ["a file", (path: string) => writeFile(path, "precious")],
    ["a folder", (path: string) => mkdir(path)],
    ["a link", (path: string) => symlink("/nowhere", path)],
  ])("does not replace %s", async (_, make) => {
    const path = folder.file("thing");
    await make(path);
    expect(await refusal(`unix:${path}`)).toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: `unix://${path}: the path exists and is not a socket`,
    });
    await lstat(path);
  });

  test("cannot lie below a file", async () => {
    await writeFile(folder.file("file"), "");
    const error = await refusal(`unix:${folder.file("file/a.sock")}`);
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toMatch(/^cannot listen on unix:.*ENOTDIR/);
  });

  test("too long is refused by its address", async () => {
    expect(() => open(`unix:///${"x".repeat(107)}`)).toThrow(/the path has 108 bytes/);
  });
});

describe("an abstract name", () => {
  test("is listened on once, by its exact name", async () => {
    const name = `gw-test-${process.pid}`;
    const listener = await open(`unix:@${name}`);
    expect(listener.address).toBe(`unix:@${name}`);
    await using peer = await rawConnect(`\0${name}`);
    await peer.closed;
    expect((await refusal(`unix:@${name}`)).code).toBe(Code.AlreadyExists);
    await close(listener);
  });
});

describe("a tcp port", () => {
  test("0 becomes a free one, which is then in use", async () => {
    const listener = await open("tcp://127.0.0.1:0");
    expect(listener.address).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const error = await refusal(listener.address);
    expect(error).toMatchObject({
      code: Code.AlreadyExists,
      rawMessage: `${listener.address} is in use already`,
    });
    await close(listener);
  });

  test("of a host that is not ours gets the system's error", async () => {
    const error = await refusal("tcp://192.0.2.1:0");
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toMatch(/^cannot listen on tcp:\/\/192\.0\.2\.1:0: .*EADDRNOTAVAIL/);
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe("an inherited socket", () => {
  test("a descriptor that is no listening socket is refused", async () => {
    const error = await refusal("fd://2147483647");
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(/the descriptor is no listening socket/);
  });
});

test("an accept that fails does not end the process", async () => {
  const listener = await open(`unix:${folder.file("a.sock")}`);
  listener.server.emit("error", new Error("accept EMFILE"));
  await using peer = await rawConnect(folder.file("a.sock"));
  await peer.closed;
  await close(listener);
});

/** Leaves a socket file behind that nobody listens on, as after a crash. */
async function makeStale(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.first`, resolve));
  // Closing removes the first name only.
  await link(`${path}.first`, path);
  await new Promise((resolve) => server.close(resolve));
}
