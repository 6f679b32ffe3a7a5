// What the code for other languages has in common: where it goes, which files it covers, and its tools' folders.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packages, protoFiles } from "./packages.mjs";
import { exists, Failure, repository } from "./run.mjs";

/** Versions of all tools and libraries, in one place to raise. */
export const versions = {
  protocGenGo: "v1.36.12",
  protocGenGoTtrpc: "v1.2.10",
  protocGenGoGrpc: "v1.6.2",
  goGrpc: "v1.81.1",
  grpcioTools: "1.76.0",
  googleapisCommonProtos: "1.72.0",
  protocJava: "4.33.1",
  grpcJava: "1.78.0",
};

/** The folder of a language's code, emptied. It is not kept in git. */
export function freshOutput(root, language) {
  const folder = outputFolder(root, language);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Where a language's code goes. */
export function outputFolder(root, language) {
  return join(root, "gen", language);
}

/** Where tools are kept that a command fetched; safe to delete at any time. */
export function toolFolder(...names) {
  const folder = join(repository, ".cache", "protos", ...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * The proto files to generate from, as paths inside of proto/. google.rpc and grpc.* are left out: Go, Python and Java have
 * published packages of them, and a second copy would clash with those.
 */
export function foreignFiles(root) {
  const files = protoFiles(root);
  return Object.keys(packages)
    .flatMap((name) => files[name])
    .filter((file) => !/^(google|grpc)\//.test(file));
}

/** Fails with advice where a program is missing. */
export function need(program, args, advice) {
  if (!exists(program, args)) throw new Failure(`${program} was not found; ${advice}`);
}
