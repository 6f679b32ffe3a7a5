// The plugin as buf and protoc run it: its name, its options and the one thing it does. What is written stands elsewhere.
import { readFileSync } from "node:fs";
import { createEcmaScriptPlugin, type Plugin } from "@bufbuild/protoplugin";
import { generateRpcFile } from "./generate-file.js";
import { type GuestwireOptions, parseOptions } from "./options.js";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/**
 * Writes `x_rpc.ts` beside protoc-gen-es' `x_pb.ts` for every file with services. All targets of protoc-gen-es work:
 * TypeScript is written here, JavaScript and declarations are transpiled from it.
 */
export const protocGenGuestwire: Plugin = createEcmaScriptPlugin<GuestwireOptions>({
  name: "protoc-gen-guestwire",
  version: `v${version}`,
  parseOptions,
  generateTs(schema) {
    for (const file of schema.files) generateRpcFile(schema, file);
  },
});
