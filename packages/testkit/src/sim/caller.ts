// The caller's side of a simulated call: makes it as a user would, through a client of the real channel, and notes what came.
import { type CallOptions, type Client, RpcError } from "@guestwire/rpc";
import type { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import type { SimCall, VisibleQueue } from "./call.js";
import { messageAt, payloadAt, type SimMessage, wrongMessage } from "./messages.js";
import type { World } from "./world.js";

type Responses = AsyncIterableIterator<SimMessage, unknown, unknown>;

/** Makes a call; returns at once. */
export function makeCall(world: World, call: SimCall, client: Client<typeof EchoService>): void {
  const options = optionsOf(world, call);
  const { kind, requests } = call.script;
  const size = requests.sizes[0] ?? 0;
  if (kind === "echo") {
    void single(world, call, client.echo(messageAt(call.id, "request", 0, size), options));
  } else if (kind === "join") {
    void single(world, call, client.join(requestSource(world, call), options));
  } else {
    const responses =
      kind === "split"
        ? client.split({ count: call.id, payload: payloadAt(call.id, "request", 0, size) }, options)
        : client.chat(requestSource(world, call), options);
    call.queue = responses as unknown as VisibleQueue;
    void read(world, call, responses as unknown as Responses);
  }
}

function optionsOf(world: World, call: SimCall): CallOptions {
  const { timeoutMs, cancelAfterMs, sharedSignal } = call.script;
  const options: { -readonly [K in keyof CallOptions]: CallOptions[K] } = { metadata: { call: String(call.id) } };
  if (call.script.metadata) {
    options.onHeader = (header) => checkMetadata(world, call, "header", ++call.headers, header.get("call"));
    options.onTrailer = (trailer) => checkMetadata(world, call, "trailer", ++call.trailers, trailer.get("call"));
  }
  if (timeoutMs !== undefined) options.timeoutMs = timeoutMs;
  if (sharedSignal) options.signal = world.sharedSignal;
  if (cancelAfterMs !== undefined) {
    const control = new AbortController();
    options.signal = control.signal;
    world.ownSignals.push(control.signal);
    const cancel = (): void => {
      call.canceledAt = world.clock.now();
      world.note("cancel", call.id);
      control.abort(new Error("planned"));
    };
    if (cancelAfterMs === 0) cancel();
    else world.clock.happen(cancelAfterMs, cancel);
  }
  return options;
}

function checkMetadata(world: World, call: SimCall, what: string, times: number, value: string | undefined): void {
  world.note(what, call.id);
  if (times > 1) world.violated("I2", `the ${what} of call ${call.id} came twice`);
  if (call.settled) world.violated("I1", `the ${what} of call ${call.id} came after its end`);
  if (value !== undefined && value !== String(call.id))
    world.violated("I2", `call ${call.id} got the ${what} of ${value}`);
}

async function single(world: World, call: SimCall, response: Promise<SimMessage>): Promise<void> {
  try {
    check(world, call, await response);
    world.ended(call, { is: "ok" });
  } catch (error) {
    world.ended(call, { is: "error", error: RpcError.from(error) });
  }
}

async function read(world: World, call: SimCall, responses: Responses): Promise<void> {
  const { startMs, pauseMs, leaveAfter } = call.script.reader;
  try {
    if (startMs > 0) await world.sleep(startMs);
    for (;;) {
      if (call.received >= leaveAfter) {
        call.leftAt = world.clock.now();
        await responses.return?.();
        return world.ended(call, { is: "left" });
      }
      if (pauseMs > 0) await world.sleep(pauseMs);
      const next = await responses.next();
      if (next.done) return world.ended(call, { is: "ok" });
      check(world, call, next.value);
    }
  } catch (error) {
    world.ended(call, { is: "error", error: RpcError.from(error) });
  }
}

function check(world: World, call: SimCall, message: SimMessage): void {
  const place = call.received++;
  world.note("received", call.id, place);
  const size = call.script.handler.sizes[place];
  if (call.handler === undefined || place >= call.handler.given) {
    world.violated("I2", `call ${call.id} got a response that no handler gave`);
    return;
  }
  const wrong = wrongMessage(message, call.id, "response", place, size ?? 0);
  if (wrong !== undefined) world.violated("I2", wrong);
}

/** The requests of a call, as an iterable that notes what becomes of it. */
function requestSource(world: World, call: SimCall): AsyncIterable<SimMessage> | Iterable<SimMessage> {
  const { sizes, pauseMs, end, plain } = call.script.requests;
  const finished = { done: true, value: undefined } as const;
  const take = (): IteratorResult<SimMessage, undefined> | undefined => {
    if (call.source === "left") return finished;
    const place = call.sent;
    if (place < sizes.length) {
      call.sent++;
      return { done: false, value: messageAt(call.id, "request", place, sizes[place] as number) };
    }
    if (end === "never" && !plain) return undefined;
    call.source = end === "throws" ? "thrown" : "done";
    if (end === "throws") throw new Error("planned");
    return finished;
  };
  const leave = (): IteratorReturnResult<undefined> => {
    if (call.source === "untouched" || call.source === "taken") call.source = "left";
    return finished;
  };
  const begin = (): void => {
    if (call.source === "untouched") call.source = "taken";
  };
  if (plain) {
    return {
      [Symbol.iterator]: () => {
        begin();
        return { next: () => take() ?? finished, return: leave };
      },
    };
  }
  return {
    [Symbol.asyncIterator]: () => {
      begin();
      return {
        async next() {
          if (pauseMs > 0) await world.sleep(pauseMs);
          return take() ?? (await world.never);
        },
        return: async () => leave(),
      };
    },
  };
}
