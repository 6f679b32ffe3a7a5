// mux(): several ttrpc connections over one stream, as NRI has it. Opens and ends streams, and keeps one that is not read from
// stopping the others for long. Frames are cut and found in mux-frame.ts.
import { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import { systemClock } from "@guestwire/rpc/transport";
import type { Clock, Timer } from "../link.js";
import { MuxReader } from "./mux-frame.js";
import { MuxStream } from "./mux-stream.js";

/** How long a closed trunk may take to send what was written, in milliseconds. */
const lingerMs = 5000;

/** The ids that NRI uses. */
export const nriConnection: { readonly plugin: 1; readonly runtime: 2 } = { plugin: 1, runtime: 2 };

/** Bounds of a {@link Mux}. */
export interface MuxOptions {
  /** How many connections may be open at a time. Default 64: NRI uses 2. */
  readonly connections?: number;
  /**
   * How many bytes may wait to be read on one connection; with more, the trunk is not read. Default 8 MiB: a message of the
   * largest size that is being read and one behind it.
   */
  readonly connectionBytes?: number;
  /**
   * How long a connection whose reader takes nothing may keep the trunk from being read, in milliseconds; then that one fails.
   * Default 5,000: longer than a ttrpc session ever leaves its connection unread.
   */
  readonly stallMs?: number;
  /** Time. Default Node's own. */
  readonly clock?: Pick<Clock, "after">;
}

/** Connections that share a stream. Disposing it closes it. */
export interface Mux extends AsyncDisposable {
  /** Settles when the trunk and all connections are closed: with the reason, or `undefined` after a regular end. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Opens a connection. Nothing is sent: both ends open the ids that they have agreed on, in any order. What comes for an id
   * that is not open is dropped; reading begins after the turn in which the first connection was opened, so connections that
   * are opened together miss nothing.
   *
   * @param id 1 to 4294967295; NRI's are in {@link nriConnection}.
   * @returns A stream for `connect()` or `Server.attach()`. Its end is not told to the other side; its id may be opened again.
   * @throws {RpcError} Code.InvalidArgument for a wrong id; Code.AlreadyExists when it is open; Code.ResourceExhausted when
   * too many are; Code.Unavailable when the mux is closed.
   */
  open(id: number): Duplex;
  /** Ends all connections, and the trunk after what was written is sent. */
  close(): Promise<void>;
}

/**
 * Shares a stream among several connections.
 *
 * @param trunk An open stream, such as a `net.Socket`; it belongs to the mux from now on.
 * @param options See {@link MuxOptions}.
 * @throws {RpcError} Code.InvalidArgument when the trunk is no Duplex or a bound is wrong.
 *
 * @example
 * const connections = mux(socket);
 * server.attach(connections.open(nriConnection.plugin));
 * const channel = connect(connections.open(nriConnection.runtime));
 */
export function mux(trunk: Duplex, options: MuxOptions = {}): Mux {
  if (!(trunk instanceof Duplex)) throw new RpcError(Code.InvalidArgument, "mux() takes a Duplex");
  return new StreamMux(trunk, options);
}

class StreamMux implements Mux {
  readonly closed: Promise<Error | undefined>;
  readonly #trunk: Duplex;
  readonly #streams = new Map<number, MuxStream>();
  readonly #maxStreams: number;
  readonly #maxBytes: number;
  readonly #stallMs: number;
  readonly #clock: Pick<Clock, "after">;
  // Connections with too much to be read, and when each one's time is over.
  readonly #full = new Map<MuxStream, Timer>();
  #reading = false;
  #closing = false;
  #over = false;
  #linger: Timer | undefined;
  #error: Error | undefined;

  constructor(trunk: Duplex, options: MuxOptions) {
    this.#trunk = trunk;
    this.#maxStreams = positive("connections", options.connections ?? 64);
    this.#maxBytes = positive("connectionBytes", options.connectionBytes ?? 8 << 20);
    this.#stallMs = positive("stallMs", options.stallMs ?? 5000);
    this.#clock = options.clock ?? systemClock;
    const closed = Promise.withResolvers<Error | undefined>();
    this.closed = closed.promise;
    const end = (): void => {
      this.#finish();
      this.#linger?.cancel();
      closed.resolve(this.#error);
    };
    trunk.on("error", (error) => this.#finish(error));
    trunk.on("close", end);
    if (trunk.closed) end();
  }

  open(id: number): Duplex {
    if (!Number.isInteger(id) || id < 1 || id > 0xffff_ffff) {
      throw new RpcError(Code.InvalidArgument, `a connection's id is a whole number from 1 to 4294967295, not ${id}`);
    }
    if (this.#closing || this.#over) throw new RpcError(Code.Unavailable, "the multiplexed connection is closed");
    if (this.#streams.has(id)) throw new RpcError(Code.AlreadyExists, `connection ${id} is open already`);
    if (this.#streams.size >= this.#maxStreams) {
      throw new RpcError(Code.ResourceExhausted, `${this.#streams.size} connections are open; the limit is that many`);
    }
    const stream = new MuxStream(id, this.#home, Math.ceil(this.#maxBytes / 2));
    this.#streams.set(id, stream);
    if (!this.#reading) {
      this.#reading = true;
      setImmediate(() => this.#read());
    }
    return stream;
  }

  async close(): Promise<void> {
    if (!this.#closing && !this.#over) {
      this.#closing = true;
      this.#lingers();
      const sent = [...this.#streams.values()].map((stream) => {
        if (stream.writableFinished || stream.destroyed) return undefined;
        const done = new Promise((resolve) => stream.once("finish", resolve).once("close", resolve));
        stream.end();
        return done;
      });
      await Promise.race([Promise.all(sent), this.closed]);
      this.#finish();
    }
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #home = {
    send: (pieces: readonly Uint8Array[], taken: (error?: Error | null) => void): void => {
      if (this.#over || !this.#trunk.writable) return taken(this.#error ?? new Error("the trunk is closed"));
      this.#trunk.cork();
      const last = pieces.length - 1;
      for (let i = 0; i < last; i++) this.#trunk.write(pieces[i]);
      this.#trunk.write(pieces[last], taken);
      this.#trunk.uncork();
    },
    read: (stream: MuxStream): void => this.#relieve(stream),
    gone: (stream: MuxStream): void => {
      if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id);
      this.#relieve(stream);
    },
  };

  #read(): void {
    const reader = new MuxReader({ bytes: (id, piece) => this.#deliver(id, piece) });
    this.#trunk.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#finish(error as Error);
      }
    });
    this.#trunk.on("end", () => {
      this.#finish(reader.betweenFrames ? undefined : new Error("the trunk ended within a frame"));
    });
  }

  #deliver(id: number, piece: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.push(piece);
    if (stream.readableLength < this.#maxBytes || this.#full.has(stream)) return;
    this.#trunk.pause();
    this.#watch(stream, stream.readableLength);
  }

  /** Gives a full connection time to be read. */
  #watch(stream: MuxStream, waiting: number): void {
    const look = (): void => {
      const { readableLength } = stream;
      if (readableLength < waiting) return this.#watch(stream, readableLength);
      const message = `${readableLength} bytes wait to be read on connection ${stream.id}, and nobody reads them`;
      stream.destroy(new RpcError(Code.ResourceExhausted, message, { reason: "overflow" }));
    };
    this.#full.set(stream, this.#clock.after(this.#stallMs, look));
  }

  /** Half of a full connection was read, or nobody will: the trunk is read on once none is full any more. */
  #relieve(stream: MuxStream): void {
    const timer = this.#full.get(stream);
    if (timer === undefined) return;
    timer.cancel();
    this.#full.delete(stream);
    if (this.#full.size === 0 && !this.#over) this.#trunk.resume();
  }

  /** A peer that does not read would keep the last bytes, and so the trunk, for ever. */
  #lingers(): void {
    this.#linger ??= this.#clock.after(lingerMs, () => this.#trunk.destroy());
  }

  #finish(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    for (const stream of [...this.#streams.values()]) {
      if (error !== undefined) stream.destroy(error);
      else if (!stream.readableEnded) {
        // What came is still read; then the stream is over.
        stream.once("end", () => stream.destroy());
        stream.push(null);
      } else stream.destroy();
    }
    for (const timer of this.#full.values()) timer.cancel();
    this.#full.clear();
    this.#streams.clear();
    if (error !== undefined) this.#trunk.destroy();
    else if (!this.#trunk.destroyed) {
      this.#lingers();
      this.#trunk.end(() => this.#trunk.destroy());
    }
    // Unread bytes would keep the end of the other side from being seen.
    this.#trunk.resume();
  }
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RpcError(Code.InvalidArgument, `${name} must be a number above 0, not ${value}`);
}
