// What is fuzzed: one function on bytes, with its own oracle. Knows no fuzzer.

/** Something that takes bytes of a stranger. */
export interface FuzzTarget {
  /** As on the command line and as the folder of its corpus. */
  readonly name: string;
  /** What it checks, in a few words. */
  readonly checks: string;
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something to it. Default none. */
  readonly dictionary?: readonly Uint8Array[];
  /** The longest input, in bytes. Default 512. */
  readonly maxBytes?: number;
  /** How long one run may take, in milliseconds. Default 50. */
  readonly maxMs?: number;
  /** Runs once. Throws where something is wrong; errors that a decoder may throw are no fault and are caught inside. */
  run(input: Uint8Array): void | Promise<void>;
}

/** The oracle's word that a target did something wrong. */
export class FuzzFault extends Error {
  override get name(): string {
    return "FuzzFault";
  }
}

/** @throws {FuzzFault} where the condition does not hold. */
export function check(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new FuzzFault(what());
}

/** The value, or the error where it is one of the allowed kinds. Any other error is a fault and goes on. */
export function attempt<T>(run: () => T, allowed: (error: unknown) => boolean): { value: T } | { error: Error } {
  try {
    return { value: run() };
  } catch (error) {
    if (!allowed(error)) throw error;
    return { error: error as Error };
  }
}
