// The memory of large messages, which their receivers may give back for the next ones. V8 counts it outside of its heap and
// collects all garbage each time some 64 MiB of it were made; streams of 32 KiB spend half of a client's time on that.

// The most memory that waits for later messages, in bytes.
const storedBytes = 16 << 20;

// Codecs give out views of a quarter of their memory and more, of messages from 16 KiB on. What is smaller is a copy.
const smallestView = 4096;

// Whether memory may be given back: not once it was passed on to a call, which may send it at any time.
const givable: unique symbol = Symbol("guestwire.givable");

interface MessageMemory extends ArrayBuffer {
  [givable]?: boolean;
}

/** What waits for later messages. */
class Store {
  readonly #memories: ArrayBuffer[] = [];
  #bytes = 0;

  take(length: number): ArrayBuffer | undefined {
    for (let i = this.#memories.length - 1; i >= 0; i--) {
      const { byteLength } = this.#memories[i] as ArrayBuffer;
      // Not much larger: codecs copy fields of less than a quarter of the memory that they would keep alive.
      if (byteLength < length || byteLength > length + (length >> 2)) continue;
      this.#bytes -= byteLength;
      return this.#memories.splice(i, 1)[0];
    }
    return undefined;
  }

  put(memory: ArrayBuffer): void {
    this.#memories.push(memory);
    this.#bytes += memory.byteLength;
    // The newest is the likeliest to be in the processor's cache, and of the size that is wanted next.
    while (this.#bytes > storedBytes) this.#bytes -= (this.#memories.shift() as ArrayBuffer).byteLength;
  }
}

// Held weakly: what nobody needs any more is gone with the next full garbage collection. `undefined` until something is given
// back.
let store: WeakRef<Store> | undefined;

/** For transports: memory for one message, to be written to at once. Its bytes are whatever an earlier message left there. */
export function takeMemory(length: number): Buffer<ArrayBuffer> {
  const stored = store?.deref()?.take(length);
  if (stored !== undefined) return Buffer.from(stored, 0, length);
  const fresh = Buffer.allocUnsafeSlow(length);
  (fresh.buffer as MessageMemory)[givable] = true;
  return fresh;
}

/** For transports: whether bytes lie in memory that {@link releaseBytes} may take away. */
export function isReleasable(bytes: Uint8Array): boolean {
  return (bytes.buffer as MessageMemory)[givable] === true;
}

/** For transports: these bytes go to a socket without a copy, so that their memory is left to the garbage collector. */
export function holdBytes(bytes: Uint8Array): void {
  const memory = bytes.buffer as MessageMemory;
  if (memory[givable] === true) memory[givable] = false;
}

/**
 * Gives back the memory of received bytes that are not needed any more, for messages that come after them. That makes streams of
 * large messages about twice as fast. Never needed: what is not given back is garbage as everything else.
 *
 * The bytes, and other large ones of the same message, are empty from then on, so that nobody reads what comes later in their
 * place. Whoever uses them must be done: writes to files and sockets that hold them, and calls and responses that carry them. A
 * call that finds them gone fails.
 *
 * Does nothing where memory cannot be used again: messages below 16 KiB, those that did not come over ttrpc, those that a server
 * got whole by one read of its socket (up to 64 KiB), bytes that were sent on, bytes from elsewhere.
 *
 * @param bytes A field of a received message.
 * @throws {TypeError} when these are no bytes.
 *
 * @example
 * for await (const { chunk } of files.read({ path })) {
 *   await file.write(chunk);
 *   releaseBytes(chunk);
 * }
 */
export function releaseBytes(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`releaseBytes() needs the bytes of a message, not ${bytes === null ? "null" : typeof bytes}`);
  }
  // Not looked at more closely: asking a small array for its buffer makes one.
  if (bytes.length < smallestView) return;
  const memory = bytes.buffer as MessageMemory;
  if (memory[givable] !== true) return;
  // The same memory under another name: whoever has the old one can reach it no more.
  const moved: MessageMemory = memory.transfer();
  moved[givable] = true;
  let open = store?.deref();
  if (open === undefined) {
    open = new Store();
    store = new WeakRef(open);
  }
  open.put(moved);
}
