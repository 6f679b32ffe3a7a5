// A runtime as it is kept on disk and as the messages of the protocol. Knows no call.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeInfoSchema } from "@guestwire/joblet";
import type { RuntimeSpec } from "./runtime-yaml.js";

/** What is kept of a runtime, in `record.json` of its folder. */
export interface RuntimeRecord {
  readonly spec: RuntimeSpec;
  /** The language's program, relative to the runtime's folder. */
  readonly program: string;
  /** Folders with programs, relative as well; the first that has one counts. */
  readonly folders: readonly string[];
  /** On disk, bytes. */
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly builtAt: number;
  readonly builtWith: string;
  readonly platform: string;
}

/** Names in a runtime's folder. */
export const runtimeFiles = { record: "record.json", yaml: "runtime.yaml", programs: "bin", uploads: "files" } as const;

/** Reads the record in a folder. @throws the system's error, or one of JSON. */
export async function readRecord(folder: string): Promise<RuntimeRecord> {
  return JSON.parse(await readFile(join(folder, runtimeFiles.record), "utf8")) as RuntimeRecord;
}

/** The message, without the specification's text. */
export function runtimeMessage(record: RuntimeRecord, available: boolean): MessageInitShape<typeof RuntimeInfoSchema> {
  const { spec, builtAt, builtWith, platform } = record;
  return {
    name: spec.name,
    language: spec.language,
    version: spec.version,
    description: spec.description,
    sizeBytes: BigInt(record.sizeBytes),
    packages: [...spec.pip, ...spec.npm],
    available,
    requirements: { architectures: [...spec.architectures], gpu: spec.gpu },
    languageVersion: spec.languageVersion,
    libraries: [...spec.libraries],
    environment: spec.environment,
    buildInfo: { builtAt: new Date(builtAt).toISOString(), builtWith, platform },
  };
}
