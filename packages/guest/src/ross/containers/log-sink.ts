// Writes the output of a run into its container's log.
import type { GuestClock } from "../../clock.js";
import type { ContainerLog } from "./container-log.js";
import type { StreamName } from "./log-entry.js";
import type { OutputSink } from "./output-hub.js";

/** The log as one more reader of an output. */
export class LogSink implements OutputSink {
  readonly #log: ContainerLog;
  readonly #clock: GuestClock;

  constructor(log: ContainerLog, clock: GuestClock) {
    this.#log = log;
    this.#clock = clock;
  }

  get hasRoom(): boolean {
    return this.#log.hasRoom;
  }

  onRoom(call: () => void): void {
    this.#log.whenRoom = call;
  }

  append(stream: StreamName, data: Uint8Array): void {
    this.#log.append(stream, data, this.#clock.now());
  }

  end(): void {
    this.#log.endLines(this.#clock.now());
    this.#log.wake();
  }
}
