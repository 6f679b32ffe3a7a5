// Generated code in the hands of a user: it compiles under strict rules, has the types of @guestwire/rpc, and makes calls.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProject, type Project } from "./testing/project.js";
import { repository } from "./testing/request.js";

/** Proto file → its services by the names of their descriptors and of their stubs. */
const services = {
  "shop/shop": [
    ["ShopService", "ShopService"],
    ["ClosedService", "ClosedService"],
  ],
  names: [
    ["Object$", "Object"],
    ["Function", "Function"],
    ["Shelf", "Shelf"],
    ["channel", "channel"],
    ["YMethods", "YMethods"],
    ["registerY", "registerY"],
  ],
  "legacy/legacy": [["Registry", "Registry"]],
  "modern/modern": [["ModernService", "ModernService"]],
} as const;

let project: Project;

beforeAll(() => {
  project = createProject();
});

afterAll(() => project.remove());

test("its interfaces are assignable to the mapped types of @guestwire/rpc and back", () => {
  for (const [file, list] of Object.entries(services)) {
    const lines = [
      'import type { Client, Handlers, MethodInfo } from "@guestwire/rpc";',
      `import type * as pb from "../gen/${file}_pb.js";`,
      `import * as rpc from "../gen/${file}_rpc.js";`,
      "type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;",
    ];
    for (const [descriptor, name] of list) {
      const methods = name === "registerY" ? "registerYMethods$" : `${name}Methods`;
      lines.push(
        `export const ${name}Client: Mutual<rpc.${name}Client, Client<typeof pb.${descriptor}>> = true;`,
        `export const ${name}Handler: Mutual<rpc.${name}Handler, Handlers<typeof pb.${descriptor}>> = true;`,
        `export const ${name}Table: Record<keyof rpc.${name}Client, MethodInfo> = rpc.${methods};`,
      );
    }
    project.write(`src/types/${file.replace("/", "-")}.ts`, lines.join("\n"));
  }
  expect(project.compile()).toBe("");
});

test("a handler of the wrong type does not compile", () => {
  project.write(
    "src/wrong.ts",
    [
      'import { createRouter } from "@guestwire/rpc";',
      'import { registerShopService } from "./gen/shop/shop_rpc.js";',
      "registerShopService(createRouter(), { getItem: () => ({ id: 7 }) });",
      "registerShopService(createRouter(), { getItm: () => ({}) });",
    ].join("\n"),
  );
  const output = project.compile();
  project.write("src/wrong.ts", "export {};");
  expect(output).toMatch(/src\/wrong\.ts\(3,\d+\): error .*'\(\) => \{ id: number; \}' is not assignable/);
  expect(output).toMatch(/src\/wrong\.ts\(4,\d+\): error .*'getItm' does not exist/);
});

test("a generated client reaches a generated registration", async () => {
  project.write("src/shop.ts", program);
  expect(project.compile()).toBe("");
  const { talk } = (await import(/* @vite-ignore */ pathToFileURL(join(project.folder, "dist/shop.js")).href)) as {
    talk: () => Promise<unknown>;
  };
  expect(await talk()).toEqual({
    item: "book in de, 2 labels",
    updates: ["a", "b"],
    uploaded: ["x", "y"],
    haggled: [5n, 4n],
    missing: "[unimplemented] method OldBuy",
  });
});

test("the installed program tells its version", () => {
  const program = join(repository, "packages/codegen/bin/protoc-gen-guestwire.js");
  expect(execFileSync(process.execPath, [program, "--version"], { encoding: "utf8" })).toMatch(
    /^protoc-gen-guestwire v\d+\.\d+\.\d+\S*\n$/,
  );
});

/** Compiled and run in the project, against the built packages. */
const program = `
import { createInProcessChannel, createRouter, RpcError } from "@guestwire/rpc";
import { createShopServiceClient, registerShopService, type ShopServiceClient } from "./gen/shop/shop_rpc.js";

export async function talk(): Promise<unknown> {
  const uploaded: string[] = [];
  const router = registerShopService(createRouter(), {
    getItem: ({ id, language }) => ({ id: id + " in " + language, labels: { a: "1", b: "2" } }),
    *watchPrices({ ids }) {
      for (const id of ids) yield { id, money: { currency: "EUR", units: 1n } };
    },
    async upload(items) {
      for await (const { id } of items) uploaded.push(id);
      return {};
    },
    async *haggle(offers) {
      for await (const { units } of offers) yield { units: units - 1n };
    },
  });
  await using channel = createInProcessChannel(router);
  const shop: ShopServiceClient = createShopServiceClient(channel);

  const item = await shop.getItem({ id: "book", language: "de" });
  const updates: string[] = [];
  for await (const { id } of shop.watchPrices({ ids: ["a", "b"] })) updates.push(id);
  await shop.upload([{ id: "x" }, { id: "y" }]);
  const haggled: bigint[] = [];
  for await (const { units } of shop.haggle([{ units: 6n }, { units: 5n }])) haggled.push(units);
  const missing = await shop.oldBuy({}).catch((error: unknown) => RpcError.from(error).message);
  const text = item.id + ", " + Object.keys(item.labels).length + " labels";
  return { item: text, updates, uploaded, haggled, missing };
}
`;
