// What must hold after every step of a world, and when it has come to rest. Each check names the promise (I1 to I9 of
// docs/simulator.md) that it stands for.
import type { SimCall } from "./call.js";
import type { Connection } from "./net.js";
import type { SimChannel, World } from "./world.js";

// A deadline is noticed up to one slot of the wheel (8 ms) late, and a timer takes whole milliseconds.
const deadlineSlackMs = 10;
// How long a closed connection may take to send what was written.
const lingerMs = 5000;
// A frame that carries an error, or none but its header.
const smallFrameBytes = 320;

/** Checks what must hold at any time. */
export function checkStep(world: World): void {
  const now = world.clock.now();
  // After a jump of the clock, the timers that are due have not run yet.
  const settledTime = world.clock.nextAt > now;
  for (const call of world.live) {
    checkCall(world, call, now, settledTime);
    if (call.outcome !== undefined && (call.handler === undefined || call.handler.ended !== undefined)) {
      world.live.delete(call);
    }
  }
  checkQueues(world);
  if (settledTime) checkClosing(world, now);
}

function checkCall(world: World, call: SimCall, now: number, settledTime: boolean): void {
  if (!call.settled) {
    if (call.canceledAt <= now) world.violated("I1", `call ${call.id} was canceled and goes on`);
    if (settledTime && call.deadlineAt + deadlineSlackMs < now) {
      world.violated("I4", `call ${call.id} goes on ${now - call.deadlineAt} ms after its deadline`);
    }
  }
  const { handler } = call;
  if (handler?.signal === undefined || handler.ended !== undefined || handler.signal.aborted) return;
  if (settledTime && handler.deadlineAt + deadlineSlackMs < now) {
    world.violated("I4", `the handler of call ${call.id} was not told that its time is up`);
  }
  const { serving } = world.net.connections[handler.connection] as Connection;
  if (serving.told) world.violated("I6", `the handler of call ${call.id} was not told that its connection is over`);
}

function checkQueues(world: World): void {
  const { limits } = world;
  const { link } = world.plan;
  const messageBytes = limits.messageBytes;
  const frame = messageBytes + smallFrameBytes;
  const sendBytes = Math.max(limits.sendBytes, limits.streamSendBytes);
  // Beside the one frame that goes over a bound, what is sent without asking: errors, ends, and words of leaving.
  const most = Math.min(sendBytes + world.calls.length * smallFrameBytes, limits.sendLimitBytes) + frame;
  const received = new Map<number, number>();
  for (const { client, serving, number } of world.net.connections) {
    for (const end of [client, serving]) {
      if (end.queuedBytes > most) {
        world.violated(
          "I5",
          `connection ${number}: ${end.queuedBytes} bytes wait at the ${end.name}; the most is ${most}`,
        );
      }
    }
  }
  for (const call of world.live) {
    const { handler } = call;
    if (call.queue !== undefined && !call.queue.ended) count(received, call.channel, call.queue);
    if (handler?.queue !== undefined && handler.ended === undefined) {
      count(received, 1000 + handler.connection, handler.queue);
    }
  }
  const chunk = link.immediate ? 1 << 17 : link.chunkBytes;
  const mostReceived = limits.receiveBytes + chunk * 14 + frame;
  for (const [where, bytes] of received) {
    if (bytes > mostReceived)
      world.violated("I5", `${bytes} bytes wait to be read at ${where}; the most is ${mostReceived}`);
  }
}

function count(sums: Map<number, number>, where: number, queue: { size: number; bytes: number }): void {
  sums.set(where, (sums.get(where) ?? 0) + queue.bytes + queue.size * 128);
}

