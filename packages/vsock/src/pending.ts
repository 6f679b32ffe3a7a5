// Agreed signatures, to be replaced by the real files.
import type { Server, Socket } from "node:net";
export interface VsockAddress {
  readonly cid: number;
  readonly port: number;
}
export interface VsockSocket extends Socket {
  readonly remoteCid: number;
  readonly remotePort: number;
  readonly localPort: number;
  readonly localCid: number;
}
export interface VsockServer extends Server {
  readonly cid: number;
  readonly port: number;
}
export async function dial(
  _address: VsockAddress,
  _options?: { signal?: AbortSignal; timeoutMs?: number; allowHalfOpen?: boolean },
): Promise<VsockSocket> {
  throw new Error("not there yet");
}
export async function listen(
  _address: { readonly cid?: number | "any"; readonly port: number },
  _options?: { backlog?: number; allowHalfOpen?: boolean; pauseOnConnect?: boolean },
  _onConnection?: (socket: VsockSocket) => void,
): Promise<VsockServer> {
  throw new Error("not there yet");
}
export function localCid(): number {
  throw new Error("not there yet");
}
