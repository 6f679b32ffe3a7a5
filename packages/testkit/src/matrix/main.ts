// Runs every peer through every case and prints the tables: `npx -y pnpm@12 matrix`. Ends with 1 when a case failed.
// With --write it runs nothing, and puts the tables that are claimed into docs/peers.md.
import { readFile, writeFile } from "node:fs/promises";
import { programOptions } from "../program-options.js";
import { matrices } from "./matrices.js";
import { casesOf, documentMatrix, type Matrix, peerLabel, renderMatrix, type Verdict } from "./matrix.js";

const usage = `usage: matrix [--write]

--write  runs nothing; puts the tables that are claimed into docs/peers.md`;
const { values } = programOptions(usage, { options: { write: { type: "boolean", default: false } } });
const page = new URL("../../../../docs/peers.md", import.meta.url);

async function writeTables(): Promise<void> {
  let text = await readFile(page, "utf8");
  for (const matrix of matrices) {
    const { begin, end, all } = documentMatrix(matrix);
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/peers.md has no lines "${begin}" and "${end}"`);
    text = text.slice(0, from) + all + text.slice(to + end.length);
  }
  await writeFile(page, text);
}

async function runAll(matrix: Matrix): Promise<void> {
  const found = new Map<string, Map<string, Verdict>>();
  for (const peer of matrix.peers) {
    const label = peerLabel(peer);
    const verdicts = new Map<string, Verdict>();
    found.set(label, verdicts);
    await using open = await peer.open();
    if (open === undefined) continue;
    for (const name of casesOf(matrix, peer)) {
      try {
        await open.run(name);
        verdicts.set(name, "passed");
      } catch (error) {
        verdicts.set(name, "failed");
        process.exitCode = 1;
        console.error(`${label}: ${name}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  console.log(`\n${matrix.title}\n\n${renderMatrix(matrix, found)}`);
}

if (values.write) await writeTables();
else for (const matrix of matrices) await runAll(matrix);
