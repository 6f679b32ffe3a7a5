// grpcurl as a function: a program that none of us wrote, which knows of a server only what reflection says.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { DescService } from "@bufbuild/protobuf";

/** What became of one run. */
export interface GrpcurlResult {
  /** The exit code: 0, or 64 and the status code of a failed call. */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The response messages, where it was a call. */
  readonly messages: readonly unknown[];
}

/** A run that is still under way. */
export interface GrpcurlCall {
  /** Sends one more request. */
  send(request: object): void;
  /** Ends the requests. Where only the server streams, grpcurl makes the call then and not before. */
  endRequests(): void;
  /** Waits for one more line that begins with this text. */
  line(start: string): Promise<string>;
  /** Ends the requests, and waits for the program. */
  end(): Promise<GrpcurlResult>;
  /** Kills the program. */
  kill(): Promise<void>;
}

/** grpcurl for one server. */
export interface Grpcurl {
  /** Runs it with arguments behind the address, as `list` or `describe` and a symbol. */
  run(...args: string[]): Promise<GrpcurlResult>;
  /** Calls a method, as `pkg.Service/Method`, with these requests; `flags` are grpcurl's own. */
  call(method: string, requests: readonly object[], flags?: readonly string[]): Promise<GrpcurlResult>;
  /** Calls a method whose requests come one by one. */
  open(method: string, flags?: readonly string[]): GrpcurlCall;
}

/**
 * Makes grpcurl for a server.
 *
 * @param program The program's path, as `goTool("grpcurl")` gives it.
 * @param address As the server's `listen` gave it: `tcp://…` or `unix://…`.
 * @param flags How to get there, as `-plaintext` or `-cacert FILE`.
 */
export function grpcurl(program: string, address: string, flags: readonly string[] = ["-plaintext"]): Grpcurl {
  const [, scheme, rest = ""] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  const common = [...flags, ...(scheme === "unix" ? ["-unix"] : [])];
  const open = (args: readonly string[]): GrpcurlCall => start(program, [...common, ...args]);
  return {
    run: (...args) => open([rest, ...args]).end(),
    call(method, requests, more = []) {
      const call = open([...more, "-d", "@", rest, method]);
      for (const request of requests) call.send(request);
      return call.end();
    },
    open: (method, more = []) => open([...more, "-d", "@", rest, method]),
  };
}

/**
 * Lists a server's services and describes each of them with all that they have: every method, request and response.
 *
 * @returns What was described, by full names; the text is grpcurl's, in proto syntax.
 * @throws {Error} naming what grpcurl could not describe.
 */
export async function describeAll(tool: Grpcurl, services: readonly DescService[]): Promise<Map<string, string>> {
  const names = new Set(
    services.flatMap(({ typeName, methods }) => [
      typeName,
      ...methods.flatMap(({ name, input, output }) => [`${typeName}.${name}`, input.typeName, output.typeName]),
    ]),
  );
  const found = new Map<string, string>();
  for (const name of names) {
    const { exit, stdout, stderr } = await tool.run("describe", name);
    if (exit !== 0) throw new Error(`grpcurl does not know ${name}: ${stderr}`);
    found.set(name, stdout);
  }
  return found;
}

function start(program: string, args: readonly string[]): GrpcurlCall {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  // It may be over before it has read everything.
  child.stdin.on("error", () => {});
  let stdout = "";
  const grown = new EventTarget();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    grown.dispatchEvent(new Event("data"));
  });
  const stderr = text(child.stderr);
  const closed = once(child, "close").then(([code]) => {
    grown.dispatchEvent(new Event("data"));
    return code as number;
  });
  closed.catch(() => {});
  let read = 0;
  return {
    send: (request) => void child.stdin.write(`${JSON.stringify(request)}\n`),
    endRequests: () => void child.stdin.end(),
    async line(start) {
      for (;;) {
        const end = stdout.indexOf("\n", read);
        if (end >= 0) {
          const line = stdout.slice(read, end).trim();
          read = end + 1;
          if (line.startsWith(start)) return line;
        } else if (child.exitCode !== null) throw new Error(`no line ${start}: ${stdout}\n${await stderr}`);
        else await once(grown, "data");
      }
    },
    async end() {
      child.stdin.end();
      const exit = await closed;
      return { exit, stdout, stderr: await stderr, messages: messagesOf(stdout) };
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** Messages come as indented JSON, one after another; text that is none gives none. */
function messagesOf(output: string): unknown[] {
  if (!output.startsWith("{")) return [];
  return output
    .split(/(?<=^\}|^\{\})\n/m)
    .filter((part) => part !== "")
    .map((part) => JSON.parse(part));
}
