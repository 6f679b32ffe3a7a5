// The guest's end of raw streams: takes connections, hears their ids, echoes them, and keeps the streams until a process
// claims them. Carries no bytes afterwards; whoever claimed a stream does.
import type { Server } from "node:net";
import type { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import { checkKnown, openListener, optionNames, parseAddress } from "@guestwire/rpc/transport";
import { encodeId, named, type RawStream, readId } from "./raw-stream.js";
import { checkId, streamUrl } from "./stream-ids.js";
import { defaultStreamLimits, readLimits, type StreamServerLimits } from "./stream-limits.js";
import { within } from "./within.js";

export type { StreamServerLimits } from "./stream-limits.js";

/** How a server of raw streams is set up. */
export interface StreamServerOptions {
  /** Bounds that differ from the defaults. */
  readonly limits?: Partial<StreamServerLimits>;
}

const known = optionNames<StreamServerOptions>({ limits: true });

/** How long to wait for a stream. */
export interface TakeOptions {
  /** In milliseconds; Infinity for no limit. Default 0: the stream must be there. */
  readonly timeoutMs?: number;
  /** Gives up waiting. Default never. */
  readonly signal?: AbortSignal;
}

/** Takes raw streams and hands them out by their ids. */
export interface StreamServer extends AsyncDisposable {
  /** How many streams wait to be claimed. */
  readonly unclaimed: number;
  /** How many streams are claimed and open. */
  readonly claimed: number;
  /**
   * Takes a connection. Its first four bytes are its id; a connection that does not bring one in time, brings the id of an open
   * stream, or comes when too many wait is closed without an echo.
   */
  attach(connection: Duplex): void;
  /**
   * Takes connections of an address.
   *
   * @returns The address that clients use.
   * @throws {RpcError} Code.InvalidArgument for a wrong address; Code.AlreadyExists when somebody listens there already;
   * otherwise the system's error as a code.
   */
  listen(address: string): Promise<string>;
  /**
   * Claims a stream, which is the caller's from then on. It stays half open: the end of what the other side sends does not
   * end this side, and both must be ended. Nothing was read of it but the id.
   *
   * @throws {RpcError} Code.NotFound when no connection brought that id; Code.FailedPrecondition when it is claimed already;
   * Code.Canceled; Code.Unavailable when the server closes; Code.InvalidArgument for a number that is no id.
   */
  take(id: number, options?: TakeOptions): Promise<RawStream<Duplex>>;
  /** Takes no more connections and closes those that nobody claimed. Claimed streams go on. */
  close(): Promise<void>;
}

/**
 * Makes a server of raw streams, as a guest has it on port 1026. Opens nothing yet.
 *
 * @throws {RpcError} Code.InvalidArgument for an option that does not exist, or a limit that is no number.
 */
export function createStreamServer(options: StreamServerOptions = {}): StreamServer {
  checkKnown("createStreamServer()", options, known);
  return new RawStreamServer(readLimits(options.limits));
}

interface Waiting {
  readonly stream: RawStream<Duplex>;
  readonly timer: NodeJS.Timeout;
}

class RawStreamServer implements StreamServer {
  readonly #limits: StreamServerLimits;
  readonly #waiting = new Map<number, Waiting>();
  readonly #taken = new Set<number>();
  readonly #takers = new Map<number, (stream: RawStream<Duplex>) => void>();
  // Connections that have not brought their ids yet.
  readonly #unnamed = new Set<Duplex>();
  readonly #servers: Server[] = [];
  readonly #closing = new AbortController();

  constructor(limits: StreamServerLimits = defaultStreamLimits) {
    this.#limits = limits;
  }

  get unclaimed(): number {
    return this.#waiting.size;
  }

  get claimed(): number {
    return this.#taken.size;
  }

  attach(connection: Duplex): void {
    // One that breaks is closed, which is all that there is to know of it.
    connection.on("error", () => {});
    if (this.#closing.signal.aborted || this.#unnamed.size >= this.#limits.unnamed) {
      connection.destroy();
      return;
    }
    // What the host says last, before it ends its side, must not end ours.
    connection.allowHalfOpen = true;
    this.#unnamed.add(connection);
    const limit = { signal: this.#closing.signal, timeoutMs: this.#limits.nameMs };
    within(limit, "a stream's id", (signal) => readId(connection, signal))
      .then((read) => "id" in read && this.#keep(connection, read.id))
      .catch(() => false)
      .then((kept) => {
        this.#unnamed.delete(connection);
        if (!kept) connection.destroy();
      });
  }

  async listen(address: string): Promise<string> {
    this.#requireOpen();
    const listener = await openListener(parseAddress(address), (socket) => this.attach(socket));
    if (this.#closing.signal.aborted) await closed(listener.server);
    this.#requireOpen();
    this.#servers.push(listener.server);
    return listener.address;
  }

  async take(id: number, { timeoutMs = 0, signal }: TakeOptions = {}): Promise<RawStream<Duplex>> {
    checkId(id);
    this.#requireOpen();
    const waiting = this.#waiting.get(id);
    // One that broke just now is still in the list until it has closed.
    if (waiting !== undefined && !waiting.stream.destroyed) return this.#claim(waiting);
    if (this.#taken.has(id) || this.#takers.has(id)) {
      throw new RpcError(Code.FailedPrecondition, `${streamUrl(id)} is in use by another process`);
    }
    if (timeoutMs === 0) throw absent(id);
    return this.#arrival(id, timeoutMs, signal);
  }

  async close(): Promise<void> {
    this.#closing.abort(new RpcError(Code.Unavailable, "the server of raw streams has closed"));
    for (const connection of this.#unnamed) connection.destroy();
    for (const { stream } of [...this.#waiting.values()]) stream.destroy();
    await Promise.all(this.#servers.splice(0).map(closed));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @returns Whether the connection became a stream. */
  #keep(connection: Duplex, id: number): boolean {
    const inUse = this.#waiting.has(id) || this.#taken.has(id);
    if (id === 0 || inUse || connection.destroyed || this.#closing.signal.aborted) return false;
    const taker = this.#takers.get(id);
    if (taker === undefined && this.#waiting.size >= this.#limits.unclaimed) return false;
    const stream = named(connection, id);
    const timer = setTimeout(() => stream.destroy(), this.#limits.unclaimedMs);
    const waiting = { stream, timer };
    this.#waiting.set(id, waiting);
    stream.once("close", () => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      this.#taken.delete(id);
    });
    stream.write(encodeId(id));
    if (taker !== undefined) taker(this.#claim(waiting));
    return true;
  }

  #claim({ stream, timer }: Waiting): RawStream<Duplex> {
    clearTimeout(timer);
    this.#waiting.delete(stream.id);
    this.#taken.add(stream.id);
    return stream;
  }

  async #arrival(id: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<RawStream<Duplex>> {
    const arrived = Promise.withResolvers<RawStream<Duplex>>();
    const stop = (): void => arrived.reject(this.#closing.signal.reason);
    this.#closing.signal.addEventListener("abort", stop);
    this.#takers.set(id, arrived.resolve);
    try {
      return await within({ signal, timeoutMs }, `waiting for ${streamUrl(id)}`, (given) => {
        given.addEventListener("abort", () => arrived.reject(given.reason));
        return arrived.promise;
      });
    } catch (error) {
      throw error instanceof RpcError && error.code === Code.DeadlineExceeded ? absent(id, timeoutMs) : error;
    } finally {
      this.#takers.delete(id);
      this.#closing.signal.removeEventListener("abort", stop);
    }
  }

  #requireOpen(): void {
    this.#closing.signal.throwIfAborted();
  }
}

function absent(id: number, waitedMs = 0): RpcError {
  const when = waitedMs > 0 ? ` within ${waitedMs} ms` : "";
  const text = `${streamUrl(id)}: no connection brought that id${when}; open the stream before it is named`;
  return new RpcError(Code.NotFound, text);
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
