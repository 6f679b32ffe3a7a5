// What a container, its runs and its callers say to each other. Types only.
import type { GuestClock } from "../../clock.js";
import type { ExitStatus } from "../../process/child.js";
import type { TerminalSize } from "../terminal/terminal-process.js";
import type { ProcessRun } from "./process-run.js";

/** What a container can be. */
export type ContainerStateName = "created" | "running" | "paused" | "stopped";

/** How to start a container. */
export interface StartOptions {
  /** Whether it must not have run before. */
  readonly fresh?: boolean;
  /** On a terminal, whatever its record says. */
  readonly tty?: boolean;
  /** With an input, whatever its record says. */
  readonly stdin?: boolean;
  readonly size?: TerminalSize | undefined;
  /** Told of the run before it begins, so that nothing of its output is missed. */
  readonly prepared?: (run: ProcessRun) => void;
}

/** A run of a container, and its end. */
export interface ContainerRun {
  readonly run: ProcessRun;
  readonly scope: string;
  /** Resolves when nothing of it runs any more and the record says so. */
  readonly finished: Promise<ExitStatus>;
}

/** What containers share. */
export interface ContainerPlace {
  readonly token: string;
  /** For what is being removed; on the same file system. */
  readonly scratch: string;
  readonly clock: GuestClock;
  /** Whether nothing may start any more. */
  readonly closed: () => boolean;
  /** The container is to be removed, as it has ended. */
  readonly discard: (id: string) => void;
}