function checkClosing(world: World, now: number): void {
  for (const { number, closedAt, graceMs, closed, calls, idleAt } of world.channels) {
    if (closedAt === Number.POSITIVE_INFINITY) continue;
    if (!closed && calls === 0 && now > Math.max(closedAt, idleAt, world.jumpedAt) + lingerMs + deadlineSlackMs) {
      world.violated("I9", `channel ${number} is not closed although its calls have ended`);
    }
    // What a timer that ran late begins has its own time from then on.
    const over = Math.max(closedAt + graceMs, world.jumpedAt) + deadlineSlackMs;
    if (!closed && now > over + lingerMs) world.violated("I9", `channel ${number} does not come to its end`);
    if (now <= over) continue;
    for (const call of world.live) {
      if (call.channel === number && !call.settled) world.violated("I9", `call ${call.id} outlives its channel`);
    }
  }
  for (const { number, closingAt, graceMs, closed } of world.net.servers) {
    if (!closed && now > Math.max(closingAt + graceMs, world.jumpedAt) + deadlineSlackMs) {
      world.violated("I9", `server ${number} does not come to its end`);
    }
  }
}

/** Channels on which calls wait for ever for something outside: they may use up the turns of others. Not all worlds have them. */
export function stuckChannels(world: World): ReadonlySet<number> {
  const stuck = new Set<number>();
  for (const call of world.live) if (!call.ends && !call.settled) stuck.add(call.channel);
  return stuck;
}

/** Whether nothing is under way any more that must come to an end by itself. @param but Channels that do not count. */
export function atRest(world: World, but: ReadonlySet<number>): boolean {
  for (const call of world.live) {
    if (but.has(call.channel)) continue;
    if (call.ends && !call.settled) return false;
    if (call.settled && call.handler !== undefined && call.handler.ended === undefined && !mayGoOn(world, call))
      return false;
  }
  return true;
}

/** Checks what must have ended by itself, with nothing in its way. */
export function checkRest(world: World): void {
  const stuck = stuckChannels(world);
  for (const call of world.live) {
    if (call.ends && !call.settled && !stuck.has(call.channel)) {
      world.violated("I1", `call ${call.id} (${call.script.kind}) never ends, and nothing is in its way`);
    }
    const { handler } = call;
    if (stuck.has(call.channel) || handler === undefined) continue;
    if (call.settled && handler.ended === undefined && !mayGoOn(world, call)) {
      world.violated("I6", `the handler of call ${call.id} was not told that nobody waits`);
    }
  }
}

/** Whether the handler of a call that has ended may go on: it was not to be told, or it does not listen. */
function mayGoOn(world: World, call: SimCall): boolean {
  const { obeys, end, plain } = call.script.handler;
  if (plain || end !== "never") return false;
  if (!obeys) return true;
  if (world.speaksControl(world.channels[call.channel] as SimChannel)) return false;
  // Without words for it, the server can only be told where requests are still open.
  return !call.streamsRequests || call.source === "done";
}

/** Checks that nothing is left once everything was closed. */
export function checkEnd(world: World): void {
  const { clock, net } = world;
  if (clock.timers > 0) world.violated("I6", `${clock.timers} timers are left`);
  if (world.listeners > 0) world.violated("I6", `${world.listeners} listeners are left on the callers' signals`);
  if (net.pendingDials > 0) world.violated("I6", `${net.pendingDials} attempts to connect are left`);
  for (const call of world.calls) {
    if (!call.settled) world.violated("I1", `call ${call.id} has no end`);
    if (call.streamsRequests && (call.source === "untouched" || call.source === "taken")) {
      world.violated("I6", `nobody left the requests of call ${call.id}`);
    }
  }
  for (const { client, serving, number } of net.connections) {
    if (!client.destroyed) world.violated("I6", `connection ${number} is not closed at the client`);
    if (!serving.destroyed) world.violated("I6", `connection ${number} is not closed at the server`);
  }
  for (const { number, instance } of net.servers) {
    if (instance.connections > 0) world.violated("I6", `server ${number} has ${instance.connections} connections left`);
  }
}

/** Checks that no handler is counted any more once all of them were let go. */
export function checkHandlers(world: World): void {
  for (const { number, instance } of world.net.servers) {
    if (instance.runningCalls !== 0)
      world.violated("I6", `server ${number} counts ${instance.runningCalls} running calls`);
  }
}
