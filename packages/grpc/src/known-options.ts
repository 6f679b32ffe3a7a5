// Options that do not exist are refused: one that is misspelt would be without effect, and nobody would hear of it.
import { Code, RpcError } from "@guestwire/rpc";

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
