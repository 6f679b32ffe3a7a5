// What containers need to know of images: the seam between the two. Knows no image store.

/** What an image says of the containers made from it, as in an OCI image configuration. */
export interface ImageConfig {
  /** As `NAME=value`. Default none. */
  readonly env?: readonly string[];
  /** Default arguments, or the whole command where there is no entrypoint. Default none. */
  readonly cmd?: readonly string[];
  /** Program and leading arguments. Default none. */
  readonly entrypoint?: readonly string[];
  /** Absolute. Default "/". */
  readonly workingDir?: string;
  /** `user[:group]`. Default the guest's own. */
  readonly user?: string;
  /** As "SIGINT". Default SIGTERM. */
  readonly stopSignal?: string;
  /** Labels of the image; a container's own come before them. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** An image that is present. */
export interface ResolvedImage {
  /** `sha256:<64 hex digits>`. */
  readonly id: string;
  readonly config: ImageConfig;
  /**
   * A folder with the image's unpacked files, which is copied into each container's own. Default: containers begin with an
   * empty folder.
   */
  readonly rootfs?: string | undefined;
}

/** Finds images that are present. */
export interface ImageLookup {
  /** @param reference Name with or without a tag or digest, or an id. @returns `undefined` where there is none. */
  resolve(reference: string): Promise<ResolvedImage | undefined> | ResolvedImage | undefined;
}

/** Tells which containers use an image, for those who remove images. */
export interface ImageUsers {
  /** Ids of the containers in every state that were made from this image. */
  containersOf(imageId: string): readonly string[];
}

/** A lookup over a fixed set of images by their references. For tests. */
export function fixedImages(images: Readonly<Record<string, ResolvedImage>>): ImageLookup {
  return { resolve: (reference) => (Object.hasOwn(images, reference) ? images[reference] : undefined) };
}
