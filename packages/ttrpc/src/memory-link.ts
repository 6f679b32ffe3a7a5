// Two links that are each other's other end, inside one process. Bytes are copied, as a kernel would.
import type { Peer } from "@guestwire/rpc";
import type { Clock, Link, LinkHandler } from "./link.js";

/** Makes two connected links. @param peer How both ends name the other. */
export function linkPair(clock: Clock, peer: Peer): [Link, Link] {
  const a = new MemoryLink(clock, peer);
  const b = new MemoryLink(clock, peer);
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryLink implements Link {
  readonly peer: Peer;
  other!: MemoryLink;
  readonly #clock: Clock;
  readonly #inbox: Buffer[] = [];
  #inboxBytes = 0;
  #handler: LinkHandler | undefined;
  #paused = false;
  #scheduled = false;
  #ending = false;
  #over = false;

  constructor(clock: Clock, peer: Peer) {
    this.#clock = clock;
    this.peer = peer;
  }

  get queuedBytes(): number {
    return this.other.#inboxBytes;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    this.#wake();
  }

  write(bytes: Buffer): boolean {
    this.other.#accept(Buffer.from(bytes));
    return true;
  }

  writeAll(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.other.#accept(Buffer.from(piece));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    this.other.#ending = true;
    this.other.#wake();
    this.#clock.soon(() => this.#close());
  }

  destroy(): void {
    this.end();
  }

  #accept(bytes: Buffer): void {
    if (this.#over || bytes.length === 0) return;
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    this.#wake();
  }

  #wake(): void {
    if (this.#scheduled || this.#handler === undefined) return;
    this.#scheduled = true;
    // As with a socket, nothing arrives in the turn in which it was sent.
    this.#clock.later(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    while (!this.#paused && !this.#over) {
      const bytes = this.#inbox.shift();
      if (bytes === undefined) break;
      this.#inboxBytes -= bytes.length;
      this.#handler?.received(bytes);
    }
    if (this.#inboxBytes > 0) return;
    this.other.#handler?.drained();
    if (this.#ending) this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#inbox.length = 0;
    this.#inboxBytes = 0;
    this.#handler?.closed(undefined);
  }
}
