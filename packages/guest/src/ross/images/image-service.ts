// ross.ImageService over the stores: requests in, messages out. There is no registry: images come from layouts.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ImageHistorySchema, ImageSchema, ImageServiceHandler, PullImageProgressSchema } from "@guestwire/ross";
import { RpcError } from "@guestwire/rpc";
import { invalid, unsupported } from "../../errors.js";
import type { ImageUsers } from "../image-lookup.js";
import { parseImageReference } from "../image-reference.js";
import { imageFilter } from "./image-filters.js";
import type { ImageRecord } from "./image-store.js";
import { type PullHome, type PullReport, pull } from "./pull.js";

/** Makes the service. */
export function createImageService(home: PullHome, users: ImageUsers): ImageServiceHandler {
  const { images } = home;
  return {
    listImages({ filters, digests }) {
      const holds = imageFilter(filters, (name) => images.get(name, "filters"));
      return { images: images.all.filter(holds).map((image) => describe(image, digests)) };
    },
    inspectImage({ imageId }) {
      const image = images.get(imageId, "image_id");
      return { image: describe(image, true), history: historyOf(image) };
    },
    async *pullImage({ imageName, tag }, { signal }) {
      const reference = pullReference(imageName, tag);
      try {
        for await (const report of pull(home, reference, signal)) yield progressOf(report);
      } catch (error) {
        if (signal.aborted) throw error;
        // As the contract says: the stream tells of the failure, and the call itself succeeds.
        yield { status: "Failed", error: RpcError.from(error).rawMessage };
      }
    },
    pushImage({ imageName, tag }) {
      if (imageName === "") throw invalid("image_name", "must not be empty");
      images.get(tag === "" ? imageName : `${imageName}:${tag}`, "image_name");
      throw unsupported("this guest reaches no registry");
    },
    buildImage() {
      throw unsupported("this guest builds no images");
    },
    async removeImage({ imageId, force }) {
      const { deleted, untagged } = await images.remove(imageId, force, users);
      return { deleted: [...deleted], untagged: [...untagged] };
    },
    async tagImage({ sourceImage, repository, tag }) {
      const image = images.get(sourceImage, "source_image");
      if (repository === "") throw invalid("repository", "must not be empty");
      const name = parseImageReference(`${repository}${tag === "" ? "" : `:${tag}`}`, "repository");
      if (name.digest !== "") throw invalid("repository", "a name with a digest cannot be given");
      await images.tag(image, name.repository, name.tag);
      return { success: true };
    },
    async searchImages({ term, limit, filters }) {
      if (term === "") throw invalid("term", "must not be empty");
      if (limit < 0) throw invalid("limit", `${limit} is negative`);
      const none =
        filters["is-official"] === "true" || filters["is-automated"] === "true" || Number(filters["stars"] ?? 0) > 0;
      const entries = none
        ? []
        : (await Promise.all(home.layouts.map((layout) => layout.entries().catch(() => [])))).flat();
      const names = [...new Set(entries.map(({ repository }) => repository))].filter((name) => name.includes(term));
      return {
        results: names.slice(0, limit || names.length).map((name) => ({ name, description: "in an image layout" })),
      };
    },
  };
}

function pullReference(imageName: string, tag: string): ReturnType<typeof parseImageReference> {
  if (imageName === "") throw invalid("image_name", "must not be empty");
  if (tag === "") return parseImageReference(imageName, "image_name");
  const bare = parseImageReference(imageName, "image_name");
  if (bare.tag !== "" || bare.digest !== "") throw invalid("tag", `${imageName} has a tag or a digest already`);
  return parseImageReference(`${imageName}${tag.includes(":") ? "@" : ":"}${tag}`, "tag");
}

function progressOf({ status, id, bytes }: PullReport): MessageInitShape<typeof PullImageProgressSchema> {
  if (bytes === undefined) return { status, id };
  const { current, total } = bytes;
  const percent = total === 0 ? 100 : Math.floor((current * 100) / total);
  return {
    status,
    id,
    progress: `${percent} %`,
    progressDetail: { current: BigInt(current), total: BigInt(total) },
  };
}

function describe(image: ImageRecord, digests: boolean): MessageInitShape<typeof ImageSchema> {
  const { id, tags, layers, configuration } = image;
  const { author, architecture, os, labels, diffIds } = configuration;
  const size = BigInt(layers.reduce((sum, layer) => sum + layer.size, 0));
  return {
    id,
    repoTags: [...tags],
    repoDigests: digests ? [...image.digests] : [],
    author,
    architecture,
    os,
    size,
    virtualSize: size,
    labels: { ...labels },
    rootFs: { type: "layers", layers: [...diffIds] },
    ...timed(configuration.created),
  };
}

/** Newest first. The sizes are those of the layers as they are kept. */
function historyOf({ configuration, layers, id, tags }: ImageRecord): MessageInitShape<typeof ImageHistorySchema>[] {
  let layer = 0;
  const steps = configuration.history.map((step) => ({
    createdBy: step.createdBy,
    comment: step.comment,
    size: BigInt(step.emptyLayer ? 0 : (layers[layer++]?.size ?? 0)),
    id: "<missing>",
    tags: [] as string[],
    ...timed(step.created),
  }));
  steps.reverse();
  if (steps[0] !== undefined) Object.assign(steps[0], { id, tags: [...tags] });
  return steps;
}

function timed(text: string): { created?: Timestamp } {
  const time = Date.parse(text);
  return Number.isNaN(time) ? {} : { created: timestampFromMs(time) };
}
