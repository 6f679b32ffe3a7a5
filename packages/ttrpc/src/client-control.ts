// What a client's connection says by guestwire.control.v1: which calls were canceled, what it can take, whether the server is
// still there. A server that does not know the service is not asked again. No I/O, no frames.
import { Code, type ErrorDetail, Metadata, type RpcError } from "@guestwire/rpc";
import type { ClientCall } from "./client-call.js";
import {
  controlMethods,
  decodeResponseMetadata,
  Feature,
  type Features,
  type MetadataLimits,
  responseMetadataType,
} from "./control-protocol.js";
import type { PreparedMethod } from "./prepared-method.js";

/** What the control side of a connection asks of its session. */
export interface ControlHome {
  /** Whether a call is under way. */
  readonly calls: number;
  /** Whether the session itself does not read for the moment. */
  readonly paused: boolean;
  /** Makes a call of the service; false where the connection cannot take one now. */
  ask(method: PreparedMethod, request: object, done: (error: RpcError | undefined, response?: object) => void): boolean;
  /** The server is gone. */
  dead(message: string): void;
}

// Cancellations that wait for the first answer: more than may run at a time there never are for long.
const waitingCancels = 1024;
// These say nothing about whether the server knows the service.
const passing: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.ResourceExhausted,
  Code.Canceled,
  Code.DeadlineExceeded,
]);

/** One connection's side of guestwire.control.v1. */
export class ClientControl {
  readonly #home: ControlHome;
  // `undefined` until the server has answered once.
  #known: boolean | undefined;
  #asking = false;
  #greeted = false;
  #sendsMetadata = false;
  readonly #canceled: number[] = [];

  /** @param enabled Whether to speak of it at all. */
  constructor(home: ControlHome, enabled: boolean) {
    this.#home = home;
    if (!enabled) this.#known = false;
  }

  /** Whether the server knows the service; `undefined` until it was asked. */
  get known(): boolean | undefined {
    return this.#known;
  }

  /**
   * Hands a response's metadata to the call, where the server sends any; a response without them has empty ones.
   *
   * @param begun Whether a response has begun; an error in its place has no header.
   * @returns Those of the end, where some came.
   */
  metadata(
    call: ClientCall,
    details: readonly ErrorDetail[],
    limits: MetadataLimits,
    begun: boolean,
  ): Metadata | undefined {
    if (!this.#sendsMetadata) return undefined;
    const detail = details.find(isMetadata);
    try {
      const { header, trailer } =
        detail === undefined
          ? { header: new Metadata(), trailer: new Metadata() }
          : decodeResponseMetadata(detail.value, limits);
      call.tellMetadata(begun ? header : undefined, trailer);
      return detail === undefined ? undefined : trailer;
    } catch (error) {
      call.fail(
        Code.Internal,
        `the response's metadata cannot be read: ${(error as Error).message}`,
        "protocol",
        error,
      );
    }
    return undefined;
  }

  /** Tells the server that nobody waits for a call any more. */
  cancel(streamId: number): void {
    if (this.#known === false) return;
    // The first question goes alone: a server that does not know the service should get one, not a thousand.
    if (this.#known === undefined && this.#asking) {
      if (this.#canceled.length < waitingCancels) this.#canceled.push(streamId);
      return;
    }
    this.#ask(controlMethods.cancel, { streamId });
  }

  /** Tells the server what this side can take; once, in front of the first call that wants it. */
  hello(): void {
    if (this.#greeted || this.#known === false) return;
    this.#greeted = this.#ask(controlMethods.hello, { features: [Feature.ResponseMetadata] }, (answer) => {
      this.#sendsMetadata = (answer as Features).features.includes(Feature.ResponseMetadata);
    });
  }

  /** Asks whether the server is there. */
  ping(): void {
    this.#ask(controlMethods.ping, {});
  }

  #ask(method: PreparedMethod, request: object, answered: (response: object) => void = () => {}): boolean {
    const first = this.#known === undefined;
    if (first) this.#asking = true;
    const asked = this.#home.ask(method, request, (error, response) => {
      if (error === undefined) {
        this.#known = true;
        answered(response as object);
      } else if (!passing.has(error.code)) this.#known = false;
      if (first) this.#answered();
    });
    if (first && !asked) this.#asking = false;
    return asked;
  }

  /** The first question has its answer: what waited for it goes, or is dropped. */
  #answered(): void {
    this.#asking = false;
    const canceled = this.#canceled.splice(0);
    if (this.#known === true) for (const id of canceled) this.cancel(id);
  }
}

/** Whether an error's detail is metadata. */
export function isMetadata({ typeUrl }: ErrorDetail): boolean {
  return typeUrl === responseMetadataType || typeUrl.endsWith(`/${responseMetadataType}`);
}
