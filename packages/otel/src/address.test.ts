// Targets and peers in the conventions' form.
import { expect, test } from "vitest";
import { peerPlace, placeOf } from "./address.js";

test.each([
  ["unix:///run/containerd/containerd.sock", "/run/containerd/containerd.sock", undefined],
  ["unix:@name", "@name", undefined],
  ["tcp://grpc.example:50051", "grpc.example", 50051],
  ["tcp://[::1]:80", "::1", 80],
  ["dns:///grpc.example:50051", "grpc.example", 50051],
  ["dns://1.2.3.4/grpc.example:50051", "grpc.example", 50051],
  ["ipv4:127.0.0.1:80", "127.0.0.1", 80],
  ["ipv6:[::1]:80", "::1", 80],
  ["ipv4:198.51.100.123:50051,198.51.100.124:50051", "ipv4:198.51.100.123:50051,198.51.100.124:50051", undefined],
  ["unix:///a,unix:///b", "unix:///a,unix:///b", undefined],
  ["xds:///my-server", "xds:///my-server", undefined],
  ["vsock://3:1024", "vsock://3:1024", undefined],
  ["in-process:", "in-process:", undefined],
])("%s", (target, address, port) => {
  expect(placeOf(target)).toEqual({ address, port });
});

test("peers without an address on a network have none", () => {
  expect(peerPlace("duplex:")).toBeUndefined();
  expect(peerPlace("tcp://10.0.0.1:5")).toEqual({ address: "10.0.0.1", port: 5 });
});
