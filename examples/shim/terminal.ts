// A process with a terminal: runc runs on a terminal of ours, from which it passes everything on to the container's own, and
// what it shows is copied into the named pipe of the client.
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { type IPty, spawn } from "@lydell/node-pty";
import type { StreamPaths, Streams } from "./streams.js";

// For a client that has left without reading the rest, which nobody will.
const lastOutputMs = 2_000;

/** Opens the pipes. @throws {Error} the system's, when there is no such file. */
export function openTerminal({ stdin, stdout }: StreamPaths): Streams {
  const held: number[] = [];
  const open = (path: string, mode: number): Socket => {
    held.push(openSync(path, constants.O_RDWR));
    const fd = openSync(path, mode | constants.O_NONBLOCK);
    return new Socket({ fd, readable: mode === constants.O_RDONLY, writable: mode === constants.O_WRONLY });
  };
  const output = stdout === "" ? undefined : open(stdout, constants.O_WRONLY);
  const input = stdin === "" ? undefined : open(stdin, constants.O_RDONLY);
  for (const socket of [input, output]) socket?.on("error", (error) => console.error(`a pipe broke: ${error.message}`));
  let terminal: IPty | undefined;
  let wanted: [width: number, height: number] | undefined;

  return {
    launch(program, args) {
      const pty = spawn(program, [...args], { name: "xterm", encoding: null });
      terminal = pty;
      if (wanted !== undefined) pty.resize(...wanted);
      output?.on("drain", () => pty.resume());
      // Without an encoding it gives bytes, which its types do not say.
      pty.onData((data: unknown) => {
        if (output?.write(data as Buffer) === false) pty.pause();
      });
      return new Promise((resolve) => {
        pty.onExit(({ exitCode, signal }) => {
          terminal = undefined;
          const done = (): void => resolve(signal ? 128 + signal : exitCode);
          if (output === undefined) return done();
          const limit = setTimeout(done, lastOutputMs);
          output.end(() => {
            clearTimeout(limit);
            done();
          });
        });
      });
    },
    // Not before: what comes while runc still sets the terminal up would be shown twice.
    // It takes bytes as well, which its types do not say either.
    started: () => input?.on("data", (data: Buffer) => terminal?.write(data as unknown as string)),
    resize(width, height) {
      // What a client sends that does not know its own size.
      if (width === 0 || height === 0) return;
      wanted = [width, height];
      terminal?.resize(width, height);
    },
    // The client closes what it writes; on a terminal that is no end of input, which is a key.
    closeInput: () => undefined,
    close() {
      for (const socket of [input, output]) socket?.destroy();
      for (const fd of held.splice(0)) closeSync(fd);
    },
  };
}
