// What containers of tests consist of: a root file system with nothing but busybox, as a folder and as an OCI image. No registry.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { run } from "./run.js";

const applets = ["sh", "sleep", "echo", "cat", "true", "stty", "kill"];

/** The name of the image that {@link writeImage} makes. */
export const imageName = "guestwire.test/busybox:1";

/** Makes a root file system in a folder. */
export async function writeRootfs(folder: string, busybox: string): Promise<void> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await copyFile(busybox, join(folder, "bin", "busybox"));
  for (const name of applets) await symlink("busybox", join(folder, "bin", name));
}

/**
 * Makes an OCI image of one layer.
 *
 * @param folder An existing, empty one.
 * @returns The path of the archive that `ctr images import` takes.
 */
export async function writeImage(folder: string, busybox: string): Promise<string> {
  const root = join(folder, "rootfs");
  await writeRootfs(root, busybox);
  const plain = join(folder, "layer.tar");
  await run("tar", ["-C", root, "--owner=0", "--group=0", "--numeric-owner", "-cf", plain, "."]);
  const layer = await readFile(plain);
  const image = join(folder, "image");
  await mkdir(join(image, "blobs", "sha256"), { recursive: true });
  const put = async (content: Uint8Array, mediaType: string): Promise<object> => {
    const digest = sha256(content);
    await writeFile(join(image, "blobs", "sha256", digest), content);
    return { mediaType, digest: `sha256:${digest}`, size: content.length };
  };
  const { manifest: manifestType, config: configType, layer: layerType } = mediaTypes;
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: await put(json(config(sha256(layer))), configType),
    layers: [await put(gzipSync(layer, { level: 1 }), layerType)],
  };
  const annotations = { "io.containerd.image.name": imageName, "org.opencontainers.image.ref.name": imageName };
  const entry = { ...(await put(json(manifest), manifestType)), annotations };
  await writeFile(join(image, "index.json"), json({ schemaVersion: 2, manifests: [entry] }));
  await writeFile(join(image, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  const archive = join(folder, "image.tar");
  await run("tar", ["-C", image, "-cf", archive, "."]);
  return archive;
}

const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

function config(diffId: string): object {
  return {
    // The names that Go has for them, which images use.
    architecture: { x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch,
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${diffId}`] },
    history: [{}],
  };
}

const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
