// What the plugin writes, and how it takes its options.
import { describe, expect, test } from "vitest";
import { generateForeign } from "./testing/request.js";

const generated = generateForeign("target=ts,import_extension=js");

describe("what is generated", () => {
  test("is one file for every proto file with services, and none for the others", () => {
    expect([...generated.keys()].sort()).toEqual([
      "legacy/legacy_rpc.ts",
      "modern/modern_rpc.ts",
      "names_rpc.ts",
      "shop/shop_rpc.ts",
    ]);
  });

  test.for([...generated.keys()])("%s is as it was last approved", async (name) => {
    await expect(generated.get(name)).toMatchFileSnapshot(`../testdata/golden/${name}`);
  });

  test("has the comments of the proto, made harmless", () => {
    const shop = generated.get("shop/shop_rpc.ts")!;
    expect(shop).toContain(" * Sells things. A comment with `backticks`, an early end *\\/ and <b>markup</b>.\n");
    expect(shop).toContain(" * \\@internal is a word here, and so is someone@example.com.\n");
    expect(shop).toContain("   * Trailing words.\n");
    expect(shop).not.toContain("Detached: says nothing");
  });

  test("marks what the schema deprecates", () => {
    const shop = generated.get("shop/shop_rpc.ts")!;
    // Client, handler, factory, registration and table of the closed service; OldBuy on both sides.
    expect(shop.match(/@deprecated/g)).toHaveLength(7);
  });
});

describe("options", () => {
  test("targets give JavaScript and declarations", () => {
    const files = generateForeign("target=js+dts,import_extension=js");
    const js = files.get("shop/shop_rpc.js")!;
    expect(js).toContain('import { createClient } from "@guestwire/rpc";');
    expect(js).not.toContain("interface");
    const dts = files.get("shop/shop_rpc.d.ts")!;
    expect(dts).toContain("export interface ShopServiceClient {");
    expect(dts).toContain('readonly path: "/example.shop.v1.ShopService/GetItem";');
    expect([...files.keys()].some((name) => name.endsWith("_rpc.ts"))).toBe(false);
  });

  test("import_extension decides the ends of relative imports", () => {
    expect(generateForeign("target=ts").get("names_rpc.ts")).toContain('from "./names_pb";');
    expect(generateForeign("target=ts,import_extension=ts").get("names_rpc.ts")).toContain('from "./names_pb.ts";');
  });

  test("imports can come from another package", () => {
    const mapped = generateForeign("target=ts,map_imports=shop/money.proto:@example/money/gen").get("shop/shop_rpc.ts");
    expect(mapped).toContain('from "@example/money/gen/shop/money_pb.js";');
    const rewritten = generateForeign("target=ts,rewrite_imports=./shop/money_pb.js:@example/gen").get(
      "shop/shop_rpc.ts",
    );
    expect(rewritten).toContain('from "@example/gen/shop/money_pb.js";');
  });

  test("runtime replaces the package of the runtime", () => {
    const shop = generateForeign("target=ts,runtime=@example/rpc").get("shop/shop_rpc.ts");
    expect(shop).toContain('from "@example/rpc";');
    expect(shop).not.toContain('@guestwire/rpc"');
    expect(() => generateForeign("runtime=")).toThrow('"runtime" needs a package or a path');
  });

  test("keep_empty_files writes a file for every proto", () => {
    expect([...generateForeign("target=ts,keep_empty_files=true").keys()]).toContain("shop/money_rpc.ts");
  });

  test("an unknown option is an error that names it", () => {
    expect(() => generateForeign("target=ts,json_types=true")).toThrow(
      'invalid option "json_types=true": "json_types" is no option of protoc-gen-guestwire; it knows runtime',
    );
    expect(() => generateForeign("target=rust")).toThrow('invalid option "target=rust"');
  });
});
