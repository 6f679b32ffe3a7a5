// Containers as the messages show them. Reads nothing but records and states.
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ContainerConfigSchema,
  type ContainerSchema,
  HostConfigSchema,
  type InspectContainerResponseSchema,
} from "@guestwire/ross";
import type { RossContainer } from "./ross-container.js";

/** A container as lists show it. @param size Whether to count its bytes. */
export async function describeContainer(
  container: RossContainer,
  size: boolean,
): Promise<MessageInitShape<typeof ContainerSchema>> {
  const { record, state } = container;
  const hostConfig = fromJson(HostConfigSchema, record.hostConfig);
  const bytes = size ? BigInt(await folderSize(container.paths.rootfs)) : 0n;
  return {
    id: record.id,
    names: [record.name],
    image: record.image,
    imageId: record.imageId,
    command: record.args.map(shellWord).join(" "),
    created: timestampFromMs(record.createdAt),
    state,
    status: statusText(container),
    ports: hostConfig.portBindings,
    labels: record.labels,
    sizeRw: bytes,
    sizeRootFs: bytes,
    hostConfig: { networkMode: hostConfig.networkMode || "host" },
    networkSettings: {},
    mounts: [],
  };
}

/** A container in full. */
export async function inspectContainer(
  container: RossContainer,
  size: boolean,
): Promise<MessageInitShape<typeof InspectContainerResponseSchema>> {
  const { record, state, paths } = container;
  const [path = "", ...args] = record.args;
  return {
    container: await describeContainer(container, size),
    state: {
      status: state,
      running: state === "running" || state === "paused",
      paused: state === "paused",
      restarting: container.restarting,
      pid: container.pid,
      exitCode: record.exitCode,
      error: record.error,
      ...(record.startedAt > 0 && { startedAt: timestampFromMs(record.startedAt) }),
      ...(record.finishedAt > 0 && { finishedAt: timestampFromMs(record.finishedAt) }),
    },
    path,
    args,
    logPath: paths.log,
    name: record.name,
    restartCount: BigInt(record.restartCount),
    driver: "directory",
    platform: "linux",
    execIds: container.execs.ids,
    config: fromJson(ContainerConfigSchema, record.config),
    hostConfig: fromJson(HostConfigSchema, record.hostConfig),
    graphDriver: { name: "directory", data: { MergedDir: paths.rootfs } },
    networkSettings: {},
  };
}

function statusText(container: RossContainer): string {
  const { record, state, clock } = container;
  const since = (ms: number): string => duration(clock.now() - ms);
  switch (state) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(record.startedAt)}`;
    case "paused":
      return `Up ${since(record.startedAt)} (Paused)`;
    case "stopped":
      return container.restarting
        ? `Restarting (${record.exitCode}) ${since(record.finishedAt)} ago`
        : `Exited (${record.exitCode}) ${since(record.finishedAt)} ago`;
  }
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units: readonly (readonly [string, number])[] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  for (const [unit, length] of units) {
    const count = Math.floor(seconds / length);
    if (count > 0) return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

async function folderSize(folder: string): Promise<number> {
  let size = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) size += await folderSize(path);
    else
      size += await lstat(path).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return size;
}
