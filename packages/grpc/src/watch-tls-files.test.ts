// TLS files on a real disk: what is read, what is told when they change, and what stays in use when they are broken.
import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { Code, type RpcError } from "@guestwire/rpc";
import { createTestCa, type TempFolder, type TestCa, type TestCertificate, tempFolder } from "@guestwire/testkit";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { failure } from "./server.test.support.js";
import { type TlsFilesOptions, watchTlsFiles } from "./watch-tls-files.js";

let ca: TestCa;
let first: TestCertificate;
let second: TestCertificate;
let folder: TempFolder;
let files: Required<Pick<TlsFilesOptions, "certFile" | "keyFile" | "caFile">>;

beforeAll(async () => {
  ca = await createTestCa();
  [first, second] = await Promise.all([ca.issue({ commonName: "first" }), ca.issue({ commonName: "second" })]);
});

beforeEach(async () => {
  folder = await tempFolder();
  files = { certFile: folder.file("tls.crt"), keyFile: folder.file("tls.key"), caFile: folder.file("ca.crt") };
  await write(first);
  await writeFile(files.caFile, ca.ca);
});

afterEach(() => folder[Symbol.asyncDispose]());

async function write({ cert, key }: TestCertificate): Promise<void> {
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
}

// Longer than any test: these reload by themselves only when told to.
const never = 2 ** 31 - 1;

test("files are read at once and again when told to; listeners hear of changes only", async () => {
  let reloads = 0;
  let heard = 0;
  using tls = await watchTlsFiles({ ...files, minVersion: "TLSv1.3", intervalMs: never, onReload: () => reloads++ });
  const unsubscribe = tls.onChange(() => heard++);
  expect(tls.current).toEqual({ ...first, ca: ca.ca, minVersion: "TLSv1.3" });
  expect(await tls.reload()).toBe(false);
  await write(second);
  expect(await tls.reload()).toBe(true);
  expect(tls.current).toEqual({ ...second, ca: ca.ca, minVersion: "TLSv1.3" });
  expect([reloads, heard]).toEqual([1, 1]);
  unsubscribe();
  await write(first);
  expect(await tls.reload()).toBe(true);
  expect([reloads, heard]).toEqual([2, 1]);
});

test("files that cannot be used are told once, and those before stay in use until they can", async () => {
  const errors: RpcError[] = [];
  using tls = await watchTlsFiles({ ...files, intervalMs: never, onError: (error) => errors.push(error) });
  await writeFile(files.certFile, second.cert);
  for (let i = 0; i < 2; i++) {
    expect(await failure(tls.reload())).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "tls.key is not the key of tls.cert",
    });
  }
  expect(errors).toHaveLength(1);
  expect(tls.current.cert).toBe(first.cert);
  await rm(files.keyFile);
  expect(await failure(tls.reload())).toMatchObject({ code: Code.NotFound });
  expect(errors.map(({ code }) => code)).toEqual([Code.InvalidArgument, Code.NotFound]);
  await write(second);
  expect(await tls.reload()).toBe(true);
  expect(tls.current).toMatchObject(second);
});

test("changes are found without being told, through links as secrets are mounted, until it is disposed of", async () => {
  const link = folder.file("linked.crt");
  const key = folder.file("linked.key");
  await symlink(files.certFile, link);
  await symlink(files.keyFile, key);
  const changed = Promise.withResolvers<void>();
  const tls = await watchTlsFiles({ certFile: link, keyFile: key, intervalMs: 1, onReload: () => changed.resolve() });
  await writeFile(folder.file("next.crt"), second.cert);
  await writeFile(folder.file("next.key"), second.key);
  await symlink(folder.file("next.crt"), folder.file("swap.crt"));
  await symlink(folder.file("next.key"), folder.file("swap.key"));
  await rename(folder.file("swap.crt"), link);
  await rename(folder.file("swap.key"), key);
  await changed.promise;
  expect(tls.current).toEqual(second);
  tls[Symbol.dispose]();
});

test("a timer that is disposed of while it reads does not come again", async () => {
  vi.useFakeTimers();
  try {
    const tls = await watchTlsFiles({ ...files, intervalMs: 5 });
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(5);
    tls[Symbol.dispose]();
    await tls.reload();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("what is wrong at the beginning is an error that names it", async () => {
  const missing = folder.file("nothing.crt");
  expect(await failure(watchTlsFiles({ ...files, certFile: missing }))).toMatchObject({
    code: Code.NotFound,
    rawMessage: expect.stringContaining(`cannot read ${missing}`),
  });
  const { keyFile: _, ...noKey } = files;
  expect(await failure(watchTlsFiles(noKey))).toMatchObject({
    rawMessage: "tls.cert is given without tls.key",
  });
  for (const intervalMs of [0, Number.NaN, 2 ** 31]) {
    expect(await failure(watchTlsFiles({ ...files, intervalMs }))).toMatchObject({ code: Code.InvalidArgument });
  }
});
