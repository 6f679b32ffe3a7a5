// The error of an address that somebody listens on already.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/** What whoever wants to listen at such an address is told. */
export function inUse(text: string): RpcError {
  return new RpcError(Code.AlreadyExists, `${text} is in use already`);
}
