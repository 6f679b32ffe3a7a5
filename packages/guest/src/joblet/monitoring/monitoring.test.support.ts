// A machine of a test's own: files as the kernel would have them, and the service that looks at them.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { NetworkInterfaceInfo } from "node:os";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MonitoringService } from "@guestwire/joblet";
import { type Client, createClient, createInProcessChannel } from "@guestwire/rpc";
import type { JobletHome } from "../seams.js";
import { type MonitoringOptions, openMonitoring } from "./monitoring.js";
import type { Roots } from "./roots.js";

/** An open service on a machine of files. */
export interface TestMonitoring extends AsyncDisposable {
  readonly client: Client<typeof MonitoringService>;
  readonly root: string;
  /** What the machine's clock shows, in milliseconds. */
  ms: number;
  /** Writes files of the machine, by their paths as "proc/stat". */
  put(files: Readonly<Record<string, string>>): Promise<void>;
  remove(path: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens one. @param options As of `openMonitoring()`. */
export async function testMonitoring(
  files: Readonly<Record<string, string>>,
  options: MonitoringOptions = {},
): Promise<TestMonitoring> {
  const root = await mkdtemp(join(tmpdir(), "gw-monitoring-"));
  const roots: Roots = { proc: join(root, "proc"), sys: join(root, "sys"), etc: join(root, "etc") };
  const machine = { ms: 0 };
  const put = async (content: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(content)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
  };
  await put(files);
  const part = await openMonitoring(testHome(root), { roots, ticks: () => machine.ms, ...options });
  const channel = createInProcessChannel((registry) => part.register(registry));
  return Object.assign(machine, {
    root,
    client: createClient(MonitoringService, channel),
    put,
    remove: (path: string) => rm(join(root, path), { recursive: true }),
    close: async () => part.close?.(0),
    async [Symbol.asyncDispose]() {
      await part.close?.(0);
      await channel.close();
      await rm(root, { recursive: true });
    },
  });
}

/** What a part is given, where it needs no jobs. */
export function testHome(folder: string, now: () => number = () => 1_700_000_000_000): JobletHome {
  return {
    folder,
    scratch: folder,
    clock: { now, set: () => {} },
    usage: { ofNetwork: () => 0, ofVolume: () => 0, ofRuntime: () => 0 },
    jobs: {
      start() {
        throw new Error("this part starts no jobs");
      },
    },
  };
}

/** An address as node:os tells it. */
export function address(text: string, mac: string): NetworkInterfaceInfo {
  return { address: text, netmask: "", family: "IPv4", mac, internal: false, cidr: null };
}

/** A process's files. */
export function processFiles(
  pid: number,
  of: {
    readonly name: string;
    readonly state?: string;
    readonly ppid?: number;
    readonly threads?: number;
    readonly ticks?: number;
    readonly startedAt?: number;
    readonly kilobytes?: number;
    readonly command?: string;
    readonly uid?: number;
  },
): Record<string, string> {
  const { name, state = "S", ppid = 1, threads = 1, ticks = 0, startedAt = 0, kilobytes = 0, command, uid = 0 } = of;
  // Fields 5 to 52 of which those that count are set.
  const fields = Array.from({ length: 48 }, () => 0);
  fields[14 - 5] = Math.floor(ticks / 2);
  fields[15 - 5] = Math.ceil(ticks / 2);
  fields[20 - 5] = threads;
  fields[22 - 5] = startedAt;
  fields[24 - 5] = kilobytes / 4;
  return {
    [`proc/${pid}/stat`]: `${pid} (${name}) ${state} ${ppid} ${fields.join(" ")}\n`,
    [`proc/${pid}/status`]: `Name:\t${name}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nVmRSS:\t${kilobytes} kB\n`,
    ...(command === undefined ? {} : { [`proc/${pid}/cmdline`]: command }),
  };
}
