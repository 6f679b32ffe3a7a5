// Pulling an image: from the layout that has it into the stores, verified and unpacked, with progress. Yields what happens;
// how it is told to clients is the service's.
import { Code, RpcError } from "@guestwire/rpc";
import { failure, quoted } from "../../errors.js";
import type { ImageReference } from "../image-reference.js";
import { extractLayer } from "../snapshots/extract-layer.js";
import { mismatch } from "./digest.js";
import { chainOf, contentOf, type ImageHome, type ImageStore } from "./image-store.js";
import type { FoundImage, Layout } from "./layout.js";
import { familiar } from "./names.js";
import { type Configuration, type Descriptor, parseConfiguration } from "./oci.js";

/** A report of a running pull. */
export interface PullReport {
  readonly status: string;
  /** Short id of the layer that it is about; empty for the whole image. */
  readonly id: string;
  /** Bytes done and bytes in all, where there is a count. */
  readonly bytes?: { readonly current: number; readonly total: number };
}

/** What a pull works with. */
export interface PullHome extends ImageHome {
  readonly images: ImageStore;
  readonly layouts: readonly Layout[];
  now(): number;
}

/** Pulls an image. @throws what is wrong: no layout has it, its content is broken, the signal fired. */
export async function* pull(
  home: PullHome,
  reference: ImageReference,
  signal: AbortSignal,
): AsyncGenerator<PullReport, void> {
  const repository = familiar(reference.repository);
  yield { status: `Resolving ${repository}`, id: "" };
  const found = await findImage(home.layouts, reference);
  const { layout, manifest, manifestBlob } = found;
  const configBytes = await layout.read(manifest.config);
  const configuration = parseConfiguration(configBytes, layout.blob(manifest.config).path);
  checkLayers(manifest.layers, configuration);
  const image = {
    id: manifest.config.digest,
    manifest: manifestBlob.digest,
    layers: manifest.layers,
    configuration,
    tags: reference.digest === "" ? [`${repository}:${reference.tag || "latest"}`] : [],
    digests: [`${repository}@${manifestBlob.digest}`],
  };
  const unpin = home.images.pin(contentOf(image));
  try {
    yield* takeBlobs(home, found, signal);
    yield* unpackLayers(home, image, signal);
    signal.throwIfAborted();
    const known = home.images.all.some(({ id }) => id === image.id);
    await home.images.add({ ...image, pulledAt: home.now() });
    yield { status: `Digest: ${image.manifest}`, id: "" };
    yield { status: known ? "Image is up to date" : "Pulled", id: "" };
  } finally {
    unpin();
  }
}

async function findImage(layouts: readonly Layout[], reference: ImageReference): Promise<FoundImage> {
  let failed: unknown;
  for (const layout of layouts) {
    try {
      const found = await layout.find(reference);
      if (found !== undefined) return found;
    } catch (error) {
      // One that is broken, or has the image for another platform, does not hide those behind it.
      failed ??= error;
    }
  }
  if (failed !== undefined) throw failed;
  const name = `${reference.repository}${reference.digest === "" ? `:${reference.tag || "latest"}` : `@${reference.digest}`}`;
  const where =
    layouts.length === 0 ? "this guest has no image layout" : `none of its ${layouts.length} layouts has it`;
  throw failure(Code.NotFound, `image ${quoted(name)}: ${where}, and it reaches no registry`);
}

function checkLayers(layers: readonly Descriptor[], { diffIds }: Configuration): void {
  if (layers.length === diffIds.length) return;
  throw failure(
    Code.Internal,
    `the image has ${layers.length} layers, but its configuration tells of ${diffIds.length}`,
  );
}

async function* takeBlobs(home: PullHome, found: FoundImage, signal: AbortSignal): AsyncGenerator<PullReport, void> {
  const { layout, manifest, manifestBlob } = found;
  for (const layer of [manifest.config, ...manifest.layers]) {
    const id = shortId(layer.digest);
    if (home.blobs.has(layer.digest)) {
      yield { status: "Already exists", id };
      continue;
    }
    const total = layer.size;
    yield { status: "Copying", id, bytes: { current: 0, total } };
    // The count between two reports is not worth a message: one when it has moved by a tenth.
    const reports = new Reports(total);
    const taken = home.blobs
      .take(layout.blob(layer), (current) => reports.at(current), signal)
      .finally(() => reports.end());
    taken.catch(() => {});
    for await (const current of reports) yield { status: "Copying", id, bytes: { current, total } };
    await taken;
    yield { status: "Copied", id };
  }
  if (!home.blobs.has(manifestBlob.digest)) await home.blobs.take(manifestBlob, () => {}, signal);
}

async function* unpackLayers(
  { blobs, snapshots }: PullHome,
  { layers, configuration }: { readonly layers: readonly Descriptor[]; readonly configuration: Configuration },
  signal: AbortSignal,
): AsyncGenerator<PullReport, void> {
  const keys = chainOf(configuration.diffIds);
  for (const [i, key] of keys.entries()) {
    if (snapshots.has(key)) continue;
    const { digest } = layers[i] as Descriptor;
    const due = configuration.diffIds[i] as string;
    yield { status: "Extracting", id: shortId(digest) };
    const check = (found: string): void => {
      if (found !== due) throw mismatch(`the layer ${digest}`, found, due);
    };
    try {
      const archive = blobs.pathOf(digest, "digest");
      await extractLayer(snapshots, { archive, parent: keys[i - 1] ?? "", key, labels: {}, check, signal });
    } catch (error) {
      // Another pull of the same layer was faster.
      if (RpcError.from(error).code !== Code.AlreadyExists || !snapshots.has(key)) throw error;
    }
    yield { status: "Extracted", id: shortId(digest) };
  }
}

function shortId(digest: string): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}

/** The last count of bytes, given whenever it has moved by a tenth of all. */
class Reports implements AsyncIterable<number> {
  readonly #step: number;
  #next: number;
  #latest = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(total: number) {
    this.#step = Math.max(1, total / 10);
    this.#next = this.#step;
  }

  at(current: number): void {
    this.#latest = current;
    if (current >= this.#next) this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number, void> {
    for (;;) {
      if (this.#latest >= this.#next) {
        this.#next = this.#latest + this.#step;
        yield this.#latest;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#ended || this.#latest >= this.#next) resolve();
      });
    }
  }
}
