// Which containerd namespace a call is about.
import type { HandlerContext } from "@guestwire/rpc";
import { invalid, quoted } from "../errors.js";

const key = "containerd-namespace-ttrpc";
// containerd's rule for identifiers, of at most 76 characters.
const identifier = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;

/**
 * The namespace that a call carries in its metadata, or "default". Go's clients send it on unary calls only.
 *
 * @throws {RpcError} Code.InvalidArgument when it is no containerd identifier.
 */
export function namespaceOf(context: HandlerContext): string {
  const namespace = context.metadata.get(key) ?? "default";
  if (namespace.length > 76 || !identifier.test(namespace)) {
    throw invalid(`metadata ${key}`, `${quoted(namespace)} is no identifier`);
  }
  return namespace;
}
