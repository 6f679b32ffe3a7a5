// joblet.VolumeService: volumes as folders of this host. Sizes are recorded and must fit the disk; nothing enforces them.
import { lstat, mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { VolumeService, type VolumeServiceHandler } from "@guestwire/joblet";
import { RpcError } from "@guestwire/rpc";
import { invalid, isSystemError, quoted, textOf } from "../../errors.js";
import { removeTree } from "../../files/remove-tree.js";
import { RecordFile } from "../../state/record-file.js";
import { tokenOf } from "../../state/state-folder.js";
import type { JobletHome, VolumesPart } from "../seams.js";
import { formatSize, parseSize } from "./size.js";

interface VolumeRecord {
  readonly name: string;
  readonly bytes: number;
  readonly type: "filesystem" | "memory";
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

const nameForm = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const most = 1000;
// What Linux calls a tmpfs.
const tmpfs = 0x01021994;

/**
 * Opens the volumes. Those in memory are empty again after a restart.
 *
 * @param memory Where folders in memory are made. Default /dev/shm.
 */
export async function openVolumes(home: JobletHome, memory: string = "/dev/shm"): Promise<VolumesPart> {
  const { folder, usage, clock } = home;
  const file = new RecordFile<VolumeRecord>(join(folder, "volumes.json"));
  const volumes = new Map((await file.read()).map((volume) => [volume.name, volume]));
  const save = (): Promise<void> => file.write(() => volumes.values());
  const inMemory = join(memory, `guestwire-volumes-${tokenOf(folder)}`);
  const roots = { filesystem: join(folder, "data"), memory: inMemory };
  const pathOf = ({ name, type }: VolumeRecord): string => join(roots[type], name);

  // Somebody else may have made something of that name; that is an error only where it is needed.
  await removeTree(inMemory).catch(() => {});
  let usesMemory = false;
  const makeFolder = async (volume: VolumeRecord, recursive = false): Promise<void> => {
    if (volume.type === "memory") {
      await makeOwn(inMemory);
      usesMemory = true;
    }
    await mkdir(pathOf(volume), { recursive, mode: 0o700 });
  };
  await mkdir(roots.filesystem, { recursive: true, mode: 0o700 });
  for (const volume of volumes.values()) await makeFolder(volume, true);

  const check = async (name: string, size: string, type: string): Promise<VolumeRecord> => {
    if (!nameForm.test(name)) {
      throw invalid("name", `${quoted(name)} is no name: a letter, then letters, digits, "-" and "_", at most 63`);
    }
    if (type !== "" && type !== "filesystem" && type !== "memory") {
      throw invalid("type", `${quoted(type)} is neither "filesystem" nor "memory"`);
    }
    const bytes = parseSize(size);
    if (bytes === undefined) {
      throw invalid("size", `${quoted(size)} is no size: a number with KB, MB, GB or TB, or a number of bytes`);
    }
    const kind = type || "filesystem";
    const disk = await statfs(kind === "memory" ? memory : roots.filesystem).catch(() => undefined);
    if (kind === "memory" && disk?.type !== tmpfs) throw invalid("type", `${memory} of this host is not in memory`);
    const free = disk === undefined ? 0 : disk.bavail * disk.bsize;
    if (bytes > free) throw invalid("size", `${size} is more than the ${formatSize(free)} bytes that are free`);
    return { name, bytes, type: kind as VolumeRecord["type"], createdAt: clock.now() };
  };

  const service: VolumeServiceHandler = {
    async createVolume({ name, size, type }) {
      const volume = await check(name, size, type);
      if (volumes.has(name)) throw invalid("name", `the volume ${quoted(name)} exists`);
      if (volumes.size >= most) throw invalid("name", `there are ${most} volumes already`);
      volumes.set(name, volume);
      let made = false;
      try {
        await makeFolder(volume);
        made = true;
        await save();
      } catch (error) {
        volumes.delete(name);
        // As the contract says: any failure. A folder that was there before belongs to something else and stays.
        if (made) await removeTree(pathOf(volume)).catch(() => {});
        throw invalid("name", RpcError.from(error).rawMessage);
      }
      return { name, size: formatSize(volume.bytes), type: volume.type, path: pathOf(volume) };
    },
    listVolumes: () => ({
      volumes: [...volumes.values()].map((volume) => ({
        name: volume.name,
        size: formatSize(volume.bytes),
        type: volume.type,
        path: pathOf(volume),
        createdTime: new Date(volume.createdAt).toISOString(),
        jobCount: usage.ofVolume(volume.name),
      })),
    }),
    async removeVolume({ name }) {
      const volume = volumes.get(name);
      if (volume === undefined) return { success: false, message: `there is no volume ${quoted(name)}` };
      const jobs = usage.ofVolume(name);
      if (jobs > 0) return { success: false, message: `the volume ${quoted(name)} is in use by ${jobs} jobs` };
      volumes.delete(name);
      try {
        await save();
        await removeTree(pathOf(volume));
        return { success: true, message: `the volume ${quoted(name)} was removed` };
      } catch (error) {
        return { success: false, message: `the volume ${quoted(name)} could not be removed: ${textOf(error)}` };
      }
    },
  };
  return {
    lookup: {
      folder(name) {
        const volume = volumes.get(name);
        return volume && pathOf(volume);
      },
    },
    list: () => [...volumes.values()].map((each) => ({ name: each.name, folder: pathOf(each), bytes: each.bytes })),
    register: (registry) => void registry.service(VolumeService, service),
    async close() {
      if (usesMemory) await removeTree(inMemory);
    },
  };
}

/** Makes a folder where everybody may make some, and where one of that name may be a trap. */
async function makeOwn(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
    const found = await lstat(path);
    if (!found.isDirectory() || found.uid !== process.getuid?.()) throw new Error(`${path} belongs to somebody else`);
  }
}
