// What a server's connection answers by guestwire.control.v1, and what it then sends beside its responses. No I/O, no frames.
import { Code, type ErrorDetail, Metadata, RpcError } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";
import {
  controlMethods,
  controlService,
  encodeResponseMetadata,
  Feature,
  type Features,
  type ResponseMetadata,
  responseMetadataType,
} from "./control-protocol.js";
import type { ReplyWriter } from "./reply-writer.js";

/** A question, as it came. */
export interface ControlQuestion {
  /** The id to answer on. */
  readonly id: number;
  /** The name of the method. */
  readonly method: string;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** One connection's side of guestwire.control.v1. */
export class ServerControl {
  readonly #replies: ReplyWriter;
  readonly #cancel: (streamId: number) => void;
  // Whether the client has said that it takes metadata of responses.
  #tellsMetadata = false;

  /** @param cancel Gives up the call with this id, if it runs. */
  constructor(replies: ReplyWriter, cancel: (streamId: number) => void) {
    this.#replies = replies;
    this.#cancel = cancel;
  }

  /** Answers a question. @returns The error to answer with where it is none that is known, or cannot be read. */
  answer({ id, method: name, bytes, start, end }: ControlQuestion): RpcError | undefined {
    const method = Object.values(controlMethods).find(({ path }) => path === `/${controlService}/${name}`);
    if (method === undefined) return this.#replies.makeError(Code.Unimplemented, `method ${name}`);
    let request: object;
    try {
      request = method.input.decode(bytes, start, end);
    } catch (error) {
      return this.#replies.makeError(Code.Internal, `error unmarshalling payload: ${(error as Error).message}`);
    }
    if (method === controlMethods.hello) {
      this.#tellsMetadata = (request as Features).features.includes(Feature.ResponseMetadata);
    } else if (method === controlMethods.cancel) this.#cancel((request as { streamId: number }).streamId);
    const features = this.#tellsMetadata ? [Feature.ResponseMetadata] : [];
    this.#replies.answer(id, method.output, { features });
    return undefined;
  }

  /** What goes with the end of a call, for clients that take it. */
  details(sent: ResponseMetadata | undefined, ofError?: Metadata): readonly ErrorDetail[] | undefined {
    if (!this.#tellsMetadata) return undefined;
    if (ofError === undefined || ofError.size === 0) return sent === undefined ? undefined : [detailOf(sent)];
    const trailer = new Metadata(sent?.trailer ?? []);
    for (const [key, value] of ofError) trailer.append(key, value);
    return [detailOf({ header: sent?.header ?? new Metadata(), trailer })];
  }

  /** The error with what goes with it. */
  withMetadata(error: RpcError, sent: ResponseMetadata | undefined): RpcError {
    const details = this.details(sent, error.metadata);
    if (details === undefined) return error;
    const { code, rawMessage } = error;
    return withoutStack(() => new RpcError(code, rawMessage, { details: [...error.details, ...details] }));
  }
}

function detailOf(metadata: ResponseMetadata): ErrorDetail {
  return { typeUrl: responseMetadataType, value: encodeResponseMetadata(metadata) };
}
