// A worker thread: serves the echo service on the address that it is given until it gets a message.
import { parentPort, workerData } from "node:worker_threads";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { serve } from "../../src/server.js";

const server = serve().service(EchoService, echoHandlers);
parentPort?.postMessage(await server.listen(workerData as string));
parentPort?.once("message", () => void server.close());
