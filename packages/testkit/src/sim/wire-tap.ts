// Reads along on one connection and says what is against the rules of the wire (invariant I7, docs/wire.md). Has a frame
// reader of its own: it must not share the product's mistakes.

interface Stream {
  /** Whether the client said, in the request, that data frames follow. */
  readonly open: boolean;
  clientEnded: boolean;
  abandoned: boolean;
  /** Data frames with a message that the client sent. */
  clientData: number;
  serverEnded: boolean;
  /** Answers to late data, after the end. */
  lateAnswers: number;
}

const requestType = 1;
const responseType = 2;
const dataType = 3;
const remoteClosed = 1;
const remoteOpen = 2;
const noData = 4;

/** Follows both directions of one connection. */
export class WireTap {
  /** How many requests were sent. */
  requests = 0;
  /** How many frames were sent, both ways. */
  frames = 0;
  readonly #streams = new Map<number, Stream>();
  readonly #client: FrameCutter;
  readonly #server: FrameCutter;
  readonly #broken: (what: string) => void;
  readonly #remembered: number;
  // Streams that had an answer to late data.
  #late = 0;
  #nextId: number;

  /**
   * @param firstId The id that the first request must have.
   * @param remembered Of how many streams the server remembers that it has answered late data.
   * @param broken Told what is against the rules.
   */
  constructor(firstId: number, messageBytes: number, remembered: number, broken: (what: string) => void) {
    this.#nextId = firstId;
    this.#remembered = remembered;
    this.#broken = broken;
    this.#client = new FrameCutter(messageBytes, (...frame) => this.#fromClient(...frame), broken);
    // An error may be a little longer than a message.
    this.#server = new FrameCutter(Math.max(messageBytes, 256), (...frame) => this.#fromServer(...frame), broken);
  }

  /** Whether the client has used up its ids. */
  get exhausted(): boolean {
    return this.#nextId > 0xffff_ffff;
  }

  /** Takes what one side wrote. */
  wrote(byClient: boolean, bytes: Uint8Array): void {
    (byClient ? this.#client : this.#server).push(bytes);
  }

  #fromClient(id: number, type: number, flags: number, length: number): void {
    this.frames++;
    if (type === requestType) return this.#request(id, flags);
    const stream = this.#streams.get(id);
    if (type !== dataType) return this.#broken(`the client sent a frame of type ${type} on stream ${id}`);
    if (stream === undefined) return this.#broken(`the client sent data on stream ${id}, which it never opened`);
    const empty = (flags & noData) !== 0;
    // The word that nobody waits for a stream of requests carries one byte that no message begins with.
    const most = (flags & (remoteOpen | remoteClosed)) === remoteOpen ? 1 : 0;
    if (empty && length > most) this.#broken(`the client sent "no data" with ${length} bytes on stream ${id}`);
    if (stream.abandoned) return this.#broken(`the client sent data on stream ${id} after it gave it up`);
    if ((flags & remoteOpen) !== 0) {
      stream.abandoned = true;
      return;
    }
    if (!stream.open) return this.#broken(`the client sent data on stream ${id}, which takes none`);
    if (stream.clientEnded) return this.#broken(`the client sent data on stream ${id} after its end`);
    if ((flags & remoteClosed) !== 0) {
      stream.clientEnded = true;
      if (!empty) this.#broken(`the client closed stream ${id} together with a message`);
    } else stream.clientData++;
  }

  #request(id: number, flags: number): void {
    this.requests++;
    if (id !== this.#nextId) this.#broken(`a request has id ${id}; the next one is ${this.#nextId}`);
    this.#nextId = id + 2;
    const open = (flags & remoteOpen) !== 0;
    this.#streams.set(id, {
      open,
      clientEnded: !open,
      abandoned: false,
      clientData: 0,
      serverEnded: false,
      lateAnswers: 0,
    });
  }

  #lateAnswer(id: number, stream: Stream): void {
    if (stream.lateAnswers === 0) this.#late++;
    stream.lateAnswers++;
    const again = stream.lateAnswers > 1 && this.#late <= this.#remembered;
    if (again || stream.lateAnswers > stream.clientData) this.#broken(`the server answered stream ${id} after its end`);
  }

  #fromServer(id: number, type: number, flags: number, length: number): void {
    this.frames++;
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#broken(`the server sent a frame on stream ${id}, which was never opened`);
    if (type === responseType) {
      if (!stream.serverEnded) stream.serverEnded = true;
      else this.#lateAnswer(id, stream);
      return;
    }
    if (type !== dataType) return this.#broken(`the server sent a frame of type ${type} on stream ${id}`);
    if (stream.serverEnded) return this.#broken(`the server sent data on stream ${id} after its end`);
    if ((flags & remoteClosed) === 0) return;
    stream.serverEnded = true;
    if (length > 0 || (flags & noData) === 0) this.#broken(`the server closed stream ${id} together with a message`);
  }
}

type FrameListener = (id: number, type: number, flags: number, length: number) => void;

/** Cuts what one side writes into frames; the data itself is passed over. */
class FrameCutter {
  readonly #header: number[] = [];
  readonly #most: number;
  readonly #frame: FrameListener;
  readonly #broken: (what: string) => void;
  #skip = 0;

  constructor(most: number, frame: FrameListener, broken: (what: string) => void) {
    this.#most = most;
    this.#frame = frame;
    this.#broken = broken;
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, bytes.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      this.#header.push(bytes[at++] as number);
      if (this.#header.length === 10) this.#cut();
    }
  }

  #cut(): void {
    const byte = (at: number): number => this.#header[at] as number;
    const word = (at: number): number =>
      byte(at) * 16_777_216 + byte(at + 1) * 65_536 + byte(at + 2) * 256 + byte(at + 3);
    const length = word(0);
    const [id, type, flags] = [word(4), byte(8), byte(9)];
    this.#header.length = 0;
    this.#skip = length;
    if (length > this.#most) this.#broken(`a frame of ${length} bytes on stream ${id}; the limit is ${this.#most}`);
    this.#frame(id, type, flags, length);
  }
}
