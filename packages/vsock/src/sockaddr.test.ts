import { endianness } from "node:os";
import { expect, test } from "vitest";
import { decodeSockaddr, encodeSockaddr, unnamedUnixAddress } from "./sockaddr.js";

const big = endianness() === "BE";

test("a vsock address is family, port and cid in the machine's byte order, 16 bytes in all", () => {
  const bytes = encodeSockaddr({ cid: 0x01020304, port: 0x0a0b0c0d });
  const little = [40, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 4, 3, 2, 1, 0, 0, 0, 0];
  expect([...bytes]).toEqual(big ? [0, 40, 0, 0, 10, 11, 12, 13, 1, 2, 3, 4, 0, 0, 0, 0] : little);
});

test("what is written is read again, up to the largest numbers", () => {
  for (const address of [
    { cid: 0, port: 0 },
    { cid: 0xffffffff, port: 0xffffffff },
    { cid: 3, port: 1024 },
  ]) {
    expect(decodeSockaddr(encodeSockaddr(address))).toEqual(address);
  }
});

test("a longer buffer at an odd offset is read as well", () => {
  const room = new Uint8Array(64);
  room.set(encodeSockaddr({ cid: 7, port: 9 }), 3);
  expect(decodeSockaddr(room.subarray(3))).toEqual({ cid: 7, port: 9 });
});

test("addresses of other families are refused by number", () => {
  expect(() => decodeSockaddr(new Uint8Array(16))).toThrow("the socket's address family is 0, not AF_VSOCK (40)");
});

test("an unnamed unix address is its family alone", () => {
  expect([...unnamedUnixAddress()]).toEqual(big ? [0, 1] : [1, 0]);
});
