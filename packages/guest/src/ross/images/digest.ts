// Digests of content: their one form here, and how they are computed.
import { createHash } from "node:crypto";
import { Code } from "@guestwire/rpc";
import { failure, invalid, quoted } from "../../errors.js";

const form = /^sha256:([0-9a-f]{64})$/;

/** @throws {RpcError} Code.InvalidArgument unless it is `sha256:` and 64 hexadecimal digits. @returns The digits. */
export function hexOf(digest: string, field: string): string {
  const hex = form.exec(digest)?.[1];
  if (hex === undefined) throw invalid(field, `${quoted(digest)} is no digest: sha256: and 64 hexadecimal digits`);
  return hex;
}

/** The digest of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * The key of a layer together with all those below it, as containerd computes it.
 *
 * @param parent The key of the layers below; empty for none.
 * @param diffId Digest of the unpacked layer.
 */
export function chainId(parent: string, diffId: string): string {
  return parent === "" ? diffId : digestOf(Buffer.from(`${parent} ${diffId}`));
}

/** What does not come to what it should. */
export function mismatch(what: string, found: string, due: string): Error {
  return failure(Code.Internal, `${what} is broken: its digest is ${found}, not ${due}`);
}
