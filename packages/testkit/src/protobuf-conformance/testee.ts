// The program that the suite's runner starts and asks: `node testee.js SCHEMA RECORDING`. Answers with our codec on standard
// output, one request after the other, and appends each request and its answer to the recording.
import { appendFileSync, readFileSync } from "node:fs";
import { answer, guestwire, toResponse } from "./answer.js";
import { splitChunks, toChunk } from "./chunks.js";
import { toRegistry } from "./schema.js";

const [, , schemaFile = "", recording = ""] = process.argv;
const registry = toRegistry(readFileSync(schemaFile));

let pending: Buffer = Buffer.alloc(0);
for await (const data of process.stdin) {
  const { chunks, rest } = splitChunks(Buffer.concat([pending, data as Buffer]));
  pending = rest;
  for (const request of chunks) {
    const response = toResponse(registry, answer(guestwire, registry, request));
    appendFileSync(recording, Buffer.concat([toChunk(request), toChunk(response)]));
    process.stdout.write(toChunk(response));
  }
}
