// The native part of node-pty: opens a pseudo terminal and sets its size. Only that: starting the program is left to the
// guest's own processes, which know how it ended, and reading to the output pump, which loses nothing at the end.
import { closeSync, constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import { ReadStream } from "node:tty";
import { Code } from "@guestwire/rpc";
import { failure, textOf } from "../../errors.js";
import { keepFromChildren } from "../../process/inherited.js";

/** What is used of node-pty's binary. */
export interface PtyBinding {
  /** Opens a terminal: both ends do not block, and are inherited by children. */
  open(columns: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

/** An open terminal. */
export interface Pty {
  /** Path of the end that the program gets. */
  readonly path: string;
  /** A descriptor of that end, for the start of the program; closed by the caller. */
  readonly programEnd: number;
  /** The other end, for reading. Destroying it hangs up. */
  readonly output: ReadStream;
  /** The descriptor of {@link Pty.output}, for writing without blocking; -1 once that is destroyed. To be asked every time. */
  readonly fd: number;
  resize(columns: number, rows: number): void;
}

let loaded: PtyBinding | undefined;

/**
 * Loads node-pty's binary, once.
 *
 * @param load Default: requires the prebuilt binary of this platform.
 * @throws {RpcError} Code.FailedPrecondition where there is none.
 */
export function loadPtyBinding(load: () => PtyBinding = requireBinary): PtyBinding {
  try {
    loaded ??= load();
    return loaded;
  } catch (error) {
    const text = `there are no terminals here: node-pty has no binary for ${process.platform}-${process.arch}, or it was not installed (${firstLine(textOf(error))})`;
    throw failure(Code.FailedPrecondition, text, error);
  }
}

/**
 * Opens a terminal of this size.
 *
 * @throws {RpcError} Code.FailedPrecondition without a binary; Code.ResourceExhausted when the system has no more terminals.
 */
export function openPty(columns: number, rows: number, binding: PtyBinding = loadPtyBinding()): Pty {
  let ends: ReturnType<PtyBinding["open"]>;
  try {
    ends = binding.open(columns, rows);
  } catch (error) {
    throw failure(Code.ResourceExhausted, `no terminal can be opened: ${textOf(error)}`, error);
  }
  const { master, slave, pty: path } = ends;
  const release = keepFromChildren(master);
  let programEnd: number;
  let output: ReadStream;
  try {
    // Anew: close-on-exec, and blocking as programs expect it.
    programEnd = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    output = new ReadStream(master);
  } catch (error) {
    closeSync(master);
    release();
    throw failure(Code.Internal, `the terminal cannot be used: ${textOf(error)}`, error);
  } finally {
    closeSync(slave);
  }
  output.once("close", release);
  return {
    path,
    programEnd,
    output,
    // Closing comes a while before its event, and the number may belong to another file by then.
    get fd() {
      return output.destroyed ? -1 : master;
    },
    resize(columns, rows) {
      if (!output.destroyed) binding.resize(master, columns, rows);
    },
  };
}

function requireBinary(): PtyBinding {
  const nodePty = createRequire(import.meta.url).resolve("@lydell/node-pty");
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`;
  return createRequire(nodePty)(name) as PtyBinding;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
