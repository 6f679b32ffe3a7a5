// What a channel tells of a response beside its messages, kept for Connect, which hands it out as Headers that fill.
import { Metadata } from "@guestwire/rpc";
import { lateHeaders, type MetadataSource } from "./headers.js";

/** The metadata of one response as it comes. */
export class ResponseMetadata {
  readonly #header: MetadataSource = { metadata: new Metadata() };
  readonly #trailer: MetadataSource = { metadata: new Metadata() };
  readonly #arrived: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Resolves when the header has come; never where the wire has none. */
  readonly headerArrived: Promise<void> = this.#arrived.promise;
  /** What came so far; `undefined` where nothing did. */
  received: { header?: Metadata; trailer?: Metadata } = {};

  /** The response's header; with {@link ResponseMetadata.trailer}, what an interceptor sees and may change. */
  readonly header: Headers = lateHeaders(this.#header);
  readonly trailer: Headers = lateHeaders(this.#trailer);

  /** For the call's options. */
  readonly onHeader = (header: Metadata): void => {
    this.received.header = header;
    arrive(this.#header, header);
    this.#arrived.resolve();
  };

  /** For the call's options. */
  readonly onTrailer = (trailer: Metadata): void => {
    this.received.trailer = trailer;
    arrive(this.#trailer, trailer);
  };
}

/** Puts what has come in front of what an interceptor has added before it came. */
function arrive(source: MetadataSource, metadata: Metadata): void {
  source.metadata = Metadata.received([...metadata.flat, ...source.metadata.flat]);
}
