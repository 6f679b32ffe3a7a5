// Named pipes, as containerd's shims take them for standard streams and logs.
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { run } from "./run.js";

/** A named pipe that is read here. */
export interface FifoReader extends Disposable {
  readonly path: string;
  /** What came so far. */
  text(): string;
  /** Waits until what came contains this text. */
  contains(text: string): Promise<void>;
  /** Resolves when all writers have left. */
  readonly ended: Promise<void>;
}

/** Makes a named pipe. */
export async function makeFifo(path: string): Promise<void> {
  await run("mkfifo", ["-m", "600", path]);
}

/** Makes a named pipe and reads it. */
export async function readFifo(path: string): Promise<FifoReader> {
  await makeFifo(path);
  // Such an open does not wait for a writer; and where none has come yet, that is no end.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const held = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  let came = "";
  let holding = true;
  const letGo = (): void => {
    if (holding) closeSync(held);
    holding = false;
  };
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.setEncoding("utf8").on("data", (text) => {
    came += text;
    // Somebody writes: from here on the end is when they leave.
    letGo();
  });
  return {
    path,
    text: () => came,
    async contains(text) {
      while (!came.includes(text)) await new Promise((resolve) => socket.once("data", resolve));
    },
    ended,
    [Symbol.dispose]() {
      letGo();
      socket.destroy();
    },
  };
}
