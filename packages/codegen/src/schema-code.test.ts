// The committed code of the schema: it is told when it is stale, it belongs to one package, and users can reach it all.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repository } from "./testing/request.js";
import { copySchema, type SchemaCopy } from "./testing/schema-copy.js";

/** The packages that offer generated code. */
const packages = readdirSync(join(repository, "packages")).filter((name) =>
  readFileSync(join(repository, "packages", name, "package.json"), "utf8").includes('"./gen/*.js"'),
);

describe("freshness", () => {
  let copy: SchemaCopy;

  beforeAll(() => {
    copy = copySchema();
  });

  afterAll(() => copy.remove());

  test("the check names stale, missing and extra files, and generating anew mends them", () => {
    const machine = "packages/machine/src/gen/arcbox/v1";
    copy.edit(`${machine}/machine_rpc.ts`, "export", "/* by hand */ export");
    rmSync(join(copy.folder, machine, "machine_pb.ts"));
    writeFileSync(join(copy.folder, machine, "old_rpc.ts"), "export {};\n");

    expect(copy.protos("check")).toEqual({
      status: 1,
      output: [
        'generated code is not fresh; run "task protos"',
        `stale    ${machine}/machine_rpc.ts`,
        `missing  ${machine}/machine_pb.ts`,
        `extra    ${machine}/old_rpc.ts`,
        "",
      ].join("\n"),
    });
    expect(copy.protos("generate")).toEqual({ status: 0, output: "3 generated files renewed\n" });
    expect(existsSync(join(copy.folder, machine, "old_rpc.ts"))).toBe(false);
    expect(copy.protos("check").output).toMatch(/^\d+ generated files are fresh\n$/);
  });

  test("a proto file that no package has is named", () => {
    writeFileSync(join(copy.folder, "proto/stray.proto"), 'syntax = "proto3";\n');
    const { status, output } = copy.protos("generate");
    rmSync(join(copy.folder, "proto/stray.proto"));
    expect({ status, output }).toEqual({
      status: 1,
      output: "no package in scripts/protos/packages.mjs has proto/stray.proto\n",
    });
  });
});

describe("packages", () => {
  test("no file is generated twice", () => {
    const files = packages.flatMap((name) => filesIn(sources(name, "gen")));
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file, index) => files.indexOf(file) !== index)).toEqual([]);
  });

  test.for(packages)("%s exports all that is generated for it by name", (name) => {
    const generated = filesIn(sources(name, "gen")).flatMap((file) => {
      const text = readFileSync(sources(name, "gen", file), "utf8");
      return [...text.matchAll(/^export (?:const|type|interface|function) ([\w$]+)/gm)].map(
        ([, symbol]) => `${file} ${symbol}`,
      );
    });
    const exported = filesIn(sources(name))
      .filter((file) => file.endsWith("index.ts"))
      .flatMap((file) =>
        [
          ...readFileSync(sources(name, file), "utf8").matchAll(/export \{([^}]*)\} from "[./]*gen\/([^"]*)\.js"/g),
        ].flatMap(([, symbols = "", source]) =>
          symbols.split(",").map((symbol) => `${source}.ts ${symbol.trim().replace(/^type /, "")}`),
        ),
      );
    // Descriptors of whole files are for reflection, and stay reachable by the sub-path gen/.
    const wanted = generated.filter((line) => !line.includes(" file_"));
    expect(wanted.filter((line) => !exported.includes(line))).toEqual([]);
  });
});

function sources(name: string, ...path: string[]): string {
  return join(repository, "packages", name, "src", ...path);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .sort();
}
