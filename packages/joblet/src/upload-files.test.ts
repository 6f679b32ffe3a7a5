import { once } from "node:events";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { Code, RpcError } from "@guestwire/rpc";
import { type TempFolder, tempFolder } from "@guestwire/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type UploadOptions, uploadFiles } from "./upload-files.js";

let folder: TempFolder;

beforeEach(async () => {
  folder = await tempFolder();
  await mkdir(folder.file("app/bin"), { recursive: true });
  await writeFile(folder.file("app/bin/run.sh"), "#!/bin/sh\n");
  await chmod(folder.file("app/bin/run.sh"), 0o755);
  await writeFile(folder.file("app/data.txt"), "data");
  await chmod(folder.file("app/data.txt"), 0o640);
  await chmod(folder.file("app/bin"), 0o700);
  await chmod(folder.file("app"), 0o755);
});

afterEach(() => folder[Symbol.asyncDispose]());

async function failure(paths: string[], options: UploadOptions = {}): Promise<RpcError> {
  try {
    await uploadFiles(paths, { root: folder.path, ...options });
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

test("files and whole directories, with their modes, sorted, each once", async () => {
  const uploads = await uploadFiles(["app/data.txt", folder.file("app")], { root: folder.path });
  expect(
    uploads.map(({ content, ...rest }) => ({ ...rest, text: content && Buffer.from(content).toString() })),
  ).toEqual([
    { path: "app", mode: 0o755, isDirectory: true, text: undefined },
    { path: "app/bin", mode: 0o700, isDirectory: true, text: undefined },
    { path: "app/bin/run.sh", mode: 0o755, text: "#!/bin/sh\n" },
    { path: "app/data.txt", mode: 0o640, text: "data" },
  ]);
});

test("the root itself may be given", async () => {
  const uploads = await uploadFiles(["."], { root: folder.file("app") });
  expect(uploads.map(({ path }) => path)).toEqual(["bin", "bin/run.sh", "data.txt"]);
});

test("links to files are files; links to directories are refused", async () => {
  await symlink("data.txt", folder.file("app/link"));
  const [upload] = await uploadFiles(["app/link"], { root: folder.path });
  expect(Buffer.from(upload?.content ?? []).toString()).toBe("data");
  await symlink("bin", folder.file("app/dir"));
  expect(await failure(["app"])).toMatchObject({ code: Code.InvalidArgument });
  expect((await failure(["app"])).rawMessage).toMatch(/app\/dir is a link to a directory$/);
});

test("what is missing, outside, or no file is told by its path", async () => {
  expect(await failure(["none"])).toMatchObject({ code: Code.NotFound });
  expect((await failure(["../x"])).rawMessage).toContain(`lies outside of ${folder.path}`);
  expect((await failure(["/etc/passwd"])).rawMessage).toContain("/etc/passwd lies outside");
  const server = createServer();
  await once(server.listen(folder.file("app/socket")), "listening");
  expect((await failure(["app"])).rawMessage).toContain("app/socket is neither a file nor a directory");
  server.close();
});

test("the bytes of all are counted before anything is read", async () => {
  const size = "app/data.txt".length + 4 + 32;
  const one = ["app/data.txt"];
  const options = (limitBytes: number): UploadOptions => ({ root: folder.path, limitBytes });
  expect(await uploadFiles(one, options(size))).toHaveLength(1);
  expect(await uploadFiles(one, options(size + 1))).toHaveLength(1);
  const error = await failure(one, { limitBytes: size - 1 });
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.rawMessage).toBe(
    `uploads: with app/data.txt they exceed ${size - 1} bytes; put large files into a volume`,
  );
});
