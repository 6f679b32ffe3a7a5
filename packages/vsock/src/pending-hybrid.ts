// Agreed signatures, to be replaced by the real files.
import type { Socket } from "node:net";
export async function dialHybrid(
  _address: { readonly path: string; readonly port: number },
  _options?: { signal?: AbortSignal; timeoutMs?: number; allowHalfOpen?: boolean },
): Promise<Socket> {
  throw new Error("not there yet");
}
export function hybridListenPath(path: string, port: number): string {
  return `${path}_${port}`;
}
