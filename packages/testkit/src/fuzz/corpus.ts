// Inputs in files: the corpus in the repository, and what a run found that fails. Names are hashes of the content.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const corpusFolder = fileURLToPath(new URL("../../fuzz/corpus/", import.meta.url));
const crashFolder = fileURLToPath(new URL("../../../../.cache/fuzz/", import.meta.url));

/** An input of the repository's corpus. */
export interface CorpusFile {
  readonly name: string;
  readonly input: Uint8Array;
}

/** The corpus of a target, in the order of the names. */
export function readCorpus(target: string): CorpusFile[] {
  const folder = corpusFolder + target;
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, input: readFileSync(`${folder}/${name}`) }));
}

/** Replaces the corpus of a target. Files that were given a name by hand, which are failures of old, stay. */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const folder = corpusFolder + target;
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/^[0-9a-f]{12}\.bin$/.test(name)) rmSync(`${folder}/${name}`);
  for (const input of inputs) writeFileSync(`${folder}/${hash(input)}.bin`, input);
}

/** Keeps an input that fails. @returns The file. */
export function writeCrash(target: string, input: Uint8Array): string {
  mkdirSync(crashFolder + target, { recursive: true });
  const file = `${crashFolder}${target}/${hash(input)}.bin`;
  writeFileSync(file, input);
  return file;
}

function hash(input: Uint8Array): string {
  return createHash("sha256").update(input).digest("hex").slice(0, 12);
}
