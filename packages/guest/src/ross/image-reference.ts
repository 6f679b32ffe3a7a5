// The form of image references, as registries have it. Looks nothing up.
import { invalid, quoted } from "../errors.js";

/** A reference in its parts. */
export interface ImageReference {
  /** With the registry where it was given: "alpine", "host:5000/team/app". */
  readonly repository: string;
  /** Empty: none was given. */
  readonly tag: string;
  /** As "sha256:…"; empty: none was given. */
  readonly digest: string;
}

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const host = "(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:]+\\])(?::[0-9]+)?";
const form = new RegExp(
  `^(?<repository>(?:${host}/)?${component}(?:/${component})*)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?<digest>[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}))?$`,
);
const id = /^(?:sha256:)?[0-9a-f]{12,64}$/;
const longestRepository = 255;

/**
 * Reads a reference.
 *
 * @param field How the error names it, as `config.image`.
 * @throws {RpcError} Code.InvalidArgument when it is empty or malformed.
 */
export function parseImageReference(reference: string, field: string): ImageReference {
  if (reference === "") throw invalid(field, "must not be empty");
  const { repository = "", tag = "", digest = "" } = (reference.length < 1024 && form.exec(reference)?.groups) || {};
  if (repository === "" || repository.length > longestRepository) {
    throw invalid(
      field,
      `${quoted(reference)} is no image reference: write [registry/]name[:tag][@digest] in lower case`,
    );
  }
  return { repository, tag, digest };
}

/** Whether a text has the form of an image's id, whole or its beginning. */
export function isImageId(text: string): boolean {
  return id.test(text);
}
