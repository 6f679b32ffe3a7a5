// A server of a soak, as a process of its own: serves the echo service on the addresses it was started with.
import { serve } from "@guestwire/ttrpc";
import { EchoService, echoHandlers } from "../echo/index.js";
import { footprint } from "./footprint.js";
import { answerQuestions, collectComplaints } from "./programs.js";

const complaints = collectComplaints();
const server = serve({ limits: { frameMs: Number(process.env["SOAK_FRAME_MS"] ?? 30_000) } }).service(
  EchoService,
  echoHandlers,
);

answerQuestions({
  async listen({ address }: { address: string }) {
    return await server.listen(address);
  },
  async state() {
    const { user, system } = process.cpuUsage();
    const { connections, runningCalls } = server;
    return { connections, runningCalls, complaints, cpuMs: (user + system) / 1000, footprint: await footprint() };
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  counts: () => ({ connections: server.connections, runningCalls: server.runningCalls }),
  async close() {
    await server.close({ graceMs: 1000 });
  },
});
