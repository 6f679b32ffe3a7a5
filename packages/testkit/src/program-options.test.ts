// What programs make of their command lines.
import { expect, test } from "vitest";
import { readCommandLine } from "./program-options.js";

const config = { options: { seeds: { type: "string", default: "5" }, write: { type: "boolean" } } } as const;

function said(...args: string[]): unknown {
  const line = readCommandLine("usage: it", config, args);
  return "options" in line ? { ...line.options.values } : [line.status, line.says];
}

test("options are read", () => {
  expect(said()).toEqual({ seeds: "5" });
  expect(said("--seeds", "7", "--write")).toEqual({ seeds: "7", write: true });
});

test("--help is the usage, and no failure", () => {
  expect(said("--help")).toEqual([0, "usage: it"]);
  expect(said("--seeds=7", "-h")).toEqual([0, "usage: it"]);
});

test.each([
  [["--sedes", "7"], "--sedes"],
  [["stray"], "stray"],
  [["--seeds"], "--seeds"],
  [["--seeds", "--write"], "--seeds"],
  [["--write=yes"], "--write"],
])("%j is refused in one line that names what is wrong", (args, named) => {
  const [status, line] = said(...args) as [number, string];
  expect(status).toBe(2);
  expect(line).toContain(`'${named}`);
  expect(line).not.toContain("\n");
});

test("words after -- are words where a program takes them", () => {
  const line = readCommandLine("usage: it", { allowPositionals: true }, ["loopback", "--", "ls", "--help"]);
  expect("options" in line && line.options.positionals).toEqual(["loopback", "ls", "--help"]);
});

test("a program that takes words gives no advice on how to write an option as one", () => {
  expect(readCommandLine("usage: it", { allowPositionals: true }, ["--wrong"])).toEqual({
    says: "Unknown option '--wrong'",
    status: 2,
  });
});
