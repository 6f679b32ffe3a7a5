// What a test program in a VM prints: named checks, facts and the count at the end. Knows no VM.

/** The checks of one program. */
export interface Checks {
  /** Prints a headline. */
  title(text: string): void;
  /** Prints a fact: a name and its value. */
  fact(name: string, value: string): void;
  /** Prints a line of another program's output. */
  output(text: string): void;
  /**
   * Runs one check. What it returns is printed beside its name; what it throws is its failure.
   *
   * @returns Whether it passed.
   */
  check(name: string, body: () => Promise<string | undefined> | string | undefined): Promise<boolean>;
  /** Adds the counts of another program's tests to ours. */
  count(passed: number, failed: number): void;
  /** Prints the count. Returns whether anything was checked and all of it passed. */
  summary(): boolean;
}

/** Makes checks that print with `print`. */
export function createChecks(print: (line: string) => void = (line) => console.log(line)): Checks {
  let passed = 0;
  let failed = 0;
  return {
    title: (text) => print(`\n== ${text}`),
    fact: (name, value) => print(`   ${name.padEnd(12)} ${value}`),
    output: (text) => print(`   | ${text}`),
    async check(name, body) {
      const began = performance.now();
      const time = (): string => `${(performance.now() - began).toFixed(0)} ms`;
      try {
        const said = await body();
        print(` ✓ ${name} (${said === undefined ? "" : `${said}; `}${time()})`);
        passed++;
        return true;
      } catch (error) {
        print(` ✗ ${name} (${time()})`);
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        for (const line of text.split("\n")) print(`     ${line}`);
        failed++;
        return false;
      }
    },
    count(more, bad) {
      passed += more;
      failed += bad;
    },
    summary() {
      print(`\n${passed} passed, ${failed} failed`);
      return failed === 0 && passed > 0;
    },
  };
}

/**
 * Ends a check unless something holds.
 *
 * @throws {Error} with the claim and what was found instead.
 */
export function expect(claim: string, holds: boolean, found: unknown): asserts holds {
  if (holds) return;
  const shown = found instanceof Error ? String(found) : JSON.stringify(found, bigints);
  throw new Error(`expected that ${claim}; found ${shown}`);
}

const bigints = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
