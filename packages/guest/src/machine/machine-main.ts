// The program of a machine's own process: answers on descriptor 3 for as long as its guest holds the other end, and on a
// socket in its folder. Started by machine-process.ts in that folder, with the machine's name, root file system and scope.
import { rmSync } from "node:fs";
import { createServer, Socket } from "node:net";
import { AgentService } from "@guestwire/agent";
import { MachineService } from "@guestwire/machine";
import { serve } from "@guestwire/ttrpc";
import { createAgentBasics } from "../agent/agent-service.js";
import { createClock } from "../clock.js";
import { machineGraceMs } from "../limits.js";
import type { GuestProcess } from "../process/process.js";
import { killScope } from "../process/scope.js";
import { endCommand, execInMachine, type MachinePlace } from "./machine-exec.js";
import { socketName } from "./machine-folder.js";

const [name, rootfs, scope] = process.argv.slice(2) as [string, string, string];
const clock = createClock();
const place: MachinePlace = { name, rootfs, scope, clock, running: new Set<GuestProcess>() };

const server = serve()
  .service(AgentService, createAgentBasics(clock))
  .service(MachineService, { exec: (request, context) => execInMachine(place, request, context.signal) });

let ending: Promise<void> | undefined;

/** Ends all commands, then this process. */
function end(graceMs: number): Promise<void> {
  ending ??= (async () => {
    await Promise.all([...place.running].map((command) => endCommand(command, graceMs)));
    await killScope(scope);
    // Whoever waits for a command is told how it ended.
    await server.close({ graceMs: 1000 });
    process.exit(0);
  })();
  return ending;
}

process.on("SIGTERM", () => void end(machineGraceMs));
// A terminal's signals are for the guest, which ends its machines in order.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});

// Every command comes on a connection of its own, so that a slow reader of one holds up nothing else. The path is relative
// as long ones do not fit into a socket's address; the guest's folders are private.
rmSync(socketName, { force: true });
const commands = createServer((connection) => server.attach(connection));
commands.listen(socketName);

const socket = new Socket({ fd: 3 });
// Without its guest nobody could reach or end the machine.
socket.once("close", () => void end(0));
server.attach(socket, { kind: "fd", address: "fd://3" });
