// Main memory and swap, from /proc/meminfo. "Used" is what new work could not have.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MemoryMetricsSchema } from "@guestwire/joblet";
import { percent, type Roots, textAt } from "./roots.js";

/** Reads the message. */
export async function readMemory({ proc }: Roots): Promise<MessageInitShape<typeof MemoryMetricsSchema>> {
  const text = await textAt(proc, "meminfo");
  const find = (name: string): bigint | undefined => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
    return kilobytes === undefined ? undefined : BigInt(kilobytes) * 1024n;
  };
  const bytes = (name: string): bigint => find(name) ?? 0n;
  const [totalBytes, freeBytes, cachedBytes, bufferedBytes] = [
    bytes("MemTotal"),
    bytes("MemFree"),
    bytes("Cached"),
    bytes("Buffers"),
  ];
  // Containers with a meminfo of their own may leave it out.
  const availableBytes = find("MemAvailable") ?? freeBytes + cachedBytes + bufferedBytes;
  const usedBytes = totalBytes > availableBytes ? totalBytes - availableBytes : 0n;
  const [swapTotal, swapFree] = [bytes("SwapTotal"), bytes("SwapFree")];
  return {
    totalBytes,
    usedBytes,
    freeBytes,
    availableBytes,
    usagePercent: percent(Number(usedBytes), Number(totalBytes)),
    cachedBytes,
    bufferedBytes,
    swapTotal,
    swapUsed: swapTotal > swapFree ? swapTotal - swapFree : 0n,
    swapFree,
  };
}
