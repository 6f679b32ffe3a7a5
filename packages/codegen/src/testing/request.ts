// Test support: asks the plugin to generate from the protos in testdata, as buf would ask it. Not part of the package.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { create, fromBinary } from "@bufbuild/protobuf";
import { type CodeGeneratorRequest, CodeGeneratorRequestSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { protocGenGuestwire } from "../plugin.js";

/** The root of the repository. */
export const repository: string = fileURLToPath(new URL("../../../..", import.meta.url));

/** The folder of protos that are none of ours. */
export const foreignProtos: string = fileURLToPath(new URL("../../testdata/protos", import.meta.url));

/** A program of the repository's own tools. */
export function tool(name: string): string {
  return `${repository}node_modules/.bin/${name}`;
}

let built: Uint8Array | undefined;

/** A request to generate all foreign protos with these plugin options. */
export function foreignRequest(parameter: string): CodeGeneratorRequest {
  built ??= execFileSync(tool("buf"), ["build", foreignProtos, "--as-file-descriptor-set", "-o", "-"]);
  const { file } = fromBinary(FileDescriptorSetSchema, built);
  const fileToGenerate = file.map(({ name }) => name).filter((name) => !name.startsWith("google/"));
  return create(CodeGeneratorRequestSchema, { parameter, protoFile: file, fileToGenerate });
}

/** Generates from the foreign protos: file names and what is in them. */
export function generateForeign(parameter: string): Map<string, string> {
  const response = protocGenGuestwire.run(foreignRequest(parameter));
  return new Map(response.file.map(({ name = "", content = "" }) => [name, content]));
}
