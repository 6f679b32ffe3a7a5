// What the example prints: steps, facts and checks. Coloured on a terminal, plain elsewhere.
import { styleText } from "node:util";

const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
  styleText(style, text, { stream: process.stdout });

let steps = 0;
let checks = 0;
let failed = 0;

/** Prints a line as it is. */
export function say(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** Prints the title of what comes. */
export function step(title: string): void {
  say(`\n${paint("cyan", `${++steps}`.padStart(2))}  ${paint("bold", title)}`);
}

/** Prints a name and its value. */
export function fact(name: string, value: string): void {
  say(`    ${paint("dim", name.padEnd(12))} ${value}`);
}

/** Notes whether something is as it should be. */
export function check(claim: string, holds: boolean, found?: unknown): void {
  checks++;
  if (!holds) failed++;
  say(holds ? `  ${paint("green", "✓")} ${claim}` : `  ${paint("red", "✗")} ${claim}: ${String(found)}`);
}

/** Prints how all checks went. @returns Whether none failed. */
export function summary(): boolean {
  say();
  if (failed === 0) say(paint("green", `all ${checks} checks passed`));
  else say(paint("red", `${failed} of ${checks} checks failed`));
  return failed === 0;
}
