// Options that do not exist are refused: one that is misspelt would be without effect, and nobody would hear of it.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/**
 * The names of all members of `T`. All must be listed, so that an option that is added later is known too.
 *
 * @param names An object with all of the names.
 */
export function optionNames<T>(names: { readonly [K in keyof Required<T>]: true }): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/**
 * Refuses what is no object, and members that mean nothing.
 *
 * @param what The options' name, as `retries`.
 * @param known The names of all members that there are.
 * @throws {RpcError} Code.InvalidArgument naming the member.
 */
export function checkKnown(what: string, given: object, known: ReadonlySet<string>): void {
  if (typeof given !== "object" || given === null) {
    throw new RpcError(Code.InvalidArgument, `the options of ${what} must be an object, not ${String(given)}`);
  }
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) throw new RpcError(Code.InvalidArgument, `${what} has no option "${unknown}"`);
}

/**
 * Refuses what is neither true nor false; `undefined` is the default.
 *
 * @throws {RpcError} Code.InvalidArgument naming the option.
 */
export function checkSwitch(name: string, given: boolean | undefined): void {
  if (given === undefined || typeof given === "boolean") return;
  throw new RpcError(Code.InvalidArgument, `${name} must be true or false, not ${String(given)}`);
}
