// The texts that name a process's standard streams in the task API, as spinbox's shim takes them. Opens nothing.
import { Code, RpcError } from "@guestwire/rpc";
import { lastId } from "./stream-ids.js";

/** What a text of `stdin`, `stdout` or `stderr` names. */
export type StdioUrl =
  /** A raw stream that was opened before. */
  | { readonly scheme: "stream"; readonly id: number }
  /** A named pipe, a pipe or a file of the host. */
  | { readonly scheme: "fifo" | "pipe" | "file"; readonly path: string }
  /** A program of the host that takes the output, with its arguments in the order of the text. */
  | { readonly scheme: "binary"; readonly path: string; readonly args: readonly string[] };

/**
 * Reads a text of `stdin`, `stdout` or `stderr`: `stream://N`, `fifo://`, `pipe://`, `file://` or `binary://` with an absolute
 * path, or a bare path, which is a fifo.
 *
 * @param text As in the request.
 * @returns `undefined` for an empty text: there is no such stream.
 * @throws {RpcError} Code.Unimplemented for another scheme; Code.InvalidArgument naming the part that is wrong.
 */
export function parseStdioUrl(text: string): StdioUrl | undefined {
  if (text === "") return undefined;
  const [, given, rest = text] = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text) ?? [];
  const scheme = given?.toLowerCase() ?? "fifo";
  switch (scheme) {
    case "stream":
      return { scheme, id: readId(text, rest) };
    case "fifo":
      // Without a scheme the text is the path as it stands.
      return { scheme, path: given === undefined ? text : readUrl(text, rest).path };
    case "pipe":
    case "file":
      return { scheme, path: readUrl(text, rest).path };
    case "binary": {
      const { path, query } = readUrl(text, rest);
      return { scheme, path, args: query };
    }
    default:
      throw new RpcError(Code.Unimplemented, `${shown(text)}: the scheme "${scheme}" is not known to task streams`);
  }
}

function readId(text: string, rest: string): number {
  const digits = /^\/\/([0-9]{1,10})$/.exec(rest)?.[1];
  const id = Number(digits);
  if (digits !== undefined && id >= 1 && id <= lastId) return id;
  throw bad(text, `a stream is named by a number from 1 to ${lastId}, as in stream://7`);
}

function readUrl(text: string, rest: string): { path: string; query: string[] } {
  const [, host, raw = "", search = ""] = /^\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/s.exec(rest) ?? [];
  if (host === undefined) throw bad(text, 'it has no "//" behind its scheme');
  if (host !== "") throw bad(text, `it names a host (${shown(host)}); a path begins with a third slash`);
  if (!raw.startsWith("/")) throw bad(text, "it has no path");
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    throw bad(text, "its path has a broken percent escape");
  }
  if (path.includes("\0")) throw bad(text, "its path holds a NUL");
  // A key without a value is one argument.
  const query = [...new URLSearchParams(search)].flatMap(([key, value]) => (value === "" ? [key] : [key, value]));
  return { path, query };
}

function bad(text: string, why: string): RpcError {
  return new RpcError(Code.InvalidArgument, `${shown(text)} names no stream: ${why}`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
