// The hybrid vsock handshake: the first line, and the monitor's reading of a command. Memory only.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { acceptHandshake } from "../../../../vsock/src/hybrid-accept.js";
import { firstLine } from "../../../../vsock/src/hybrid-line.js";
import { check, type FuzzTarget } from "../target.js";

const never = new AbortController().signal;
const texts = (...lines: string[]): Buffer[] => lines.map((line) => Buffer.from(line, "latin1"));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function memory(): Duplex {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
}

/** Pushes the bytes in pieces; some of them in turns of their own. */
async function feed(stream: Duplex, bytes: Buffer, cut: number): Promise<void> {
  const size = 1 + (cut & 0x3f);
  for (let at = 0; at < bytes.length; at += size) {
    stream.push(Buffer.from(bytes.subarray(at, at + size)));
    if ((cut & 0xc0) === 0xc0 && at < 3 * size) await turn();
  }
  if ((cut & 0x40) === 0) stream.push(null);
}

async function rest(stream: Duplex): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => parts.push(chunk));
  await turn();
  return Buffer.concat(parts);
}

export const hybridLine: FuzzTarget = {
  name: "hybrid-line",
  checks: "firstLine gives the line and leaves the rest, whatever the cut; never more than its limit",
  seeds: texts("\x00OK 5\nrest", "\x43OK 1024\r\n", "\xffno end", "\x05\n\n"),
  dictionary: texts("\n", "OK 1\n", "x".repeat(63)),
  async run(input) {
    const bytes = Buffer.from(input.subarray(1));
    const cut = input[0] ?? 0;
    const stream = memory();
    const stop = new AbortController();
    const line = firstLine(stream, 64);
    const reading = line.read(stop.signal).catch(() => ({ is: "aborted" }));
    await feed(stream, bytes, cut);
    await turn();
    const newline = bytes.subarray(0, 64).indexOf(10);
    const ended = (cut & 0x40) === 0;
    const wanted = newline >= 0 ? "line" : bytes.length >= 64 ? "long" : ended ? "closed" : "aborted";
    if (wanted === "aborted") stop.abort();
    const { is } = await reading;
    check(is === wanted, () => `${is} instead of ${wanted}`);
    const size = newline >= 0 ? newline : Math.min(64, bytes.length);
    check(line.received.equals(bytes.subarray(0, size)), () => "another line");
    check(stream.listenerCount("readable") === 0, () => "listeners are left");
    if (is === "line") check((await rest(stream)).equals(bytes.subarray(newline + 1)), () => "another rest");
    stream.destroy();
  },
};

export const hybridHandshake: FuzzTarget = {
  name: "hybrid-handshake",
  checks: "acceptHandshake takes CONNECT with a port, refuses all else, and the host's bytes behind it stay",
  seeds: texts("\x00CONNECT 1024\nhello", "\x03connect\t5 \r\n", "\x00CONNECT 4294967295\n", "\x00CONNECT -1\n"),
  dictionary: texts("CONNECT ", "\n", "4294967294", "\r\n"),
  async run(input) {
    const bytes = Buffer.from(input.subarray(1));
    const host = memory() as Socket;
    const guest = memory();
    let port: number | undefined;
    const accepted = acceptHandshake(
      host,
      (given) => {
        port = given;
        return guest;
      },
      1000,
      never,
    ).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        check(["ECONNRESET", "EPROTO"].includes(error.code ?? ""), () => `an error with code ${error.code}`);
        return false;
      },
    );
    // The end comes later, as a host that ends at once is taken for one that is gone.
    await feed(host, bytes, (input[0] ?? 0) | 0x40);
    await turn();
    host.push(null);
    await turn();
    const text = /^connect[ \t]+(\d{1,10})[ \t]*\r?\n/i.exec(bytes.subarray(0, 32).toString("latin1"));
    const wanted = text !== null && Number(text[1]) <= 2 ** 32 - 2;
    const did = await accepted;
    if (wanted) check(port === Number(text[1]), () => `port ${port} instead of ${text[1]}`);
    else check(!did && port === undefined, () => `took ${JSON.stringify(bytes.toString("latin1"))}`);
    if (did)
      check((await rest(host)).equals(bytes.subarray((text as RegExpExecArray)[0].length)), () => "another rest");
    host.destroy();
    guest.destroy();
  },
};
