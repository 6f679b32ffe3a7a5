// Which package holds the code of which proto files: the one table. A path is a file, or a folder with all below it.
// Every file stands for one package only, so that no message is generated twice.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "./run.mjs";

/** Package folder → paths inside of proto/. */
export const packages = {
  types: [
    "arcbox/v1/common.proto",
    "containerd/events",
    "containerd/runc/v1",
    "containerd/services/events/ttrpc/v1",
    "containerd/task/v2",
    "containerd/task/v3",
    "containerd/types",
    "containerd/v1/types",
    "google/rpc",
    "guestwire/control/v1",
    "io/containerd/cgroups/v2",
    "io/containerd/spinbox/v1",
    "ttrpc",
  ],
  bundle: ["spinbox/services/bundle/v1", "containerd/vminitd/services/bundle/v1"],
  stdio: ["spinbox/services/stdio/v1", "containerd/vminitd/services/stdio/v1"],
  system: ["spinbox/services/system/v1", "containerd/vminitd/services/system/v1"],
  vmevents: ["spinbox/services/vmevents/v1"],
  machine: ["arcbox/v1/machine.proto"],
  agent: ["arcbox/v1/agent.proto"],
  sandbox: ["sandbox/v1"],
  ross: ["ross"],
  joblet: ["joblet"],
  health: ["grpc/health/v1"],
  reflection: ["grpc/reflection/v1", "grpc/reflection/v1alpha"],
};

/** Packages with protos of their own, which are no part of the schema that is released: package folder → proto folder. */
export const ownProtos = { testkit: "packages/testkit/proto" };

/** The package whose messages the others import instead of generating them again. */
export const sharedPackage = "types";

/** Where the code of a package is generated to, from the root. */
export function genFolder(name) {
  return `packages/${name}/src/gen`;
}

/**
 * The proto files of every package, sorted.
 *
 * @throws {Failure} for a path without files, and for files that no package or more than one has, naming them.
 */
export function protoFiles(root) {
  const owners = new Map();
  const result = {};
  for (const [name, paths] of Object.entries(packages)) {
    result[name] = paths.flatMap((path) => filesAt(join(root, "proto"), path)).sort();
    for (const file of result[name]) {
      const owner = owners.get(file);
      if (owner) throw new Failure(`proto/${file} belongs to ${owner} and to ${name} in scripts/protos/packages.mjs`);
      owners.set(file, name);
    }
  }
  const orphans = filesAt(join(root, "proto"), ".").filter((file) => !owners.has(file));
  if (orphans.length > 0) {
    throw new Failure(
      `no package in scripts/protos/packages.mjs has ${orphans.map((file) => `proto/${file}`).join(", ")}`,
    );
  }
  return result;
}

/** The plugin options by which packages import shared messages from their package. */
export function importOptions(root, names, files) {
  const imported = names.flatMap((name) => files[name]).flatMap((file) => importsOf(join(root, "proto", file)));
  return files[sharedPackage]
    .filter((file) => imported.includes(file))
    .map((file) => `map_imports=${file}:@guestwire/${sharedPackage}/gen`);
}

function filesAt(protoRoot, path) {
  const full = join(protoRoot, path);
  if (!existsSync(full)) throw new Failure(`scripts/protos/packages.mjs names proto/${path}, which does not exist`);
  if (statSync(full).isFile()) return [path];
  return readdirSync(full, { recursive: true })
    .filter((file) => file.endsWith(".proto"))
    .map((file) => join(path, file).replaceAll("\\", "/"));
}

function importsOf(file) {
  return [...readFileSync(file, "utf8").matchAll(/^\s*import\s+(?:public\s+|weak\s+)?"([^"]+)"/gm)].map(
    ([, path]) => path,
  );
}
