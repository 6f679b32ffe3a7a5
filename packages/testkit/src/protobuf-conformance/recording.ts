// The recorded suite in `testdata`: what its runner asked, and the answers that it accepted. Asks and judges nothing.
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { splitChunks, toChunk } from "./chunks.js";

/** One test of the suite. */
export interface SuiteCase {
  /** The suite's name for it. */
  readonly name: string;
  /** A `ConformanceRequest`. */
  readonly request: Uint8Array;
  /** A `ConformanceResponse` that the runner accepted, without the text of its error. */
  readonly response: Uint8Array;
}

/** A recorded run of the suite. */
export interface Recording {
  /** The `FileDescriptorSet` of the suite's proto files. */
  readonly schema: Uint8Array;
  readonly cases: readonly SuiteCase[];
}

// Tests run in `src`, the program that records in `dist`.
const file = new URL("../../src/protobuf-conformance/testdata/suite.br", import.meta.url);

/** Reads the recording. */
export function readRecording(): Recording {
  const { chunks } = splitChunks(brotliDecompressSync(readFileSync(file)));
  const [schema = new Uint8Array(0), ...rest] = chunks;
  const cases: SuiteCase[] = [];
  for (let i = 0; i + 2 < rest.length; i += 3) {
    const [name, request, response] = rest.slice(i, i + 3) as [Buffer, Buffer, Buffer];
    cases.push({ name: name.toString(), request, response });
  }
  return { schema, cases };
}

/** Replaces the recording and gives its size in bytes. */
export function writeRecording({ schema, cases }: Recording): number {
  const parts = cases.flatMap(({ name, request, response }) => [Buffer.from(name), request, response]);
  const all = Buffer.concat([schema, ...parts].map(toChunk));
  // A window over everything: the tests of the five schemas are nearly the same.
  const compressed = brotliCompressSync(all, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
  writeFileSync(file, compressed);
  return compressed.length;
}
