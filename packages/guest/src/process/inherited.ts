// Keeps from children the descriptors that were opened without close-on-exec: those of terminals, whose binding does not
// set it. Node cannot set it later, but it can put something harmless in their place.
import { openSync } from "node:fs";

const leaking = new Set<number>();
let nothing: number | undefined;

/** From now on no child of {@link stdioOf} gets this descriptor. @returns Ends that, once it is closed. */
export function keepFromChildren(fd: number): () => void {
  leaking.add(fd);
  return () => void leaking.delete(fd);
}

/**
 * The `stdio` of a child, with /dev/null where it would inherit a descriptor that is not meant for it. Every spawn of the
 * guest goes through this.
 */
export function stdioOf<T>(stdio: readonly T[]): (T | number | "ignore")[] {
  const list: (T | number | "ignore")[] = [...stdio];
  for (const fd of leaking) {
    if (fd < stdio.length) continue;
    // Beyond the first three "ignore" means to do nothing.
    while (list.length < fd) list.push("ignore");
    nothing ??= openSync("/dev/null", "r");
    list[fd] = nothing;
  }
  return list;
}
