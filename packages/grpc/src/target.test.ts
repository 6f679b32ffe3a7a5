// Where a channel leads: our addresses, several of them, gRPC's own names, and what is refused.
import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { dialledAddress, parseTarget } from "./target.js";

function problem(address: unknown): RpcError {
  try {
    parseTarget(address as string);
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it was not refused");
}

test.each([
  ["unix:///run/a.sock", "unix:///run/a.sock", "localhost", [{ path: "/run/a.sock" }]],
  ["unix:@name", "unix:@name", "localhost", [{ path: "\0name" }]],
  ["tcp://127.0.0.1:80", "tcp://127.0.0.1:80", "127.0.0.1:80", [{ host: "127.0.0.1", port: 80 }]],
  ["tcp://[::1]:80", "tcp://[::1]:80", "[::1]:80", [{ host: "::1", port: 80 }]],
  ["vsock://3:1024", "vsock://3:1024", "localhost", [{ path: "vsock://3:1024" }]],
  ["vsock:host:1024", "vsock://2:1024", "localhost", [{ path: "vsock://2:1024" }]],
  ["hvsock:///run/vm.sock:1024", "hvsock:///run/vm.sock:1024", "localhost", [{ path: "hvsock:///run/vm.sock:1024" }]],
  ["fd://3", "fd://3", "localhost", [{ path: "fd://3" }]],
  ["tcp://guest.local:80", "tcp://guest.local:80", "guest.local:80", [{ host: "guest.local", port: 80 }]],
])("%s", (address, name, authority, endpoints) => {
  expect(parseTarget(address)).toMatchObject({ name, authority, endpoints, resolve: undefined });
});

test("several addresses of ours, in order; the first gives the name that the servers see", () => {
  expect(parseTarget(["tcp://a:1", "unix:///run/b.sock"])).toMatchObject({
    name: "tcp://a:1,unix:///run/b.sock",
    authority: "a:1",
    endpoints: [{ host: "a", port: 1 }, { path: "/run/b.sock" }],
  });
});

test.each([
  ["dns:///guests:50051", "guests:50051", { scheme: "dns", authority: "", path: "guests:50051" }],
  ["dns:guests:50051", "guests:50051", { scheme: "dns", path: "guests:50051" }],
  ["dns://10.0.0.1/guests:50051", "guests:50051", { scheme: "dns", authority: "10.0.0.1", path: "guests:50051" }],
  ["ipv4:10.0.0.1:1,10.0.0.2:1", "10.0.0.1:1", { scheme: "ipv4", path: "10.0.0.1:1,10.0.0.2:1" }],
  ["xds:///guests", "guests", { scheme: "xds", authority: "", path: "guests" }],
])("%s is gRPC's to resolve", (address, authority, resolve) => {
  expect(parseTarget(address)).toEqual({ name: address, authority, path: resolve.path, endpoints: undefined, resolve });
});

test.each([
  ["", /no scheme/],
  ["localhost", /no scheme.*dns:\/\/\/host:port/],
  ["localhost:50051", /the scheme "localhost" is not known/],
  ["tcp://a", /no port/],
  ["unix:relative", /not absolute/],
  ["vsock://any:1024", /vsock:\/\/any:1024: "any" is where to listen/],
  [["unix:///run/a.sock", "hvsock://vm.sock:1024"], /the path "vm.sock" is not absolute/],
  [[], /at least one/],
  [7, /an address or a list/],
  [["tcp://a:1", 7], /an address or a list/],
  [["tcp://a:1", "dns:///b:1"], /"dns:\/\/\/b:1" must stand alone/],
])("%j is refused, naming what is wrong", (address, text) => {
  const error = problem(address);
  expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(text)]);
});

test("the endpoints that are not for grpc-js to connect to are known by their path", () => {
  const all = [
    "unix:///run/a.sock",
    "unix:@vsock://3:1",
    "tcp://vsock:80",
    "vsock://3:1024",
    "hvsock:///a:b.sock:1",
    "fd://3",
  ];
  expect(parseTarget(all).endpoints?.map(dialledAddress)).toEqual([
    { kind: "unix", path: "/run/a.sock", abstract: false },
    { kind: "unix", path: "vsock://3:1", abstract: true },
    undefined,
    { kind: "vsock", cid: 3, port: 1024 },
    { kind: "hvsock", path: "/a:b.sock", port: 1 },
    { kind: "fd", fd: 3 },
  ]);
});
