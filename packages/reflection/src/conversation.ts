// One reflection stream from the client's side: question and answer in turns, in the version that the server speaks. Knows
// nothing of what is asked.
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Channel,
  type ClientOptions,
  Code,
  createClient,
  createPushStream,
  isCode,
  type PushStream,
  type ResponseStream,
  RpcError,
} from "@guestwire/rpc";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "./gen/grpc/reflection/v1/reflection_pb.js";
import {
  ServerReflection as AlphaReflection,
  type ServerReflectionResponse as AlphaResponse,
} from "./gen/grpc/reflection/v1alpha/reflection_pb.js";

/** What is asked, without the host. */
export type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;
/** What was answered, other than an error. */
export type Answer = Exclude<ServerReflectionResponse["messageResponse"], { case: "errorResponse" }>;

type AnyAnswer = ServerReflectionResponse["messageResponse"] | AlphaResponse["messageResponse"];

interface Stream {
  readonly requests: PushStream<MessageInitShape<typeof ServerReflectionRequestSchema>>;
  readonly responses: ResponseStream<ServerReflectionResponse | AlphaResponse>;
}

/** Opens conversations with one server, and remembers which version it speaks. */
export class Conversations {
  readonly #open: readonly ((requests: Stream["requests"], options?: CallOptions) => Stream["responses"])[];
  readonly #target: string;
  readonly #host: string;
  // The one that was answered last.
  #version = 0;

  constructor(channel: Channel, host: string, options: ClientOptions) {
    const current = createClient(ServerReflection, channel, options);
    const alpha = createClient(AlphaReflection, channel, options);
    this.#open = [
      (requests, call) => current.serverReflectionInfo(requests, call),
      // The messages differ in their names only, which no init has.
      (requests, call) => alpha.serverReflectionInfo(requests as AsyncIterable<object>, call),
    ];
    this.#target = channel.target;
    this.#host = host;
  }

  /** Opens a stream for as long as `use` runs. */
  async with<T>(options: CallOptions | undefined, use: (ask: Ask) => Promise<T>): Promise<T> {
    let version = this.#version;
    let stream = this.#begin(version, options);
    let settled = false;
    const ask: Ask = async (question) => {
      try {
        const answer = await this.#next(stream, question);
        this.#version = version;
        settled = true;
        return this.#checked(answer);
      } catch (error) {
        if (settled || RpcError.from(error).code !== Code.Unimplemented) throw error;
        settled = true;
        version = 1 - version;
        await leave(stream);
        stream = this.#begin(version, options);
        return ask(question);
      }
    };
    try {
      return await use(ask);
    } finally {
      await leave(stream);
    }
  }

  #begin(version: number, options: CallOptions | undefined): Stream {
    const requests: Stream["requests"] = createPushStream();
    return { requests, responses: this.#open[version]?.(requests, options) as Stream["responses"] };
  }

  async #next({ requests, responses }: Stream, messageRequest: Question): Promise<AnyAnswer> {
    // The reader of the requests is the call; when it has gone, reading the responses says why.
    requests.push({ host: this.#host, messageRequest }).catch(() => {});
    const { done, value } = await responses.next();
    if (!done) return value.messageResponse;
    const options = { peer: this.#target, reason: "protocol" } as const;
    throw new RpcError(Code.Internal, "the server has ended the stream without an answer", options);
  }

  #checked(response: AnyAnswer): Answer {
    if (response.case !== "errorResponse") return response as Answer;
    const { errorCode, errorMessage } = response.value;
    throw new RpcError(isCode(errorCode) ? errorCode : Code.Unknown, errorMessage, { peer: this.#target });
  }
}

async function leave({ requests, responses }: Stream): Promise<void> {
  requests.end();
  await responses.return();
}

/**
 * Asks one question.
 *
 * @throws {RpcError} the code that the server answered with, or what became of the call.
 */
export type Ask = (question: Question) => Promise<Answer>;
