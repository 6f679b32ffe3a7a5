// Outputs as a stream of messages, for handlers: any number of outputs in one, each with its end. Knows no service.
import { subscriberChunks } from "../limits.js";
import { Mailbox } from "../mailbox.js";
import type { ProcessOutput } from "./process-output.js";

/** An output, and how its pieces and its end look as messages. */
export interface OutputSource<T> {
  readonly output: ProcessOutput;
  chunk(data: Uint8Array): T;
  readonly end: T;
}

/**
 * Reads outputs from now on.
 *
 * @param signal Ends the reading.
 * @returns Ends after the ends of all outputs.
 */
export function readOutput<T>(sources: readonly OutputSource<T>[], signal?: AbortSignal): Mailbox<T> {
  const leave: (() => void)[] = [];
  const mailbox = new Mailbox<T>(
    {
      taken: () => {
        // Below the limit again, and only then: one change, not one per piece.
        if (mailbox.size === subscriberChunks - 1) for (const { output } of sources) output.roomMade();
      },
      left: () => {
        for (const unsubscribe of leave) unsubscribe();
      },
    },
    signal,
  );
  let open = sources.length;
  for (const { output, chunk, end } of sources) {
    leave.push(
      output.subscribe({
        hasRoom: () => mailbox.size < subscriberChunks,
        chunk: (data) => mailbox.put(chunk(data)),
        end: () => {
          mailbox.put(end);
          if (--open === 0) mailbox.end();
        },
      }),
    );
  }
  // The signal may have fired before there was anything to leave.
  if (signal?.aborted) for (const unsubscribe of leave) unsubscribe();
  return mailbox;
}
