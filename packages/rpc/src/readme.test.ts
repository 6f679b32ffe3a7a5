// The README's snippets are one program; it runs on the built packages and prints what its comments say.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// `await using` is read by Node from 24 on; for 22 a compiler rewrites it. So the program runs on the Node of the repository.
const node = new URL("../../../node_modules/node/bin/node", import.meta.url).pathname;

const printed = [
  "running",
  "a",
  "b",
  "[not_found] no machine gone",
  "true /arcbox.v1.MachineService/Inspect",
  "all+a+b",
  "/arcbox.v1.MachineService/Exec gave 1",
  "[permission_denied] the caller may not call /arcbox.v1.MachineService/Stop",
  "ci",
  "hello",
  "true",
  "/arcbox.v1.MachineService/Inspect 0 1",
];

test("the README's program runs", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(snippets.length).toBeGreaterThan(4);
  const program = snippets
    .join("\n")
    .replaceAll(/"@guestwire\/([a-z]+)"/g, (_, name) => `"${new URL(`../../${name}/dist/index.js`, import.meta.url)}"`);
  const folder = await mkdtemp(join(tmpdir(), "gw-"));
  try {
    const file = join(folder, "readme.mts");
    await writeFile(file, program);
    const { stdout } = await promisify(execFile)(node, [file]);
    expect(stdout.trim().split("\n")).toEqual(printed);
  } finally {
    await rm(folder, { recursive: true });
  }
});
