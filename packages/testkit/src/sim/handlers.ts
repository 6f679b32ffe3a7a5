// The server's side of simulated calls: handlers that do what each call's script says, and note what they see.
import { Code, type HandlerContext, type Handlers, RpcError } from "@guestwire/rpc";
import type { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import type { HandlerRecord, SimCall, VisibleQueue } from "./call.js";
import { messageAt, payloadAt, type SimMessage, wrongMessage } from "./messages.js";
import type { World } from "./world.js";

interface Running {
  readonly call: SimCall;
  readonly record: HandlerRecord;
  readonly context: HandlerContext;
}

/** The handlers of one server. @param server Its number. */
export function simHandlers(world: World, server: number): Partial<Handlers<typeof EchoService>> {
  const begin = (id: string | undefined, context: HandlerContext): Running => {
    const call = world.calls[Number(id)];
    if (call === undefined) throw world.violated("I2", `a handler runs for call ${id}, which nobody made`);
    const record = world.handlerBegins(call, server, context);
    if (call.script.handler.obeys) record.signal = context.signal;
    if (call.script.metadata) {
      context.responseHeader.set("call", String(call.id));
      context.responseTrailer.set("call", String(call.id));
    }
    return { call, record, context };
  };
  return {
    echo(request, context) {
      const running = begin(request.text, context);
      checkRequest(world, running, request);
      if (running.call.script.handler.plain) return answerAtOnce(running);
      return answer(world, running);
    },
    async *split(request, context) {
      const running = begin(String(request.count), context);
      const { call } = running;
      const size = call.script.requests.sizes[0] ?? 0;
      if (!Buffer.from(request.payload).equals(payloadAt(call.id, "request", 0, size))) {
        world.violated("I2", `the request of call ${call.id} came with other bytes than were sent`);
      }
      yield* responses(world, running, undefined);
    },
    async join(requests, context) {
      const running = begin(context.metadata.get("call"), context);
      running.record.queue = requests as unknown as VisibleQueue;
      const source = requests[Symbol.asyncIterator]() as AsyncIterator<SimMessage>;
      try {
        while (await readOne(world, running, source)) {
          // Reads them all.
        }
      } catch (error) {
        running.record.ended = "failed";
        throw error;
      }
      return answer(world, running);
    },
    async *chat(requests, context) {
      const running = begin(context.metadata.get("call"), context);
      running.record.queue = requests as unknown as VisibleQueue;
      yield* responses(world, running, requests[Symbol.asyncIterator]() as AsyncIterator<SimMessage>);
    },
  };
}

async function answer(world: World, running: Running): Promise<SimMessage> {
  await rest(world, running);
  await finish(world, running);
  return give(running);
}

function answerAtOnce({ call, record }: Running): SimMessage {
  const { end } = call.script.handler;
  if (end === "error" || end === "throws") throw planned(record, end);
  record.ended = "ok";
  return give({ call, record });
}

async function* responses(
  world: World,
  running: Running,
  source: AsyncIterator<SimMessage> | undefined,
): AsyncGenerator<SimMessage, void> {
  const { call, record } = running;
  let more = source !== undefined;
  try {
    for (let i = 0; i < call.script.handler.sizes.length; i++) {
      if (more) more = await readOne(world, running, source as AsyncIterator<SimMessage>);
      await rest(world, running);
      yield give(running);
    }
    while (more) more = await readOne(world, running, source as AsyncIterator<SimMessage>);
    await finish(world, running);
  } catch (error) {
    record.ended ??= "failed";
    throw error;
  } finally {
    record.ended ??= "left";
  }
}

function give({ call, record }: Pick<Running, "call" | "record">): SimMessage {
  const place = record.given++;
  return messageAt(call.id, "response", place, call.script.handler.sizes[place] ?? 0);
}

/** Reads a request. @returns Whether to go on reading. */
async function readOne(world: World, running: Running, source: AsyncIterator<SimMessage>): Promise<boolean> {
  const { call, record } = running;
  const { readAtMost, readPauseMs } = call.script.handler;
  if (record.got >= readAtMost) return false;
  if (readPauseMs > 0) await world.sleep(readPauseMs, record.signal);
  const next = await source.next();
  if (next.done) {
    record.sawEnd = true;
    world.sawEndOfRequests(call);
    return false;
  }
  checkRequest(world, running, next.value);
  return true;
}

function checkRequest(world: World, { call, record }: Running, request: SimMessage): void {
  const place = record.got++;
  world.note("served", call.id, place);
  const many = call.streamsRequests;
  if (many && place >= call.sent) {
    world.violated("I2", `the handler of call ${call.id} got request ${place}, which nobody sent`);
    return;
  }
  const wrong = wrongMessage(request, call.id, "request", place, call.script.requests.sizes[place] ?? 0);
  if (wrong !== undefined) world.violated("I2", wrong);
}

async function rest(world: World, { call, record, context }: Running): Promise<void> {
  const { pauseMs, late } = call.script.handler;
  if (pauseMs > 0) {
    await world.sleep(pauseMs, record.signal);
    if (record.signal?.aborted) {
      record.ended = "aborted";
      throw record.signal.reason;
    }
  }
  if (late && context.metadata.get("call") !== String(call.id)) {
    world.violated("I2", `the handler of call ${call.id} sees the metadata of another one`);
  }
}

async function finish(world: World, { call, record }: Running): Promise<void> {
  const { end } = call.script.handler;
  if (end === "never") {
    await world.until(record.signal);
    record.ended = "aborted";
    throw new RpcError(Code.Aborted, "given up");
  }
  if (end !== "ok") throw planned(record, end);
  record.ended = "ok";
}

function planned(record: HandlerRecord, end: "error" | "throws"): Error {
  record.ended = end;
  return end === "error" ? new RpcError(Code.DataLoss, "planned") : new Error("planned");
}
