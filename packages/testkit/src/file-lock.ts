// One thing at a time across processes: a file that names its holder. For tests; a holder that died is replaced.
import { open, readFile, rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

/** Runs the work while no other process, and nobody else here, holds the lock of this path. */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(path))) await pause(100);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = Number(await readFile(path, "utf8").catch(() => ""));
  // Empty: its holder is just about to write. A holder that is gone left its file behind.
  if (holder > 0 && !alive(holder)) await rm(path, { force: true });
  return false;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
