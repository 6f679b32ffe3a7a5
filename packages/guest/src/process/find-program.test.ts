import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { programProblem } from "./find-program.js";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-path-"));
  for (const part of ["a", "b"]) await mkdir(join(folder, part));
  await writeFile(join(folder, "a/tool"), "");
  await writeFile(join(folder, "b/tool"), "");
  await chmod(join(folder, "b/tool"), 0o755);
});

afterAll(() => rm(folder, { recursive: true }));

test("a name is looked for in all folders of PATH", () => {
  expect(programProblem("tool", "/", `${folder}/a:${folder}/b`)).toBeUndefined();
  expect(programProblem("tool", "/", `${folder}/a:${folder}/none`)).toBe("not executable");
  expect(programProblem("tool", "/", `${folder}/none`)).toBe("not found");
  expect(programProblem("", "/", folder)).toBe("not found");
  expect(programProblem("a", "/", folder)).toBe("not executable");
});

test("an empty folder of PATH is the working directory, and a path is relative to it", () => {
  expect(programProblem("tool", join(folder, "b"), ":/none")).toBeUndefined();
  expect(programProblem("./tool", join(folder, "b"), "/none")).toBeUndefined();
  expect(programProblem("b/tool", folder, "/none")).toBeUndefined();
  expect(programProblem(join(folder, "b/tool"), "/", "/none")).toBeUndefined();
  expect(programProblem("b/none", folder, "/none")).toBe("not found");
});

test("without PATH the system's programs are found", () => {
  expect(programProblem("sh", "/")).toBeUndefined();
});
