// Makes OCI image layouts as image tools do: real archives, digests, manifests and an index. For tests.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Header } from "tar";

/** An entry of a layer: a file with its text, a folder, or a link. */
export interface TestEntry {
  readonly path: string;
  readonly text?: string;
  readonly type?: "File" | "Directory" | "SymbolicLink" | "Link" | "CharacterDevice";
  readonly linkpath?: string;
  readonly mode?: number;
}

/** An image to put into a layout. */
export interface TestImage {
  /** As annotated: "latest", or a full name. */
  readonly name: string;
  readonly layers: readonly (readonly TestEntry[])[];
  readonly config?: object;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly created?: string;
  /** Changes what is written: a layer's bytes, the list of layers' digests. */
  readonly spoil?: { readonly layer?: (bytes: Buffer) => Buffer; readonly diffIds?: readonly string[] };
}

/** What was made of an image. */
export interface MadeImage {
  readonly id: string;
  readonly manifest: string;
  readonly layers: readonly string[];
  readonly diffIds: readonly string[];
}

/** A tar archive of these entries, written header by header so that it can also hold what no tool would write. */
export function tarOf(entries: readonly TestEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const { path, text = "", type = "File", linkpath, mode } of entries) {
    const content = Buffer.from(text);
    const size = type === "File" ? content.length : 0;
    const header = new Header({
      path,
      type,
      size,
      mode: mode ?? (type === "Directory" ? 0o755 : 0o644),
      mtime: new Date(1_700_000_000_000),
      ...(linkpath !== undefined && { linkpath }),
    });
    header.encode();
    parts.push(header.block as Buffer, content, Buffer.alloc((512 - (size % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Makes a layout of these images. */
export async function makeLayout(path: string, images: readonly TestImage[]): Promise<MadeImage[]> {
  const blobs = join(path, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer, stored = bytes): Promise<{ digest: string; size: number }> => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), stored);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const made: MadeImage[] = [];
  const manifests: object[] = [];
  for (const { name, layers, config = {}, platform, created, spoil } of images) {
    const archives = layers.map(tarOf);
    const diffIds = archives.map((bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    const descriptors = [];
    for (const archive of archives) {
      const bytes = gzipSync(archive);
      const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
      descriptors.push({ mediaType, ...(await put(bytes, spoil?.layer?.(bytes))) });
    }
    const configuration = {
      architecture: platform?.architecture ?? "amd64",
      os: platform?.os ?? "linux",
      config,
      rootfs: { type: "layers", diff_ids: spoil?.diffIds ?? diffIds },
      history: layers.map((_, i) => ({ created_by: `step ${i}` })),
      ...(created !== undefined && { created }),
    };
    const configBlob = await put(Buffer.from(JSON.stringify(configuration)));
    const manifest = {
      schemaVersion: 2,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...configBlob },
      layers: descriptors,
    };
    const manifestBlob = await put(Buffer.from(JSON.stringify(manifest)));
    manifests.push({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      ...manifestBlob,
      ...(platform !== undefined && { platform }),
      annotations: { "org.opencontainers.image.ref.name": name },
    });
    const layerDigests = descriptors.map(({ digest }) => digest);
    made.push({ id: configBlob.digest, manifest: manifestBlob.digest, layers: layerDigests, diffIds });
  }
  await writeFile(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return made;
}
