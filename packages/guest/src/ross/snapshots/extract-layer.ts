// A layer becomes a committed snapshot, as a whole or not at all. Knows no images.
import { randomUUID } from "node:crypto";
import { Code, RpcError } from "@guestwire/rpc";
import { failure, isSystemError, textOf } from "../../errors.js";
import type { SnapshotStore } from "./snapshot-store.js";
import { unpackLayer } from "./unpack.js";

/** What to unpack, and where to. */
export interface LayerToUnpack {
  /** Path of the layer's archive. */
  readonly archive: string;
  readonly parent: string;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Looks at the digest of the unpacked layer, and throws where it is not the one that is due. Default: anything will do. */
  readonly check?: (digest: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes a committed snapshot of a layer.
 *
 * @throws {RpcError} Code.NotFound for the archive or the parent; Code.AlreadyExists; Code.Internal for a broken archive.
 */
export async function extractLayer(snapshots: SnapshotStore, layer: LayerToUnpack): Promise<void> {
  const { archive, parent, key, labels, check, signal } = layer;
  const active = `extract ${randomUUID()}`;
  // Before the work, not after it; commit() looks again.
  snapshots.checkFree(key);
  const record = await snapshots.prepare({ key: active, parent, labels: {} });
  try {
    const digest = await unpackLayer(archive, snapshots.pathOf(record), signal);
    check?.(digest);
    await snapshots.commit(key, active, labels);
  } catch (error) {
    await snapshots.remove(active).catch(() => {});
    if (isSystemError(error, "ENOENT")) throw failure(Code.NotFound, "the layer's blob is gone", error);
    if (error instanceof RpcError) throw error;
    throw failure(Code.Internal, `the layer cannot be unpacked: ${textOf(error)}`, error);
  }
}
