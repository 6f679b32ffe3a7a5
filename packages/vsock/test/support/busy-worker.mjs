// A worker thread that has sockets in every state, and waits to be terminated. Run by listen.test.ts.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { dialWith } from "../../dist/dial.js";
import { listenWith } from "../../dist/listen.js";
import { backends, openSockets, redirect } from "../../dist/tcp-redirect.test.support.js";

const calls = redirect(backends.find(([name]) => name === workerData.name)[1]);
const dial = (port) => dialWith(() => calls, { cid: 1, port }, {});

const before = openSockets();
const server = await listenWith(() => calls, { port: 0xffffffff }, {});
const accepted = once(server, "connection");
const socket = await dial(server.port);
const [peer] = await accepted;
socket.write("x");
await once(peer, "data");
// Accepted by the kernel, not by this thread yet: counts once.
const late = await dial(server.port);
late.pause();
for (let i = 0; i < 5; i++) dial(workerData.stuckPort).catch(() => {});
parentPort.postMessage(openSockets() - before);
