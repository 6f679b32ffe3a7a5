// All forms of addresses, and the error for each wrong part.
import "./property-seed.test.support.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Address, addressForms, formatAddress, parseAddress } from "./address.js";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

const longest = "x".repeat(106);

describe("parseAddress", () => {
  test.each<[string, Address]>([
    ["unix:///run/a.sock", { kind: "unix", path: "/run/a.sock", abstract: false }],
    ["unix:/run/a.sock", { kind: "unix", path: "/run/a.sock", abstract: false }],
    ["unix:///run/a b:1@x", { kind: "unix", path: "/run/a b:1@x", abstract: false }],
    [`unix:///${longest}`, { kind: "unix", path: `/${longest}`, abstract: false }],
    ["unix:@name", { kind: "unix", path: "name", abstract: true }],
    ["unix://@/name", { kind: "unix", path: "/name", abstract: true }],
    [`unix:@${longest}x`, { kind: "unix", path: `${longest}x`, abstract: true }],
    ["tcp://localhost:80", { kind: "tcp", host: "localhost", port: 80 }],
    ["tcp:127.0.0.1:0", { kind: "tcp", host: "127.0.0.1", port: 0 }],
    ["tcp://[::1]:65535", { kind: "tcp", host: "::1", port: 65_535 }],
    ["tcp://[fe80::1%eth0]:1", { kind: "tcp", host: "fe80::1%eth0", port: 1 }],
    ["fd://3", { kind: "fd", fd: 3 }],
    ["fd:0", { kind: "fd", fd: 0 }],
    ["vsock://3:1024", { kind: "vsock", cid: 3, port: 1024 }],
    ["vsock://any:1", { kind: "vsock", cid: "any", port: 1 }],
    ["vsock://-1:1", { kind: "vsock", cid: "any", port: 1 }],
    ["vsock://host:1", { kind: "vsock", cid: 2, port: 1 }],
    ["vsock://local:1", { kind: "vsock", cid: 1, port: 1 }],
    ["vsock://4294967294:4294967294", { kind: "vsock", cid: 4_294_967_294, port: 4_294_967_294 }],
    ["hvsock:///tmp/v.sock:52", { kind: "hvsock", path: "/tmp/v.sock", port: 52 }],
    ["hvsock:///tmp/a:b:52", { kind: "hvsock", path: "/tmp/a:b", port: 52 }],
  ])("%s", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(parseAddress(formatAddress(address))).toEqual(address);
  });

  test.each([
    ["", "it has no scheme"],
    ["/run/a.sock", "it has no scheme"],
    ["localhost:80", 'the scheme "localhost" is not known'],
    ["UNIX:///a", 'the scheme "UNIX" is not known'],
    ["http://a:1", 'the scheme "http" is not known'],
    ["unix:", "the path is empty"],
    ["unix://", "the path is empty"],
    ["unix:@", "the abstract name is empty"],
    ["unix://run/a", 'the path "run/a" is not absolute'],
    [`unix:///${longest}x`, "the path has 108 bytes; a socket's may have 107"],
    [`unix:///${"ü".repeat(53)}x`, "the path has 108 bytes; a socket's may have 107"],
    [`unix:@${longest}xx`, "the path has 108 bytes; a socket's may have 107"],
    ["unix:///a\0b", "the path holds a NUL"],
    ["unix:@a\0b", "the path holds a NUL"],
    ["tcp://localhost", "it has no port"],
    ["tcp://:80", "the host is empty"],
    ["tcp://::1:80", "the IPv6 address ::1 must stand in brackets"],
    ["tcp://a/b:80", '"a/b" is no host'],
    ["tcp://[]:80", '"[]" is no host'],
    ["tcp://[a:80", '"[a" is no host'],
    ["tcp://user@a:80", '"user@a" is no host'],
    ["tcp://a b:80", '"a b" is no host'],
    ["tcp://a:", 'the port "" is not a number from 0 to 65535'],
    ["tcp://a:65536", 'the port "65536" is not a number from 0 to 65535'],
    ["tcp://a:-1", 'the port "-1" is not a number from 0 to 65535'],
    ["tcp://a:0x10", 'the port "0x10" is not a number from 0 to 65535'],
    ["tcp://a:80 ", 'the port "80 " is not a number from 0 to 65535'],
    ["fd://", 'the descriptor "" is not a number from 0 to 2147483647'],
    ["fd://x", 'the descriptor "x" is not a number from 0 to 2147483647'],
    ["fd://2147483648", 'the descriptor "2147483648" is not a number from 0 to 2147483647'],
    ["vsock://3", "it has no port"],
    ["vsock://x:1", 'the cid "x" is not a number from 0 to 4294967294'],
    ["vsock://4294967295:1", 'the cid "4294967295" is not a number from 0 to 4294967294'],
    ["vsock://3:4294967295", 'the port "4294967295" is not a number from 0 to 4294967294'],
    ["hvsock:///a", "it has no port"],
    ["hvsock://a:1", 'the path "a" is not absolute'],
    ["hvsock:///a:x", 'the port "x" is not a number from 0 to 4294967294'],
    [`hvsock:///${longest}x:1`, "the path has 108 bytes; a socket's may have 107"],
  ])("%j is refused, naming the part", (text, why) => {
    let error: unknown;
    try {
      parseAddress(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: `"${text}" is no address: ${why} (known forms: ${addressForms})`,
    });
  });
});

describe("formatAddress", () => {
  const port = fc.nat({ max: 2 ** 32 - 2 });
  const path = fc.stringMatching(/^[A-Za-z0-9_.@:-]{1,60}$/);
  const anyAddress = fc.oneof(
    path.map((name): Address => ({ kind: "unix", path: `/${name}`, abstract: false })),
    path.map((name): Address => ({ kind: "unix", path: name, abstract: true })),
    fc.record({
      kind: fc.constant("tcp" as const),
      host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      port: fc.nat({ max: 65_535 }),
    }),
    fc.nat({ max: 2 ** 31 - 1 }).map((fd): Address => ({ kind: "fd", fd })),
    fc.record({ kind: fc.constant("vsock" as const), cid: fc.oneof(fc.constant("any" as const), port), port }),
    fc.record({ kind: fc.constant("hvsock" as const), path: path.map((name) => `/${name}`), port }),
  );

  test("gives what parseAddress takes, and nothing is lost", () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
      { numRuns: 1000 },
    );
  });

  test("parsing any text gives an address or an RpcError", () => {
    const prefix = fc.constantFrom("", "unix:", "unix://", "tcp://", "fd://", "vsock://", "hvsock:///");
    fc.assert(
      fc.property(prefix, fc.string({ unit: "binary", maxLength: 130 }), (scheme, rest) => {
        try {
          const address = parseAddress(scheme + rest);
          expect(parseAddress(formatAddress(address))).toEqual(address);
        } catch (error) {
          expect(error).toBeInstanceOf(RpcError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
