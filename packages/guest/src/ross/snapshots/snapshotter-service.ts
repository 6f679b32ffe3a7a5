// ross.SnapshotterService over the store: requests in, messages out, and the unpacking of layers.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  SnapshotKind as Kind,
  type SnapshotInfoSchema,
  type SnapshotMountSchema,
  type SnapshotterServiceHandler,
} from "@guestwire/ross";
import type { BlobStore } from "../images/blob-store.js";
import { extractLayer } from "./extract-layer.js";
import type { SnapshotRecord, SnapshotStore } from "./snapshot-store.js";

const kinds = { view: Kind.VIEW, active: Kind.ACTIVE, committed: Kind.COMMITTED } as const;

/** Makes the service. */
export function createSnapshotterService(snapshots: SnapshotStore, blobs: BlobStore): SnapshotterServiceHandler {
  const mountsOf = (record: SnapshotRecord): MessageInitShape<typeof SnapshotMountSchema>[] => {
    if (record.kind === "committed") return [];
    const access = record.kind === "active" ? "rw" : "ro";
    return [{ type: "bind", source: snapshots.pathOf(record), options: [access, "rbind"] }];
  };
  return {
    async prepare(request) {
      return { mounts: mountsOf(await snapshots.prepare(request)) };
    },
    async view(request) {
      return { mounts: mountsOf(await snapshots.view(request)) };
    },
    mounts: ({ key }) => ({ mounts: mountsOf(snapshots.get(key)) }),
    async commit({ key, activeKey, labels }) {
      await snapshots.commit(key, activeKey, labels);
      return {};
    },
    async remove({ key }) {
      await snapshots.remove(key);
      return {};
    },
    stat: ({ key }) => ({ info: infoOf(snapshots.get(key)) }),
    list: ({ parentFilter }) => ({
      infos: snapshots.list(parentFilter === "" ? undefined : parentFilter).map(infoOf),
    }),
    async usage({ key }) {
      const { bytes, inodes } = await snapshots.usage(key);
      return { size: BigInt(bytes), inodes: BigInt(inodes) };
    },
    async cleanup() {
      return { reclaimedBytes: BigInt(await snapshots.cleanup()) };
    },
    async extractLayer({ digest, parentKey, key, labels }, { signal }) {
      const path = blobs.pathOf(digest, "digest");
      await extractLayer(snapshots, { archive: path, parent: parentKey, key, labels, signal });
      const { bytes } = await snapshots.usage(key);
      return { key, size: BigInt(bytes) };
    },
  };
}

function infoOf(record: SnapshotRecord): MessageInitShape<typeof SnapshotInfoSchema> {
  const { key, parent, kind, labels, createdAt, updatedAt } = record;
  const times = { createdAt: timestampFromMs(createdAt), updatedAt: timestampFromMs(updatedAt) };
  return { key, parent, kind: kinds[kind], labels: { ...labels }, ...times };
}
