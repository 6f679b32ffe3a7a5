// Volumes: real folders that jobs share, and their sizes.
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VolumeService } from "@guestwire/joblet";
import { type Client, Code, createClient } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";
import { formatSize, parseSize } from "./size.js";

test.each([
  ["1", 1],
  ["1KB", 1024],
  ["1.5 kb", 1536],
  ["10MB", 10 * 2 ** 20],
  ["1GB", 2 ** 30],
  ["2TB", 2 * 2 ** 40],
  ["", undefined],
  ["0", undefined],
  ["-1GB", undefined],
  ["1PB", undefined],
  ["1.0001KB", undefined],
  ["99999999999TB", undefined],
])("the size %j has %s bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  [1000, "1000"],
  [1024, "1KB"],
  [1536, "1536"],
  [2 ** 30, "1GB"],
  [2 ** 50, "1024TB"],
])("%i bytes are written as %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

describe("the service", () => {
  let joblet: TestJoblet;
  let volumes: Client<typeof VolumeService>;

  beforeEach(async () => {
    joblet = await testJoblet();
    volumes = createClient(VolumeService, joblet.channel);
  });
  afterEach(() => joblet[Symbol.asyncDispose]());

  test("jobs share a volume, which outlasts them and a restart", async () => {
    const { path, size, type } = await volumes.createVolume({ name: "data", size: "1024KB", type: "filesystem" });
    expect([size, type, existsSync(path)]).toEqual(["1MB", "filesystem", true]);
    const write = { command: "sh", args: ["-c", "echo hello > volumes/data/file"], volumes: ["data"] };
    const written = await joblet.jobs.runJob(write);
    expect((await joblet.over(written.jobUuid)).status).toBe("COMPLETED");
    expect(await readFile(join(path, "file"), "utf8")).toBe("hello\n");
    await joblet.restart();
    const read = { command: "cat", args: ["volumes/data/file"], volumes: ["data"] };
    expect(await joblet.output((await joblet.jobs.runJob(read)).jobUuid)).toBe("hello\n");
    volumes = createClient(VolumeService, joblet.channel);
    const { volumes: listed } = await volumes.listVolumes({});
    expect(listed).toMatchObject([{ name: "data", size: "1MB", type: "filesystem", path, jobCount: 0 }]);
    expect(Date.parse(listed[0]?.createdTime as string)).toBeLessThanOrEqual(joblet.clock.now());
    expect((await volumes.removeVolume({ name: "data" })).success).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  test("a volume in memory is empty after a restart, and gone with the guest", async () => {
    const { path } = await volumes.createVolume({ name: "fast", size: "1KB", type: "memory" });
    expect(path.startsWith("/dev/shm/")).toBe(true);
    await writeFile(join(path, "file"), "x");
    await joblet.restart();
    expect(readdirSync(path)).toEqual([]);
  });

  test.each([
    ["", "1KB", "", /^name: /],
    ["../up", "1KB", "", /^name: /],
    ["data", "", "", /^size: /],
    ["data", "much", "", /^size: /],
    ["data", "8000TB", "", /^size: .* more than/],
    ["data", "1KB", "tape", /^type: /],
  ])("refuses the volume %j %j %j", async (name, size, type, message) => {
    const error = await errorOf(volumes.createVolume({ name, size, type }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(message);
    expect((await volumes.listVolumes({})).volumes).toEqual([]);
  });

  test("of two that are made at once with one name there is one", async () => {
    const make = () =>
      volumes.createVolume({ name: "data", size: "1KB" }).then(
        () => "made",
        () => "refused",
      );
    expect((await Promise.all([make(), make()])).sort()).toEqual(["made", "refused"]);
    expect((await volumes.listVolumes({})).volumes).toHaveLength(1);
  });

  test("one that jobs use stays until they are over", async () => {
    await volumes.createVolume({ name: "data", size: "1KB" });
    const { jobUuid } = await joblet.jobs.runJob({ command: "cat", args: ["/dev/zero"], volumes: ["data"] });
    expect((await volumes.listVolumes({})).volumes).toMatchObject([{ jobCount: 1 }]);
    const refused = await volumes.removeVolume({ name: "data" });
    expect([refused.success, refused.message]).toEqual([false, 'the volume "data" is in use by 1 jobs']);
    await joblet.jobs.stopJob({ uuid: jobUuid });
    expect((await volumes.removeVolume({ name: "data" })).success).toBe(true);
    expect((await volumes.removeVolume({ name: "data" })).message).toBe('there is no volume "data"');
  });
});
