// Metadata as Headers and back. The Headers are a live view: who changes them changes the metadata, and nothing is copied
// or lost on the way. No meaning of any key.
import { inspect } from "node:util";
import { Metadata } from "@guestwire/rpc";

/** What Connect takes where headers are wanted. */
export type HeadersInit = ConstructorParameters<typeof Headers>[0];

/** Where a view finds its metadata: it may come later, as a trailer does. */
export interface MetadataSource {
  metadata: Metadata;
}

const plainText = /^[\t -~]*$/;
const legalName = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const unsendable = /[\0\r\n]/;

// Its methods are properties in the types of Node, which methods of a class cannot replace.
const Base = Headers as unknown as new () => object;

/** Headers whose content is metadata: `instanceof Headers`, and all of their methods. */
class MetadataHeaders extends Base {
  readonly source: MetadataSource;

  constructor(source: MetadataSource) {
    super();
    this.source = source;
  }

  append(name: string, value: string): void {
    this.source.metadata.append(name, normalized(name, value));
  }

  set(name: string, value: string): void {
    this.source.metadata.set(name, normalized(name, value));
  }

  delete(name: string): void {
    checkName(name);
    this.source.metadata.delete(name);
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  get(name: string): string | null {
    checkName(name);
    const values = this.#values(name);
    return values.length === 0 ? null : values.join(", ");
  }

  getSetCookie(): string[] {
    return this.#values("set-cookie");
  }

  forEach(callback: (value: string, key: string, parent: Headers) => void, self?: unknown): void {
    for (const [key, value] of this) callback.call(self, value, key, this as unknown as Headers);
  }

  *keys(): IterableIterator<string> {
    for (const [key] of this) yield key;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this) yield value;
  }

  *entries(): IterableIterator<[string, string]> {
    yield* this;
  }

  /** Sorted by names and with the values of a name joined, as Fetch has it. */
  *[Symbol.iterator](): IterableIterator<[string, string]> {
    const names = new Set<string>();
    for (const [key] of this.source.metadata) names.add(key);
    for (const name of [...names].sort()) {
      if (!legalName.test(name)) continue;
      const values = this.#values(name);
      if (name === "set-cookie") for (const value of values) yield [name, value];
      else if (values.length > 0) yield [name, values.join(", ")];
    }
  }

  [inspect.custom](_depth: number, options: object): string {
    // As Metadata, which shows no credentials either.
    const shown = [...this].map(([key, value]) => [key, key === "authorization" ? "***" : value]);
    return `Headers ${inspect(Object.fromEntries(shown), options)}`;
  }

  #values(name: string): string[] {
    return this.source.metadata
      .getAll(name)
      .filter((value) => !unsendable.test(value))
      .map(toBytes);
  }
}

/** Whether a pair can be a header as it is. A view leaves out what cannot; the metadata keeps it. */
export function canBeHeader(key: string, value: string): boolean {
  return legalName.test(key) && !unsendable.test(value);
}

/**
 * Headers that show metadata, and change it when they are changed. Several values of a key are joined with ", ", as in
 * all Headers; text that is not ASCII appears as its UTF-8 bytes, one character each, as Headers of HTTP have it. Pairs
 * that no header can hold (a line break in the value) are left out.
 */
export function headersOf(metadata: Metadata): Headers {
  return lateHeaders({ metadata });
}

/** As {@link headersOf}, for metadata that is replaced when it has come. */
export function lateHeaders(source: MetadataSource): Headers {
  return new MetadataHeaders(source) as unknown as Headers;
}

/**
 * The metadata that Headers show: the very one behind them, or a copy of Headers of another kind. Joined values of `-bin`
 * keys become several again, as base64 holds no comma; those of other keys stay one.
 */
export function metadataOf(init: HeadersInit | undefined): Metadata {
  if (init instanceof MetadataHeaders) return init.source.metadata;
  const metadata = new Metadata();
  for (const [key, value] of new Headers(init)) {
    if (!key.endsWith("-bin")) metadata.append(key, fromBytes(value));
    else for (const one of value.split(",")) metadata.append(key, one.trim());
  }
  return metadata;
}

/** Metadata as Headers of the kind that was given: not every transport takes views, and ours loses nothing with one. */
export function likeHeaders(given: Headers, metadata: Metadata): Headers {
  const view = headersOf(metadata);
  return given instanceof MetadataHeaders ? view : new Headers(view);
}

/** The value as Headers would hold it; refuses what they refuse. */
function normalized(name: string, value: string): string {
  const one = new Headers();
  one.append(name, value);
  return fromBytes(one.get(name) as string);
}

function checkName(name: string): void {
  Headers.prototype.has.call(new Headers(), name);
}

function toBytes(value: string): string {
  return plainText.test(value) ? value : Buffer.from(value, "utf8").toString("latin1");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of any kind: what is no UTF-8 was meant as it stands. */
function fromBytes(value: string): string {
  if (plainText.test(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}
