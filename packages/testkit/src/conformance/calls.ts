// The calls that the Connect conformance suite wants a client to make: which messages, when to cancel, and what came of it.
// Knows no wire: any channel's client will do.
import { setTimeout as pause } from "node:timers/promises";
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, createPushStream, type Metadata, RpcError } from "@guestwire/rpc";
import {
  type ClientCompatRequest,
  ClientCompatRequest_CancelSchema,
  type ClientResponseResultSchema,
} from "../gen/connectrpc/conformance/v1/client_compat_pb.js";
import { StreamType } from "../gen/connectrpc/conformance/v1/config_pb.js";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload,
  ConformancePayloadSchema,
  type ConformanceService,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  UnaryRequestSchema,
  UnimplementedRequestSchema,
} from "../gen/connectrpc/conformance/v1/service_pb.js";
import { toHeaders, toPairs } from "./headers.js";

/** What came of a call, in the suite's form. */
export type Outcome = MessageInitShape<typeof ClientResponseResultSchema>;

type ConformanceClient = Client<typeof ConformanceService>;
type Answer = { readonly payload?: ConformancePayload | undefined };

/** Makes the call that the suite describes. Rejects only where the description makes no sense. */
export async function call(client: ConformanceClient, request: ClientCompatRequest): Promise<Outcome> {
  const made = new Call(request);
  await made.run(client);
  return made.outcome;
}

class Call {
  readonly #request: ClientCompatRequest;
  readonly #abort = new AbortController();
  readonly #cancel: MessageShape<typeof ClientCompatRequest_CancelSchema>["cancelTiming"];
  readonly #payloads: ConformancePayload[] = [];
  readonly #options: CallOptions;
  #header: Metadata | undefined;
  #trailer: Metadata | undefined;
  #error: RpcError | undefined;
  #answers = 0;
  #unsent = 0;

  constructor(request: ClientCompatRequest) {
    this.#request = request;
    this.#cancel = (request.cancel ?? create(ClientCompatRequest_CancelSchema)).cancelTiming;
    this.#options = {
      metadata: toPairs(request.requestHeaders),
      signal: this.#abort.signal,
      onHeader: (header) => {
        this.#header = header;
      },
      onTrailer: (trailer) => {
        this.#trailer = trailer;
      },
      ...(request.timeoutMs !== undefined && { timeoutMs: request.timeoutMs }),
    };
  }

  get outcome(): Outcome {
    const error = this.#error;
    return {
      payloads: this.#payloads,
      responseHeaders: toHeaders(this.#header),
      responseTrailers: toHeaders(this.#trailer ?? error?.metadata),
      numUnsentRequests: this.#unsent,
      ...(error && { error: { code: error.code, message: error.rawMessage, details: [...error.details] as never } }),
    };
  }

  async run(client: ConformanceClient): Promise<void> {
    const { method, streamType } = this.#request;
    if (method === "Unary") await this.#one(() => client.unary(this.#only(UnaryRequestSchema), this.#options));
    else if (method === "IdempotentUnary") {
      await this.#one(() => client.idempotentUnary(this.#only(IdempotentUnaryRequestSchema), this.#options));
    } else if (method === "Unimplemented") {
      await this.#one(() => client.unimplemented(this.#only(UnimplementedRequestSchema), this.#options));
    } else if (method === "ClientStream") {
      await this.#heard(async () => {
        const answer = await client.clientStream(this.#sent(ClientStreamRequestSchema), this.#options);
        this.#take(answer);
      });
    } else if (method === "ServerStream") {
      const request = this.#only(ServerStreamRequestSchema);
      this.#closedSend();
      await this.#heard(() => this.#takeAll(client.serverStream(request, this.#options)));
    } else if (method === "BidiStream" && streamType === StreamType.HALF_DUPLEX_BIDI_STREAM) {
      const requests = this.#sent(BidiStreamRequestSchema);
      await this.#heard(() => this.#takeAll(client.bidiStream(requests, this.#options)));
    } else if (method === "BidiStream") await this.#heard(() => this.#inTurn(client));
    else throw new Error(`there is no method ${method}`);
  }

  async #one(send: () => Promise<object>): Promise<void> {
    this.#closedSend();
    await this.#heard(async () => this.#take(await send()));
  }

  /** Each request is answered before the next is sent. */
  async #inTurn(client: ConformanceClient): Promise<void> {
    const requests = createPushStream<MessageShape<typeof BidiStreamRequestSchema>>();
    const responses = client.bidiStream(requests, this.#options);
    const messages = this.#messages(BidiStreamRequestSchema);
    this.#unsent = messages.length;
    let open = true;
    for (const message of messages) {
      await this.#pauseBeforeSend();
      // Fails where the call is over; reading says why.
      const sent = await requests.push(message).then(
        () => true,
        () => false,
      );
      if (sent) this.#unsent--;
      const { value, done } = await responses.next();
      open = sent && !done;
      if (!done) this.#take(value);
      if (!open) break;
    }
    if (this.#cancel.case === "beforeCloseSend") this.#abort.abort();
    requests.end();
    this.#closedSend();
    await this.#takeAll(responses);
  }

  async #heard(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.#error = RpcError.from(error);
    }
  }

  async #takeAll(answers: AsyncIterable<Answer>): Promise<void> {
    for await (const answer of answers) this.#take(answer);
  }

  #take({ payload }: Answer): void {
    if (this.#request.method !== "Unimplemented") this.#payloads.push(payload ?? create(ConformancePayloadSchema));
    this.#answers++;
    if (this.#cancel.case === "afterNumResponses" && this.#cancel.value === this.#answers) this.#abort.abort();
  }

  async *#sent<S extends DescMessage>(schema: S): AsyncGenerator<MessageShape<S>> {
    const messages = this.#messages(schema);
    this.#unsent = messages.length;
    for (const message of messages) {
      await this.#pauseBeforeSend();
      yield message;
      this.#unsent--;
    }
    if (this.#cancel.case === "beforeCloseSend") this.#abort.abort();
    this.#closedSend();
  }

  #closedSend(): void {
    if (this.#cancel.case === "afterCloseSendMs") setTimeout(() => this.#abort.abort(), this.#cancel.value);
  }

  async #pauseBeforeSend(): Promise<void> {
    if (this.#request.requestDelayMs > 0) await pause(this.#request.requestDelayMs);
  }

  #only<S extends DescMessage>(schema: S): MessageShape<S> {
    const messages = this.#messages(schema);
    if (messages.length !== 1) throw new Error(`${schema.typeName}: one message is due, not ${messages.length}`);
    return messages[0] as MessageShape<S>;
  }

  #messages<S extends DescMessage>(schema: S): MessageShape<S>[] {
    return this.#request.requestMessages.map((any) => {
      const message = anyUnpack(any, schema);
      if (message === undefined) throw new Error(`${any.typeUrl} was given where ${schema.typeName} is due`);
      return message;
    });
  }
}
