// The conditions of a listing of images, by Docker's keys. Knows no store.
import { invalid, quoted } from "../../errors.js";
import type { ImageRecord } from "./image-store.js";
import { familiar } from "./names.js";

/** Whether an image fulfils a condition. */
export type ImageFilter = (image: ImageRecord) => boolean;

/**
 * Reads the conditions of a request; all must hold.
 *
 * @param find Gives the image that a condition names.
 * @throws {RpcError} Code.InvalidArgument for an unknown key or a bad value; what `find` throws.
 */
export function imageFilter(
  filters: Readonly<Record<string, string>>,
  find: (name: string) => ImageRecord,
): ImageFilter {
  const all = Object.entries(filters).map(([key, value]) => condition(key, value, find));
  return (image) => all.every((one) => one(image));
}

function condition(key: string, value: string, find: (name: string) => ImageRecord): ImageFilter {
  switch (key) {
    case "reference":
      return byReference(value);
    case "label": {
      const [name = "", ...rest] = value.split("=");
      const wanted = rest.length > 0 ? rest.join("=") : undefined;
      return ({ configuration: { labels } }) =>
        Object.hasOwn(labels, name) && (wanted === undefined || labels[name] === wanted);
    }
    case "dangling":
      if (value !== "true" && value !== "false")
        throw invalid("filters[dangling]", `${quoted(value)} is not true or false`);
      return ({ tags }) => (tags.length === 0) === (value === "true");
    case "before": {
      const limit = createdAt(find(value));
      return (image) => createdAt(image) < limit;
    }
    case "since": {
      const limit = createdAt(find(value));
      return (image) => createdAt(image) > limit;
    }
    default:
      throw invalid(
        `filters[${quoted(key)}]`,
        "this condition is not known: reference, label, dangling, before, since",
      );
  }
}

/** A pattern with `*` and `?`, which do not go over a slash; without a tag it holds for all of them. */
function byReference(pattern: string): ImageFilter {
  const parts = familiar(pattern).split("/");
  const fits = (name: string): boolean => {
    const found = name.split("/");
    return found.length === parts.length && found.every((part, i) => matches(part, parts[i] as string));
  };
  return ({ tags }) => tags.some((tag) => fits(tag) || fits(tag.slice(0, tag.lastIndexOf(":"))));
}

/** Not with a regular expression: one of many stars can take for ever. Here it is at most both lengths multiplied. */
function matches(text: string, pattern: string): boolean {
  let [at, next] = [0, 0];
  let star: { readonly next: number; at: number } | undefined;
  while (at < text.length) {
    if (pattern[next] === "*") star = { next: ++next, at };
    else if (next < pattern.length && (pattern[next] === "?" || pattern[next] === text[at])) {
      at++;
      next++;
    } else if (star !== undefined) {
      // The last star takes one more; the ones before it never have to.
      at = ++star.at;
      next = star.next;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(next));
}

function createdAt({ configuration: { created }, pulledAt }: ImageRecord): number {
  const time = Date.parse(created);
  return Number.isNaN(time) ? pulledAt : time;
}
