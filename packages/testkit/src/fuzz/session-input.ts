// What an input means to a whole session: frames made of parts, raw bytes, turns, time, a peer that does not read, an end.
import type { Peer } from "@guestwire/rpc";
import type { Link, LinkHandler } from "../../../ttrpc/src/link.js";
import { encodeFrames, rawFrame } from "../frames.js";
import type { ManualClock } from "./manual-clock.js";
import { check, FuzzFault } from "./target.js";

const ids = [1, 1, 1, 3, 3, 5, 5, 7, 7, 9, 11, 0, 2, 4, 0x7fff_ffff, 0xffff_ffff] as const;
const types = [1, 1, 1, 2, 2, 3, 3, 0, 4, 0xff] as const;
const flags = [0, 0, 0, 1, 2, 4, 5, 6, 7, 0xff] as const;

/** A link whose other end is the input. */
export class FuzzLink implements Link {
  readonly peer: Peer = { kind: "fuzz", address: "fuzz:" };
  queuedBytes = 0;
  /** What the session sent. */
  readonly sent: Buffer[] = [];
  sentBytes = 0;
  #handler: LinkHandler | undefined;
  readonly #clock: ManualClock;
  #waiting: Buffer[] = [];
  #paused = false;
  #over = false;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
  }

  write(bytes: Buffer): boolean {
    this.sent.push(Buffer.from(bytes));
    this.sentBytes += bytes.length;
    if (this.queuedBytes > 0) this.queuedBytes += bytes.length;
    return true;
  }

  writeAll(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.write(Buffer.from(piece));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#clock.later(() => this.#deliver());
  }

  end(): void {
    this.#clock.soon(() => this.close());
  }

  destroy(): void {
    this.end();
  }

  /** The input's side sends. */
  give(bytes: Buffer): void {
    if (this.#over) return;
    this.#waiting.push(bytes);
    this.#deliver();
  }

  /** The input's side reads no more, or reads again. */
  stall(stalled: boolean): void {
    const before = this.queuedBytes;
    this.queuedBytes = stalled ? Math.max(1, before) : 0;
    if (!stalled && before > 0 && !this.#over) this.#handler?.drained();
  }

  /** The connection is over. */
  close(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    this.#handler?.closed(error);
  }

  #deliver(): void {
    while (!this.#paused && !this.#over && this.#handler !== undefined) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) return;
      this.#handler.received(bytes);
    }
  }
}

/** Lets everything happen that can happen without time. */
export async function settle(clock: ManualClock): Promise<void> {
  for (let turns = 0; ; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!clock.turn()) return;
    if (turns > 2000) throw new FuzzFault("turns without end");
  }
}

/**
 * Plays an input.
 *
 * @param parts What frames may carry; their number is at most 64.
 */
export async function play(
  input: Uint8Array,
  link: FuzzLink,
  clock: ManualClock,
  parts: readonly Buffer[],
): Promise<void> {
  let at = 0;
  const next = (): number => input[at++] ?? 0;
  let looks = 0;
  let advanced = 0;
  while (at < input.length) {
    const command = next();
    if (command < 0x90) {
      const id = ids[command & 15] as number;
      const shape = next();
      const type = types[shape % 10] as number;
      const flag = flags[(shape >> 4) % 10] as number;
      const what = next();
      const data =
        what < 0xc0 ? (parts[what % parts.length] as Buffer) : Buffer.from(input.subarray(at, at + (what & 0x3f)));
      if (what >= 0xc0) at += what & 0x3f;
      const bytes = encodeFrames([rawFrame(id, type, flag, data)]);
      if (command < 0x70) link.give(bytes);
      // In two pieces, cut inside of the header or behind it.
      else {
        link.give(bytes.subarray(0, command & 31));
        link.give(bytes.subarray(command & 31));
      }
    } else if (command < 0xb0) {
      link.give(Buffer.from(input.subarray(at, at + (command & 31))));
      at += command & 31;
    } else if (command < 0xc8) clock.turn();
    else if (command < 0xd8) {
      if (looks++ < 8) await settle(clock);
    } else if (command < 0xf0) {
      advanced += (command & 31) * 30;
      clock.advance((command & 31) * 30);
    } else if (command < 0xf8) link.stall((command & 1) === 1);
    else if (command === 0xff) link.close(command === 0xff && at % 2 === 0 ? new Error("reset") : undefined);
  }
  check(advanced >= 0, () => "time went back");
  await settle(clock);
}
