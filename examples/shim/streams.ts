// Standard streams of a process: the named pipes that containerd's client has made, opened so that they outlive a client that
// leaves, and given to runc as they are. No byte of them passes through Node.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Code, RpcError } from "@guestwire/rpc";

/** The paths, as requests carry them. Empty: none. */
export interface StreamPaths {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Opened streams. */
export interface Streams {
  /** Starts a program on them. Resolves with its exit code, when nothing of its output is left here. */
  launch(program: string, args: readonly string[]): Promise<number>;
  /** The process runs. */
  started(): void;
  /** Lets the process read the end of its input once the client has closed its own. */
  closeInput(): void;
  /** Gives a terminal its size. Nothing without one. */
  resize(width: number, height: number): void;
  /** Closes everything, so that the client reads the end of the output. */
  close(): void;
}

/**
 * @throws {RpcError} Code.Unimplemented for anything but a named pipe.
 */
export function checkStreams(paths: StreamPaths): void {
  for (const name of ["stdin", "stdout", "stderr"] as const) {
    if (/^[a-z]+:\/\//.test(paths[name])) {
      throw new RpcError(Code.Unimplemented, `${name}: this shim knows named pipes only, no ${paths[name]}`);
    }
  }
}

/** Opens them. @throws {Error} the system's, when there is no such file. */
export function openStreams({ stdin, stdout, stderr }: StreamPaths): Streams {
  const given: number[] = [];
  const held = new Map<string, number>();
  const open = (name: string, path: string, mode: number): number | "ignore" => {
    if (path === "") return "ignore";
    // Opened for both ways first: that never waits, and then the other open does not either.
    held.set(name, openSync(path, constants.O_RDWR));
    const fd = openSync(path, mode);
    given.push(fd);
    return fd;
  };
  const letGo = (name: string): void => {
    const fd = held.get(name);
    held.delete(name);
    if (fd !== undefined) closeSync(fd);
  };
  const stdio = [
    open("stdin", stdin, constants.O_RDONLY),
    open("stdout", stdout, constants.O_WRONLY),
    open("stderr", stderr, constants.O_WRONLY),
  ];
  const handOver = (): void => {
    for (const fd of given.splice(0)) closeSync(fd);
  };
  return {
    launch(program, args) {
      const child = spawn(program, args, { stdio });
      // It has its own by now.
      handOver();
      return new Promise((resolve) => {
        child.once("error", () => resolve(127));
        // Of a runc that was killed itself nothing is known but that.
        child.once("exit", (code) => resolve(code ?? 137));
      });
    },
    started: () => undefined,
    closeInput: () => letGo("stdin"),
    resize: () => undefined,
    close() {
      handOver();
      for (const name of [...held.keys()]) letGo(name);
    },
  };
}
