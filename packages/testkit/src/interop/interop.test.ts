// gRPC's interoperability tests: our client and our server over every transport, and each of them with grpc-go at the other end.
import { readFileSync } from "node:fs";
import * as grpc from "@guestwire/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestService } from "../gen/grpc/testing/test_pb.js";
import { goProgram } from "../go-tools.js";
import { runClient } from "../peer-program.js";
import { tempFolder } from "../temp-folder.js";
import { interopCases, runInteropCase } from "./cases.js";
import { interopHandlers } from "./handlers.js";
import { certificateFiles, grpcGoTargets, type OpenTarget, ourTargets } from "./targets.js";

// Where there is no Go, what needs it is left out; goProgram says so.
const goServer = await goProgram("grpc-interop-server");
const goClient = await goProgram("grpc-interop-client");

const names = Object.keys(interopCases);
const targets = [...ourTargets, ...(goServer === undefined ? [] : grpcGoTargets(goServer))];

// What the tests below found, case by case, for the table at the end.
const found = new Map<string, string[]>();
const passed = (name: string, where: string): void => void found.set(name, [...(found.get(name) ?? []), where]);
afterAll(() => {
  const columns = [...new Set([...found.values()].flat())];
  const row = (cells: string[]): string => `| ${cells.join(" | ")} |`;
  const rows = [...found].map(([name, where]) =>
    row([name, ...columns.map((column) => (where.includes(column) ? "✓" : "-"))]),
  );
  console.log([row(["passed", ...columns]), ...rows].join("\n"));
});

describe.each(targets)("over $name", (kind) => {
  let target: OpenTarget;
  beforeAll(async () => {
    target = await kind.open();
  });
  afterAll(() => target.close());

  test.each(names)("%s", async (name) => {
    await runInteropCase(name, target);
    passed(name, kind.name);
  });
});

// grpc-go has no concurrent_large_unary of its own; pick_first_unary it has beside the 17.
const goCases = [...names.filter((name) => name !== "concurrent_large_unary"), "pick_first_unary"];

if (goClient !== undefined) {
  describe("grpc-go's client with our server", () => {
    const ends: (() => PromiseLike<void>)[] = [];
    const args: Record<string, string[]> = {};
    beforeAll(async () => {
      const folder = await tempFolder();
      const files = await certificateFiles();
      const { cert, key } = files.pem;
      const plain = grpc.serve().service(TestService, interopHandlers());
      const secure = grpc.serve({ tls: { cert, key } }).service(TestService, interopHandlers());
      const path = folder.file("g.sock");
      await plain.listen(`unix://${path}`);
      const { host } = new URL(await secure.listen("tcp://127.0.0.1:0"));
      args["unix socket"] = ["-target", `unix:${path}`];
      args["TCP and TLS"] = ["-target", host, "-ca", files.ca];
      ends.push(
        () => plain.close({ graceMs: 0 }),
        () => secure.close({ graceMs: 0 }),
        () => files[Symbol.asyncDispose](),
        () => folder[Symbol.asyncDispose](),
      );
    });
    afterAll(async () => {
      for (const end of ends) await end();
    });

    describe.each(["unix socket", "TCP and TLS"])("over %s", (kind) => {
      test.each(goCases)("%s", async (name) => {
        await runClient(goClient, ["-test_case", name, ...(args[kind] ?? [])]);
        passed(name, `grpc-go client, ${kind}`);
      });
    });
  });
}

test("the page on interoperability names every case and grpc-go's version", () => {
  const page = readFileSync(new URL("../../../../docs/interop.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name);
  expect(rows).toEqual(names);
  const module = readFileSync(new URL("../../peers/go/go.mod", import.meta.url), "utf8");
  expect(page).toContain(`grpc-go ${/google\.golang\.org\/grpc (v\S+)/.exec(module)?.[1]}`);
});
