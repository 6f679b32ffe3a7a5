// Networks: records with ranges that do not overlap, and how jobs use them.
import { NetworkService } from "@guestwire/joblet";
import { type Client, Code, createClient } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";
import { formatCidr, overlap, parseCidr } from "./cidr.js";

describe("ranges", () => {
  test.each([
    ["10.10.0.0/24", 0x0a0a0000, 24],
    ["172.16.0.0/12", 0xac100000, 12],
    ["255.0.0.0/8", 0xff000000, 8],
    ["192.168.1.4/30", 0xc0a80104, 30],
  ])("%s", (text, first, prefix) => {
    expect(parseCidr(text)).toEqual({ first, prefix });
    expect(formatCidr({ first, prefix })).toBe(text);
  });

  test.each([
    ["", "no IPv4 range"],
    ["10.0.0.0", "no IPv4 range"],
    ["fd00::/64", "no IPv4 range"],
    ["10.0.0.256/24", "above 255"],
    ["10.0.0.0/7", "from 8 to 30"],
    ["10.0.0.0/31", "from 8 to 30"],
    ["10.10.0.5/24", "begins at 10.10.0.0/24"],
  ])("%j is refused: %s", (text, why) => {
    expect(parseCidr(text)).toContain(why);
  });

  test.each([
    ["10.0.0.0/24", "10.0.1.0/24", false],
    ["10.0.0.0/16", "10.0.1.0/24", true],
    ["10.0.1.0/24", "10.0.0.0/16", true],
    ["10.0.0.0/8", "11.0.0.0/8", false],
    ["192.168.0.0/24", "192.168.0.0/24", true],
  ])("%s and %s overlap: %s", (a, b, expected) => {
    expect(overlap(parseCidr(a) as never, parseCidr(b) as never)).toBe(expected);
  });
});

describe("the service", () => {
  let joblet: TestJoblet;
  let networks: Client<typeof NetworkService>;

  beforeEach(async () => {
    joblet = await testJoblet();
    networks = createClient(NetworkService, joblet.channel);
  });
  afterEach(() => joblet[Symbol.asyncDispose]());

  const listed = async (): Promise<string[]> => (await networks.listNetworks({})).networks.map(({ name }) => name);

  test("the built-in networks are always there", async () => {
    expect((await networks.listNetworks({})).networks).toMatchObject([
      { name: "bridge", cidr: "172.20.0.0/16", bridge: "joblet0", jobCount: 0 },
      { name: "isolated" },
      { name: "none" },
    ]);
    const { success, message } = await networks.removeNetwork({ name: "bridge" });
    expect([success, message]).toEqual([false, '"bridge" is built in and cannot be removed']);
  });

  test("networks are made, kept over a restart and removed", async () => {
    expect(await networks.createNetwork({ name: "lab", cidr: "10.1.0.0/24" })).toMatchObject({
      name: "lab",
      cidr: "10.1.0.0/24",
      bridge: "joblet1",
    });
    await joblet.restart();
    networks = createClient(NetworkService, joblet.channel);
    expect(await listed()).toContain("lab");
    expect((await networks.removeNetwork({ name: "lab" })).success).toBe(true);
    expect(await listed()).not.toContain("lab");
    expect((await networks.removeNetwork({ name: "lab" })).success).toBe(false);
  });

  test.each([
    ["", "10.1.0.0/24", /^name: /],
    ["1st", "10.1.0.0/24", /^name: /],
    ["a/b", "10.1.0.0/24", /^name: /],
    ["n".repeat(64), "10.1.0.0/24", /^name: /],
    ["bridge", "10.1.0.0/24", /^name: the network "bridge" exists/],
    ["lab", "10.1.0.0", /^cidr: /],
    ["lab", "172.20.5.0/24", /^cidr: 172.20.5.0\/24 overlaps 172.20.0.0\/16 of the network "bridge"/],
  ])("refuses the network %j %j", async (name, cidr, message) => {
    const error = await errorOf(networks.createNetwork({ name, cidr }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(message);
    expect(await listed()).toHaveLength(3);
  });

  test("one that jobs use stays until they are over", async () => {
    await networks.createNetwork({ name: "lab", cidr: "10.1.0.0/24" });
    const { jobUuid } = await joblet.jobs.runJob({ command: "cat", args: ["/dev/zero"], network: "lab" });
    const lab = (await networks.listNetworks({})).networks.find(({ name }) => name === "lab");
    expect(lab?.jobCount).toBe(1);
    expect(await networks.removeNetwork({ name: "lab" })).toMatchObject({ success: false });
    await joblet.jobs.stopJob({ uuid: jobUuid });
    expect(await networks.removeNetwork({ name: "lab" })).toMatchObject({ success: true });
  });
});
