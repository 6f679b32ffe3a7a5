// The file systems that are mounted on disks, from /proc/self/mountinfo. Each once, however often it is mounted.
import { type Roots, textAt } from "./roots.js";

/** A mounted file system. */
export interface Mount {
  readonly device: string;
  readonly point: string;
  readonly type: string;
}

// Real ones that the kernel does not count among those on devices.
const alsoReal: readonly string[] = ["overlay", "zfs", "bcachefs"];
// On devices for the kernel, but answered for by a program or another host, which may never answer.
const mayHang: readonly string[] = ["fuseblk", "ocfs2", "gfs2"];
// Where the kernel does not tell its kinds.
const usual: readonly string[] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat", "squashfs", "erofs"];

/** Reads the mounts. Those over a network, or served by a program, are left out. */
export async function readMounts({ proc }: Roots): Promise<Mount[]> {
  const [table, kinds] = await Promise.all([textAt(proc, "self/mountinfo"), textAt(proc, "filesystems")]);
  const onDevices = kinds === "" ? usual : [...kinds.matchAll(/^\t(\S+)$/gm)].map(([, type]) => type as string);
  const real = new Set([...onDevices, ...alsoReal].filter((type) => !mayHang.includes(type)));
  // What is mounted over another one hides it.
  const byPoint = new Map<string, { mount: Mount; id: string; isWhole: boolean }>();
  for (const line of table.split("\n")) {
    const [left = "", right = ""] = line.split(" - ", 2);
    const [, , id, root, point] = left.split(" ");
    const [type = "", device = ""] = right.split(" ");
    if (id === undefined || root === undefined || point === undefined) continue;
    const mount = { device: plain(device), point: plain(point), type };
    byPoint.delete(mount.point);
    byPoint.set(mount.point, { mount, id, isWhole: root === "/" });
  }
  const byId = new Map<string, { mount: Mount; isWhole: boolean }>();
  for (const { mount, id, isWhole } of byPoint.values()) {
    if (!real.has(mount.type)) continue;
    const before = byId.get(id);
    // Only a part of the same file system, as bind mounts show it, is no better place.
    if (before === undefined || (isWhole && !before.isWhole)) byId.set(id, { mount, isWhole });
  }
  return [...byId.values()].map(({ mount }) => mount);
}

/** The kernel writes blanks and backslashes in octal. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
