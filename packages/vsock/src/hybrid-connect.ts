// Connects a unix socket, and waits where its backlog is full. No handshake here, and no other error is tried again.
import { createConnection, type Socket } from "node:net";

/**
 * Connects to a unix socket. While its backlog is full (`EAGAIN`) it tries again until the signal says stop.
 *
 * @param retried Told of every `EAGAIN`.
 * @throws The system's error, or the signal's reason.
 */
export function connectPath(
  path: string,
  allowHalfOpen: boolean,
  signal: AbortSignal,
  retried?: (error: Error) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let pauseMs = 1;
    let timer: NodeJS.Timeout | undefined;
    let socket: Socket | undefined;
    const onAbort = (): void => {
      clearTimeout(timer);
      socket?.destroy();
      reject(signal.reason);
    };
    const attempt = (): void => {
      const opened = createConnection({ path, allowHalfOpen });
      socket = opened;
      const onError = (error: NodeJS.ErrnoException): void => {
        if (signal.aborted) return;
        if (error.code === "EAGAIN") {
          retried?.(error);
          timer = setTimeout(attempt, pauseMs);
          pauseMs = Math.min(pauseMs * 2, 50);
          return;
        }
        signal.removeEventListener("abort", onAbort);
        reject(error);
      };
      opened.once("error", onError);
      opened.once("connect", () => {
        opened.removeListener("error", onError);
        signal.removeEventListener("abort", onAbort);
        resolve(opened);
      });
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    attempt();
  });
}
