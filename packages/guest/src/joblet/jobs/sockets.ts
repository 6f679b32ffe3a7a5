// The host's connected TCP and UDP sockets by their inodes, read from /proc/net when they are asked for.
import { readFileSync } from "node:fs";

/** A connected socket: its kind of event, and the fields of that. */
export interface ConnectedSocket {
  readonly type: "connect" | "accept";
  readonly data: {
    readonly srcAddr: string;
    readonly srcPort: number;
    readonly dstAddr: string;
    readonly dstPort: number;
    readonly protocol: "tcp" | "udp";
  };
}

interface Row {
  readonly local: readonly [string, number];
  readonly remote: readonly [string, number];
  readonly protocol: "tcp" | "udp";
}

const established = "01";
const synSent = "02";
const listening = "0A";

/** One look at the host's sockets. */
export class SocketTable {
  #rows: Map<string, Row> | undefined;
  readonly #listening = new Set<number>();

  /** A socket that is connected. */
  find(inode: string): ConnectedSocket | undefined {
    this.#rows ??= this.#read();
    const row = this.#rows.get(inode);
    if (row === undefined) return undefined;
    const { local, remote, protocol } = row;
    // Who has the port of a listener was called; who has another one called.
    const accepted = protocol === "tcp" && this.#listening.has(local[1]);
    const [src, dst] = accepted ? [remote, local] : [local, remote];
    return {
      type: accepted ? "accept" : "connect",
      data: { srcAddr: src[0], srcPort: src[1], dstAddr: dst[0], dstPort: dst[1], protocol },
    };
  }

  #read(): Map<string, Row> {
    const rows = new Map<string, Row>();
    for (const file of ["tcp", "tcp6", "udp", "udp6"]) {
      const protocol = file.startsWith("tcp") ? "tcp" : "udp";
      for (const line of readLines(`/proc/net/${file}`)) {
        const columns = line.trim().split(/\s+/);
        const [, local = "", remote = "", state = "", , , , , , inode = ""] = columns;
        if (state === listening) this.#listening.add(readAddress(local)[1]);
        if (state !== established && state !== synSent) continue;
        rows.set(inode, { local: readAddress(local), remote: readAddress(remote), protocol });
      }
    }
    return rows;
  }
}

/** Reads an address of /proc/net: words of 32 bits in the host's order, a colon, the port. */
export function readAddress(text: string): [address: string, port: number] {
  const [hex = "", port = ""] = text.split(":");
  const bytes = Buffer.from(hex, "hex").swap32();
  const mapped = bytes.length === 16 && bytes.subarray(0, 12).equals(mappedPrefix);
  const four = bytes.length === 4 ? bytes : mapped ? bytes.subarray(12) : undefined;
  if (four !== undefined) return [[...four].join("."), Number.parseInt(port, 16)];
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => bytes.readUInt16BE(at).toString(16)).join(":");
  // URL writes IPv6 in its shortest form.
  return [new URL(`http://[${groups}]`).hostname.slice(1, -1), Number.parseInt(port, 16)];
}

const mappedPrefix = Buffer.from("00000000000000000000ffff", "hex");

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "latin1").trimEnd().split("\n").slice(1);
  } catch {
    // A host without IPv6.
    return [];
  }
}
