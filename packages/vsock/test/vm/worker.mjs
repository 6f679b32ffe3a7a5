// The worker threads of workers.test.mjs.
import { parentPort, workerData } from "node:worker_threads";
import { anyPort, dial, listen } from "../../dist/index.js";
import { openSockets } from "./helpers.mjs";

if (workerData.dial !== undefined) {
  const socket = await dial({ cid: 1, port: workerData.dial });
  socket.on("data", (data) => parentPort.postMessage(String(data)));
  socket.write("hello");
} else if (workerData.listen) {
  const server = await listen({ port: anyPort }, {}, (peer) => peer.on("error", () => {}).pipe(peer));
  parentPort.postMessage(server.port);
} else {
  const before = openSockets();
  for (let i = 0; i < 20; i++) dial({ cid: workerData.pending, port: 1 }).catch(() => {});
  parentPort.postMessage(openSockets() - before);
}
