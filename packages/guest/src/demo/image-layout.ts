// Makes an OCI image layout with one small image, as an image tool would: a layer, a configuration, a manifest, an index.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { create } from "tar";

/** The image's name in the layout. */
export const demoImage: { readonly name: string; readonly tag: string } = { name: "demo/hello", tag: "1.0" };

const script = `#!/bin/sh
echo "hello from \${0##*/}, the terminal is $(stty size 2>/dev/null || echo none)"
read -r line
echo "you typed: $line"
exit 7
`;

/** @param folder A folder that does not exist yet. */
export async function makeImageLayout(folder: string): Promise<void> {
  const root = `${folder}.rootfs`;
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(join(root, "app"), { recursive: true });
  await mkdir(blobs, { recursive: true });
  await writeFile(join(root, "app", "hello.sh"), script, { mode: 0o755 });
  const archive = `${folder}.tar.gz`;
  await create({ file: archive, cwd: root, gzip: true, portable: true }, ["app"]);
  const put = async (mediaType: string, bytes: Buffer) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const bytes = await readFile(archive);
  const layer = await put("application/vnd.oci.image.layer.v1.tar+gzip", bytes);
  const diffId = `sha256:${createHash("sha256").update(gunzipSync(bytes)).digest("hex")}`;
  const config = await put(
    "application/vnd.oci.image.config.v1+json",
    json({
      os: "linux",
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      config: { Cmd: ["sh", "hello.sh"], WorkingDir: "/app" },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created_by: "the demo" }],
    }),
  );
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await put(
    manifestType,
    json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }),
  );
  const annotations = { "org.opencontainers.image.ref.name": `${demoImage.name}:${demoImage.tag}` };
  await writeFile(join(folder, "index.json"), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
}
