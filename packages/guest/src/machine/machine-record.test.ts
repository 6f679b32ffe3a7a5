import os, { tmpdir } from "node:os";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CreateMachineRequestSchema } from "@guestwire/machine";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../guest.test.support.js";
import { newRecord } from "./machine-record.js";

const make = (request: MessageInitShape<typeof CreateMachineRequestSchema>) =>
  newRecord(create(CreateMachineRequestSchema, request), 7n << 30n, 1234);

test("what is left open is the host's", async () => {
  const record = await make({ name: "m1" });
  expect(record).toMatchObject({
    name: "m1",
    cpus: os.availableParallelism(),
    memory: String(os.totalmem()),
    diskSize: String(7n << 30n),
    arch: os.machine(),
    mounts: [],
    createdAt: 1234,
    startedAt: 0,
  });
});

test("what is asked for is kept", async () => {
  const request = {
    name: "a.b_c-9",
    cpus: 8192,
    memory: 1n << 52n,
    diskSize: 1n << 63n,
    distro: "alpine",
    version: "3.22",
    arch: os.machine(),
    mounts: [{ hostPath: tmpdir(), guestPath: "/data/../srv" }],
    sshPublicKey: "ssh-ed25519 AAAA me",
  };
  expect(await make(request)).toMatchObject({
    ...request,
    memory: String(1n << 52n),
    diskSize: String(1n << 63n),
    mounts: [{ hostPath: tmpdir(), guestPath: "/srv" }],
  });
  expect((await make({ name: "m1", distro: "alpine" })).version).toBe("");
});

const share = { hostPath: "/tmp", guestPath: "/data" };

test.each<[string, MessageInitShape<typeof CreateMachineRequestSchema>, string]>([
  ["no name", {}, "name"],
  ["a path as name", { name: "../x" }, "name"],
  ["a dot in front", { name: ".x" }, "name"],
  ["a long name", { name: "x".repeat(64) }, "name"],
  ["too many CPUs", { name: "m", cpus: 8193 }, "cpus"],
  ["too little memory", { name: "m", memory: (1n << 20n) - 1n }, "memory"],
  ["too much memory", { name: "m", memory: (1n << 52n) + 1n }, "memory"],
  ["too small a disk", { name: "m", diskSize: (1n << 30n) - 1n }, "disk_size"],
  ["too large a disk", { name: "m", diskSize: (1n << 63n) + 1n }, "disk_size"],
  ["another architecture", { name: "m", arch: "vax" }, "arch"],
  ["a key of two lines", { name: "m", sshPublicKey: "a\nb" }, "ssh_public_key"],
  ["a relative host path", { name: "m", mounts: [{ ...share, hostPath: "tmp" }] }, "mounts[0].host_path"],
  ["a relative guest path", { name: "m", mounts: [{ ...share, guestPath: "data" }] }, "mounts[0].guest_path"],
  ["a host path that is missing", { name: "m", mounts: [{ ...share, hostPath: "/no/such" }] }, "mounts[0].host_path"],
  ["the root as guest path", { name: "m", mounts: [{ ...share, guestPath: "/x/.." }] }, "mounts[0].guest_path"],
  ["mounts in each other", { name: "m", mounts: [share, { ...share, guestPath: "/data/x" }] }, "mounts[1].guest_path"],
])("%s is refused by name", async (_, request, field) => {
  const error = await errorOf(make(request));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage.startsWith(`${field}: `)).toBe(true);
});

test.each<[string, MessageInitShape<typeof CreateMachineRequestSchema>]>([
  ["kernel", { name: "m", kernel: "/boot/vmlinuz" }],
  ["cmdline", { name: "m", cmdline: "quiet" }],
  ["mounts[0].readonly", { name: "m", mounts: [{ ...share, readonly: true }] }],
])("%s is more than a local process can have", async (field, request) => {
  const error = await errorOf(make(request));
  expect(error.code).toBe(Code.Unimplemented);
  expect(error.rawMessage.startsWith(`${field}: `)).toBe(true);
});
