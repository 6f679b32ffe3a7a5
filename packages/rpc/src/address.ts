// Addresses as users write them. Parsing only; nothing is opened here.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/** A parsed address. */
export type Address =
  | { readonly kind: "unix"; readonly path: string; readonly abstract: boolean }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "fd"; readonly fd: number }
  | { readonly kind: "vsock"; readonly cid: number | "any"; readonly port: number }
  | { readonly kind: "hvsock"; readonly path: string; readonly port: number };

/** The forms that {@link parseAddress} takes, for messages and help texts. */
export const addressForms: string =
  "unix:///path, unix:@abstract-name, tcp://host:port, fd://number, vsock://cid:port, hvsock:///path:port";

// What the kernel's sockaddr_un holds, less the NUL at the end of a path or at the beginning of an abstract name.
const longestPath = 107;
const cids: ReadonlyMap<string, number | "any"> = new Map<string, number | "any">([
  ["any", "any"],
  ["-1", "any"],
  ["local", 1],
  ["host", 2],
]);

/**
 * Parses an address.
 *
 * @param text One of {@link addressForms}. A vsock cid is a number, `any`, `local` or `host`.
 * @throws {RpcError} Code.InvalidArgument naming the part that is wrong.
 */
export function parseAddress(text: string): Address {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/)?/.exec(text);
  const rest = scheme === null ? "" : text.slice(scheme[0].length);
  switch (scheme?.[1]) {
    case "unix":
      return parseUnix(text, rest);
    case "tcp":
      return parseTcp(text, rest);
    case "fd":
      return { kind: "fd", fd: wholeNumber(text, "descriptor", rest, 0, 2 ** 31 - 1) };
    case "vsock": {
      const [cid, port] = splitPort(text, rest);
      return { kind: "vsock", cid: parseCid(text, cid), port: vsockPort(text, port) };
    }
    case "hvsock": {
      const [path, port] = splitPort(text, rest);
      if (!path.startsWith("/")) throw bad(text, `the path "${path}" is not absolute`);
      checkLength(text, path);
      return { kind: "hvsock", path, port: vsockPort(text, port) };
    }
    case undefined:
      throw bad(text, "it has no scheme");
    default:
      throw bad(text, `the scheme "${scheme?.[1]}" is not known`);
  }
}

/** Gives an address in the form in which {@link parseAddress} takes it. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "unix":
      return address.abstract ? `unix:@${address.path}` : `unix://${address.path}`;
    case "tcp":
      return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "fd":
      return `fd://${address.fd}`;
    case "vsock":
      return `vsock://${address.cid}:${address.port}`;
    case "hvsock":
      return `hvsock://${address.path}:${address.port}`;
  }
}

function parseUnix(text: string, rest: string): Address {
  const abstract = rest.startsWith("@");
  const path = abstract ? rest.slice(1) : rest;
  if (path === "") throw bad(text, abstract ? "the abstract name is empty" : "the path is empty");
  if (!abstract && !path.startsWith("/")) throw bad(text, `the path "${path}" is not absolute`);
  checkLength(text, path);
  return { kind: "unix", path, abstract };
}

function parseTcp(text: string, rest: string): Address {
  const [host, port] = splitPort(text, rest);
  const bare = /^\[(.+)\]$/.exec(host)?.[1] ?? host;
  if (bare === "") throw bad(text, "the host is empty");
  if (bare === host && host.includes(":")) throw bad(text, `the IPv6 address ${host} must stand in brackets`);
  if (/[/?#@\s[\]]/.test(bare)) throw bad(text, `"${bare}" is no host`);
  return { kind: "tcp", host: bare, port: wholeNumber(text, "port", port, 0, 65_535) };
}

function parseCid(text: string, cid: string): number | "any" {
  return cids.get(cid) ?? wholeNumber(text, "cid", cid, 0, 2 ** 32 - 2);
}

function vsockPort(text: string, port: string): number {
  return wholeNumber(text, "port", port, 0, 2 ** 32 - 2);
}

function splitPort(text: string, rest: string): [before: string, port: string] {
  const colon = rest.lastIndexOf(":");
  if (colon < 0) throw bad(text, "it has no port");
  return [rest.slice(0, colon), rest.slice(colon + 1)];
}

function wholeNumber(text: string, part: string, digits: string, least: number, most: number): number {
  const value = Number(digits);
  if (!/^\d{1,10}$/.test(digits) || value < least || value > most) {
    throw bad(text, `the ${part} "${digits}" is not a number from ${least} to ${most}`);
  }
  return value;
}

function checkLength(text: string, path: string): void {
  const size = Buffer.byteLength(path, "utf8");
  if (size > longestPath) throw bad(text, `the path has ${size} bytes; a socket's may have ${longestPath}`);
  if (path.includes("\0")) throw bad(text, "the path holds a NUL");
}

function bad(text: string, why: string): RpcError {
  return new RpcError(Code.InvalidArgument, `"${text}" is no address: ${why} (known forms: ${addressForms})`);
}
