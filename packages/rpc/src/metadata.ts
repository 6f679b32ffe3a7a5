// Request and response metadata: ordered pairs of text. No wire format, no meaning of any key.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/** What callers may give where metadata is wanted: metadata, pairs, or an object whose values are one text or several. */
export type MetadataInit =
  | Metadata
  | Iterable<readonly [key: string, value: string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

// Keys are tokens: no white space, no control characters, no colon or quotes. gRPC allows fewer, so grpc checks again.
// Looked at before it is put in lower case, as that makes ASCII letters of a few others.
const legalKey = /^[A-Za-z0-9!#$%&'*+\-./^_`|~]+$/;

/**
 * An ordered list of key-value pairs that travels beside a call. A key may stand several times; the order of all pairs
 * is kept. Keys are case-insensitive and stored in lower case. Values are UTF-8 text.
 *
 * ttrpc carries metadata with requests only; gRPC also with responses, and there `-bin` keys hold base64 text.
 */
export class Metadata implements Iterable<[key: string, value: string]> {
  // Keys and values in turn: one list is made and copied faster than two, or than pairs.
  readonly #flat: string[];

  /**
   * @param init Pairs to start with; copied.
   * @throws {RpcError} Code.InvalidArgument when a key or a value is not allowed.
   */
  constructor(init?: MetadataInit) {
    if (init instanceof Metadata) {
      this.#flat = init.#flat.slice();
      return;
    }
    this.#flat = [];
    if (init === undefined || init === null) return;
    if (typeof init !== "object") {
      throw new RpcError(Code.InvalidArgument, `metadata must be pairs or an object, not ${typeof init}`);
    }
    if (isIterable(init)) {
      for (const pair of init) {
        if (!Array.isArray(pair)) throw new RpcError(Code.InvalidArgument, "metadata has an entry that is no pair");
        this.append(pair[0], pair[1]);
      }
      return;
    }
    for (const key of Object.keys(init)) {
      const value = init[key];
      if (value === undefined) continue;
      if (Array.isArray(value)) for (const one of value) this.append(key, one);
      else this.append(key, value as string);
    }
  }

  /**
   * For transports: the pairs that a peer sent, in order. Keys are only put in lower case, as a peer may use keys that
   * we would not send.
   *
   * @param flat Keys and values in turn.
   */
  static received(flat: readonly string[]): Metadata {
    const metadata = new Metadata();
    for (let i = 0; i + 1 < flat.length; i += 2) {
      metadata.#flat.push((flat[i] as string).toLowerCase(), flat[i + 1] as string);
    }
    return metadata;
  }

  /** For transports: keys and values in turn, keys in lower case. Not to be changed. */
  get flat(): readonly string[] {
    return this.#flat;
  }

  /** The number of pairs. */
  get size(): number {
    return this.#flat.length / 2;
  }

  /** The first value of a key, or `undefined`. */
  get(key: string): string | undefined {
    const at = this.#find(key.toLowerCase());
    return at < 0 ? undefined : this.#flat[at + 1];
  }

  /** All values of a key in order; an empty list where there is none. */
  getAll(key: string): string[] {
    const wanted = key.toLowerCase();
    return this.#flat.filter((_, at) => at % 2 === 1 && this.#flat[at - 1] === wanted);
  }

  /** Whether a key stands at least once. */
  has(key: string): boolean {
    return this.#find(key.toLowerCase()) >= 0;
  }

  /**
   * Adds a pair at the end; other values of the key stay.
   *
   * @throws {RpcError} Code.InvalidArgument when the key is empty or holds white space, control or non-ASCII characters,
   * or when the value is no text or not valid Unicode.
   */
  append(key: string, value: string): this {
    const lower = checkedKey(key);
    if (typeof value !== "string" || !value.isWellFormed()) {
      const fault = typeof value === "string" ? "not valid Unicode text" : `not text but ${typeof value}`;
      throw new RpcError(Code.InvalidArgument, `the metadata value of "${lower}" is ${fault}`);
    }
    this.#flat.push(lower, value);
    return this;
  }

  /**
   * Replaces all values of a key. The key keeps the place of its first value; a new key goes to the end.
   *
   * @throws {RpcError} Code.InvalidArgument as {@link Metadata.append}.
   */
  set(key: string, value: string): this {
    const lower = checkedKey(key);
    const at = this.#find(lower);
    this.append(lower, value);
    if (at < 0) return this;
    this.#flat[at + 1] = value;
    this.#removeFrom(at + 2, lower);
    return this;
  }

  /** Removes all values of a key; says whether there were any. */
  delete(key: string): boolean {
    const before = this.#flat.length;
    this.#removeFrom(0, key.toLowerCase());
    return this.#flat.length < before;
  }

  /** All pairs in order, keys in lower case. */
  *[Symbol.iterator](): IterableIterator<[key: string, value: string]> {
    for (let i = 0; i < this.#flat.length; i += 2) yield [this.#flat[i] as string, this.#flat[i + 1] as string];
  }

  /** The pairs as a JSON array, so that logs show them. */
  toJSON(): [key: string, value: string][] {
    return [...this];
  }

  #find(lower: string): number {
    for (let i = 0; i < this.#flat.length; i += 2) if (this.#flat[i] === lower) return i;
    return -1;
  }

  #removeFrom(start: number, lower: string): void {
    for (let i = this.#flat.length - 2; i >= start; i -= 2) if (this.#flat[i] === lower) this.#flat.splice(i, 2);
  }
}

// What Node's console shows: the pairs, but no credentials. By a global symbol, so that nothing of Node is imported.
Object.defineProperty(Metadata.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Metadata, _depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    return `Metadata ${inspect(
      [...this].map(([key, value]) => [key, key === "authorization" ? "***" : value]),
      options,
    )}`;
  },
});

/** Gives metadata as such: an instance is returned as it is, anything else is copied into a new one. */
export function toMetadata(init: MetadataInit | undefined): Metadata {
  return init instanceof Metadata ? init : new Metadata(init);
}

// A program uses few keys, again and again: what was found legal once is only looked up (200 ns less a pair).
const knownKeys = new Map<string, string>();
const mostKnownKeys = 256;

function checkedKey(key: string): string {
  const known = knownKeys.get(key);
  if (known !== undefined) return known;
  if (typeof key !== "string" || !legalKey.test(key)) {
    const shown = typeof key === "string" ? JSON.stringify(key) : `of type ${typeof key}`;
    throw new RpcError(Code.InvalidArgument, `the metadata key ${shown} is not a token of visible ASCII characters`);
  }
  const lower = key.toLowerCase();
  if (knownKeys.size < mostKnownKeys) knownKeys.set(key, lower);
  return lower;
}

function isIterable(value: object): value is Iterable<readonly [string, string]> {
  return Symbol.iterator in value;
}
