// What the demo prints: steps, facts, checks and a summary. Coloured on a terminal, plain elsewhere. No RPC here.
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** How a step ended. */
interface StepResult {
  readonly title: string;
  readonly checks: number;
  readonly failed: number;
  readonly ms: number;
}

/** A demo's output, and its verdict. */
export interface Transcript {
  /** Prints a headline in front of everything. */
  title(text: string, below: string): void;
  /** Runs one step: prints its title, then what the step says; an error that it throws is a failed check. */
  step(title: string, body: () => Promise<void>): Promise<void>;
  /** Prints a call as a user would write it. */
  call(text: string): void;
  /** Prints a fact: a name and its value. */
  fact(name: string, value: string): void;
  /** Prints a line of output of something else. */
  output(text: string): void;
  /** Notes whether something is as it should be; a failure says what was found. */
  check(claim: string, holds: boolean, found?: unknown): void;
  /** Prints the summary. Returns whether all was as it should be. */
  summary(): boolean;
}

/** Makes a transcript on standard output; once the signal fired, it prints no more. */
export function createTranscript(signal: AbortSignal, out: NodeJS.WriteStream = process.stdout): Transcript {
  // Follows NO_COLOR and FORCE_COLOR as well as whether it is a terminal.
  const paint = (style: Style, text: string): string => styleText(style, text, { stream: out });
  const print = (text = ""): void => {
    if (!signal.aborted) out.write(`${text}\n`);
  };
  const results: StepResult[] = [];
  let checks = 0;
  let failed = 0;

  const check = (claim: string, holds: boolean, found?: unknown): void => {
    checks++;
    if (holds) return print(`  ${paint("green", "✓")} ${claim}`);
    failed++;
    print(`  ${paint("red", "✗")} ${paint("red", claim)}`);
    if (found !== undefined) print(`    found: ${show(found)}`);
  };

  return {
    title(text, below) {
      print(paint("bold", text));
      print(paint("dim", below));
    },
    async step(title, body) {
      checks = 0;
      failed = 0;
      print();
      print(`${paint("cyan", `${results.length + 1}`.padStart(2))}  ${paint("bold", title)}`);
      const began = performance.now();
      try {
        await body();
      } catch (error) {
        check("the step ran to its end", false, error);
      }
      results.push({ title, checks, failed, ms: performance.now() - began });
    },
    call: (text) => print(`    ${paint("dim", "›")} ${text}`),
    fact: (name, value) => print(`    ${paint("dim", name.padEnd(12))} ${value}`),
    output: (text) => print(`    ${paint("yellow", "│")} ${text}`),
    check,
    summary() {
      const total = results.reduce((sum, result) => sum + result.checks, 0);
      const bad = results.reduce((sum, result) => sum + result.failed, 0);
      const ms = results.reduce((sum, result) => sum + result.ms, 0);
      const width = Math.max(...results.map(({ title }) => title.length));
      print();
      print(`    ${"step".padEnd(width)}  checks      time`);
      print(`    ${"─".repeat(width + 18)}`);
      for (const result of results) {
        const verdict = result.failed > 0 ? paint("red", "✗") : paint("green", "✓");
        const time = `${result.ms.toFixed(0)} ms`.padStart(8);
        print(`  ${verdict} ${result.title.padEnd(width)}  ${`${result.checks}`.padStart(6)}  ${time}`);
      }
      print(`    ${"─".repeat(width + 18)}`);
      print(`    ${"".padEnd(width)}  ${`${total}`.padStart(6)}  ${`${ms.toFixed(0)} ms`.padStart(8)}`);
      print();
      if (bad === 0) print(paint(["green", "bold"], `all ${total} checks passed`));
      else print(paint(["red", "bold"], `${bad} of ${total} checks failed`));
      return bad === 0;
    },
  };
}

function show(value: unknown): string {
  if (value instanceof Error) return value.stack ?? value.message;
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner)) ?? String(value);
}
