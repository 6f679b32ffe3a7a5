// The output of a job as users want to read it: without keepalives, in lines, going on after the connection was lost.
import { Code, RpcError } from "@guestwire/rpc";
import type { JobServiceClient } from "./gen/joblet/job_rpc.js";
import { type FollowOptions, reconnecting } from "./reconnect.js";

/** How lines are cut. */
export interface LogLinesOptions extends FollowOptions {
  /** The longest line in characters; a longer one comes in pieces. Default 1,048,576. */
  readonly mostLength?: number;
}

// So much of what was delivered last is compared with what comes again after the connection was lost.
const tailBytes = 4096;

/**
 * The output of a job from its beginning to its end, both streams mixed, in the pieces in which it comes.
 *
 * A server keeps no place for its readers. When the connection is lost the output is asked for anew, and what was delivered
 * before is passed over; that it is the same is checked by its end. Servers other than the guest of this project may
 * double or lose lines where old and live output meet: then it is not the same, and that is the error.
 *
 * @param client As of `createClient(JobService, channel)`.
 * @param uuid Of the job, or a prefix that only one job has.
 * @throws {RpcError} Code.NotFound for an unknown job; Code.DataLoss when the output that comes again is another one;
 * Code.Unavailable when the server stays away.
 */
export async function* followLogs(
  client: Pick<JobServiceClient, "getJobLogs">,
  uuid: string,
  options: FollowOptions = {},
): AsyncGenerator<Uint8Array> {
  const place = new Place();
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const chunks = reconnecting(
    () => client.getJobLogs({ uuid }, call),
    () => place.again(),
    options,
  );
  for await (const { payload } of chunks) {
    const fresh = place.advance(payload);
    if (fresh.length > 0) yield fresh;
  }
  place.finish();
}

/**
 * The output of a job line by line, without line ends. The last line may have had none.
 *
 * Bytes that are no UTF-8 become U+FFFD.
 *
 * @throws {RpcError} as {@link followLogs}.
 *
 * @example
 * for await (const line of followLogLines(jobs, jobUuid)) console.log(line);
 */
export async function* followLogLines(
  client: Pick<JobServiceClient, "getJobLogs">,
  uuid: string,
  options: LogLinesOptions = {},
): AsyncGenerator<string> {
  yield* splitLines(followLogs(client, uuid, options), options.mostLength);
}

/**
 * Cuts pieces of text into lines, wherever the pieces were cut: also inside a character.
 *
 * @param mostLength The longest line in characters; a longer one comes in pieces. Default 1,048,576.
 */
export async function* splitLines(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  mostLength: number = 1024 * 1024,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    let from = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
      yield* inPieces(rest.slice(from, rest.charCodeAt(end - 1) === 13 && end > from ? end - 1 : end), mostLength);
      from = end + 1;
    }
    rest = rest.slice(from);
    while (rest.length > mostLength) {
      const cut = cutAt(rest, mostLength);
      yield rest.slice(0, cut);
      rest = rest.slice(cut);
    }
  }
  rest += decoder.decode();
  if (rest !== "") yield* inPieces(rest, mostLength);
}

function* inPieces(line: string, mostLength: number): Iterable<string> {
  let rest = line;
  while (rest.length > mostLength) {
    const cut = cutAt(rest, mostLength);
    yield rest.slice(0, cut);
    rest = rest.slice(cut);
  }
  yield rest;
}

/** Not between the two halves of a character. */
function cutAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff && at > 1 ? at - 1 : at;
}

/** How far the output was delivered, and whether what comes again is the same. */
class Place {
  #delivered = 0;
  /** How much of that was not passed over yet in the call that runs. */
  #ahead = 0;
  #tail: Uint8Array = new Uint8Array();

  again(): void {
    this.#ahead = this.#delivered;
  }

  /** @returns What is new in a piece. */
  advance(piece: Uint8Array): Uint8Array {
    const old = piece.subarray(0, this.#ahead);
    this.#compare(old);
    this.#ahead -= old.length;
    const fresh = piece.subarray(old.length);
    if (fresh.length > 0) {
      this.#delivered += fresh.length;
      const tail = Buffer.concat([this.#tail, fresh.subarray(-tailBytes)]);
      this.#tail = tail.subarray(-tailBytes);
    }
    return fresh;
  }

  finish(): void {
    if (this.#ahead > 0) throw changed(`ended ${this.#ahead} bytes before what was read already`);
  }

  #compare(old: Uint8Array): void {
    // Where the piece begins, seen from the end of what was delivered.
    const start = this.#tail.length - this.#ahead;
    const from = Math.max(0, -start);
    const known = this.#tail.subarray(start + from, start + old.length);
    if (from < old.length && Buffer.compare(old.subarray(from), known) !== 0) throw changed("is another one");
  }
}

function changed(how: string): RpcError {
  return new RpcError(Code.DataLoss, `the output that came after the connection was lost ${how}`);
}
