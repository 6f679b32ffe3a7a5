// What handlers see and what becomes of what they give.
import { Code, createPushStream, type HandlerContext, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { failure } from "../test/support/calling.js";
import { type Serving, startServing } from "../test/support/serving.js";
import { dataFrame, echo, emptyData, requestFrame, say } from "../test/support/wire.js";

let serving: Serving | undefined;

afterEach(async () => {
  await serving?.end();
  serving = undefined;
});

function start(...given: Parameters<typeof startServing>): Serving {
  serving = startServing(...given);
  return serving;
}

describe("a handler's end", () => {
  test("by a value that cannot be sent is Internal", async () => {
    const { peer } = start({
      echo: ({ text }) => (text === "null" ? null : text === "text" ? "text" : { number: "x" }) as never,
      join: async () => undefined as never,
      async *chat() {
        yield { number: {} as never };
      },
    });
    for (const [i, text] of ["null", "text", "field"].entries())
      peer.send(requestFrame(2 * i + 1, "Echo", { payload: echo({ text }) }));
    peer.send(requestFrame(7, "Join", { flags: 6 }), requestFrame(9, "Chat", { flags: 6 }));
    const answers = (await peer.take(5)).map(say);
    const due = (what: string): string =>
      `the response of /guestwire.test.v1.EchoService/Echo cannot be sent: the handler returned ${what} where a message is due`;
    expect(answers[0]).toBe(`error 13 on 1: ${due("null")}`);
    expect(answers[1]).toBe(`error 13 on 3: ${due("string")}`);
    expect(answers[2]).toMatch(/^error 13 on 5: the response of .*Echo cannot be sent: .*number/);
    expect(answers[3]).toMatch(/^error 13 on 7: .*Join cannot be sent: the handler returned undefined/);
    expect(answers[4]).toMatch(/^error 13 on 9: .*Chat cannot be sent: .*number/);
  });

  test("by throwing anything is a status", async () => {
    const { peer } = start({
      echo: ({ text }) => {
        if (text === "error") throw new Error("plain");
        if (text === "code") throw Object.assign(new Error("no such file"), { code: "ENOENT" });
        throw text;
      },
    });
    for (const [i, text] of ["error", "code", "text"].entries())
      peer.send(requestFrame(2 * i + 1, "Echo", { payload: echo({ text }) }));
    expect((await peer.take(3)).map(say)).toEqual([
      "error 2 on 1: plain",
      "error 5 on 3: no such file",
      "error 2 on 5: text",
    ]);
  });

  test.each([undefined, null])("by throwing %s is an error all the same", async (thrown) => {
    const fail = (): never => {
      throw thrown;
    };
    const { peer, server } = start({
      echo: fail,
      inspect: async () => fail(),
      split: fail,
      async *chat() {
        yield { text: "a" };
        fail();
      },
    });
    for (const [i, name] of ["Echo", "Inspect", "Split"].entries()) peer.send(requestFrame(2 * i + 1, name));
    peer.send(requestFrame(7, "Chat", { flags: 6 }));
    expect((await peer.take(5)).map(say).sort()).toEqual([
      "data 7: a",
      `error 2 on 1: ${thrown}`,
      `error 2 on 3: ${thrown}`,
      `error 2 on 5: ${thrown}`,
      `error 2 on 7: ${thrown} was thrown`,
    ]);
    await turns();
    expect(server.runningCalls).toBe(0);
  });

  test("with an error that is too large is told without its details", async () => {
    const { peer } = start(
      {
        fail: () => {
          throw Object.assign(new Error("x".repeat(2000)));
        },
      },
      { limits: { messageBytes: 1000 } },
    );
    peer.send(requestFrame(1, "Fail"));
    expect(say(await peer.next())).toBe("error 2 on 1: the error's message and details are too large to be sent");
  });

  test("with an error is told also where messages may have a single byte", async () => {
    const { peer } = start({}, { limits: { messageBytes: 1 } });
    peer.send(requestFrame(1, "Fail"));
    expect(say(await peer.next())).toMatch(/^error 8 on 1: message length \d+ exceed maximum message size of 1$/);
    peer.send(requestFrame(1, "x".repeat(300)));
    expect(say(await peer.next())).toMatch(/^error 8 on 1: message length/);
  });

  test("by a promise of another make is awaited", async () => {
    // biome-ignore lint/suspicious/noThenProperty: this is what is tested.
    const thenable = { then: (resolve: (value: object) => void) => resolve({ text: "thenable" }) } as never;
    const { peer } = start({ echo: () => thenable });
    peer.send(requestFrame(1, "Echo"));
    expect(say(await peer.next())).toBe("response 1: thenable");
  });

  test("by a promise of another make that throws, or settles twice, ends that call alone", async () => {
    const thenables = {
      throws: () => {
        throw new Error("no promise");
      },
      twice: (resolve: (value: object) => void) => {
        resolve({ text: "one" });
        resolve({ text: "two" });
      },
    };
    const { peer, server } = start({
      // biome-ignore lint/suspicious/noThenProperty: this is what is tested.
      echo: ({ text }) => ({ then: thenables[text as keyof typeof thenables] }) as never,
    });
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "throws" }) }));
    expect(say(await peer.next())).toBe("error 2 on 1: no promise");
    peer.send(requestFrame(3, "Echo", { payload: echo({ text: "twice" }) }));
    expect(say(await peer.next())).toBe("response 3: one");
    await turns();
    expect(server.runningCalls).toBe(0);
  });

  test("by an error whose details cannot be sent ends that call alone", async () => {
    const details = [{ typeUrl: "a", value: undefined as never }];
    const { peer, server } = start({
      echo: async () => {
        throw new RpcError(Code.NotFound, "gone", { details });
      },
      fail: () => {
        throw new RpcError(Code.NotFound, "gone", { details });
      },
    });
    peer.send(requestFrame(1, "Echo"), requestFrame(3, "Fail"), requestFrame(5, "Inspect"));
    expect((await peer.take(3)).map(say).sort()).toEqual([
      "error 12 on 5: method Inspect",
      "error 5 on 1: the error's details cannot be sent",
      "error 5 on 3: the error's details cannot be sent",
    ]);
    expect(server.runningCalls).toBe(0);
  });

  test("without an iterable where a stream is due is Internal", async () => {
    const { peer } = start({ split: () => ({}) as never });
    peer.send(requestFrame(1, "Split", { flags: 1 }));
    expect(say(await peer.next())).toMatch(/^error 13 on 1: the handler of .*Split returned no iterable/);
  });

  test("before it has read its requests drops them, and they count no more", async () => {
    const { peer } = start(
      {
        async join(requests) {
          const first = await requests[Symbol.asyncIterator]().next();
          return { text: first.done ? "" : first.value.text };
        },
        chat: echoHandlers.chat,
      },
      { limits: { receiveBytes: 20_000, streamMessages: 1000 } },
    );
    const part = dataFrame(1, "x".repeat(1000));
    for (let id = 1; id < 101; id += 2) {
      peer.send(requestFrame(id, "Join", { flags: 6 }), ...Array.from({ length: 10 }, () => ({ ...part, id })));
      expect(say(await peer.next())).toMatch(new RegExp(`^response ${id}: x`));
    }
    peer.send(
      requestFrame(201, "Chat", { flags: 6 }),
      requestFrame(203, "Join", { flags: 6 }),
      dataFrame(201, "still"),
      emptyData(201, 5),
    );
    expect((await peer.take(2)).map(say)).toEqual(["data 201: still", "end 201"]);
  });
});

describe("a handler's signal", () => {
  test.each<[string, Code, (serving: Serving) => unknown]>([
    ["the deadline", Code.DeadlineExceeded, ({ clock }) => clock.elapse(1008)],
    ["the client's cancellation", Code.Canceled, ({ peer }) => peer.send(emptyData(1, 7))],
    ["a lost connection", Code.Canceled, ({ peer }) => peer.destroy()],
    ["a client that ends its side", Code.Canceled, ({ peer }) => peer.end()],
    ["bytes that are no frames", Code.Internal, ({ peer }) => peer.send("ffffffffffffffffffff")],
    [
      "the end of the server's grace",
      Code.Canceled,
      ({ server, clock }) => [server.close({ graceMs: 10 }), clock.advance(10)],
    ],
  ])("fires with %s", async (_, code, happen) => {
    const contexts: HandlerContext[] = [];
    const reasons: RpcError[] = [];
    const stuck = Promise.withResolvers<never>();
    const watch = (context: HandlerContext): Promise<never> => {
      contexts.push(context);
      context.signal.addEventListener("abort", () => reasons.push(context.signal.reason));
      return stuck.promise;
    };
    const given = start({
      echo: (_request, context) => watch(context),
      async *chat(_requests, context) {
        yield watch(context);
      },
    });
    given.peer.send(
      requestFrame(1, "Echo", { timeoutNano: 1_000_000_000n }),
      requestFrame(3, "Chat", { flags: 6, timeoutNano: 1_000_000_000n }),
    );
    await turns();
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    await happen(given);
    await turns();
    const both = !["the client's cancellation"].includes(expect.getState().currentTestName?.split("with ")[1] ?? "");
    expect(reasons.map((reason) => reason.code)).toEqual(both ? [code, code] : [code]);
    stuck.reject(new Error("late"));
    await turns();
    expect(given.server.runningCalls).toBe(0);
  });

  test("that is asked for afterwards has fired, and timeRemainingMs is 0", async () => {
    const context = Promise.withResolvers<HandlerContext>();
    const { peer, clock } = start({
      echo: (_, given) => {
        context.resolve(given);
        return new Promise(() => {});
      },
    });
    peer.send(requestFrame(1, "Echo", { timeoutNano: 5_000_000n }));
    const given = await context.promise;
    await clock.elapse(16);
    expect(say(await peer.next())).toBe("error 4 on 1: the deadline passed");
    expect([given.signal.aborted, given.timeRemainingMs()]).toEqual([true, 0]);
    expect(given.signal.reason).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test("ends what the handler gives, also where it waits for something of its own", async () => {
    const pushed = createPushStream<{ text: string }>();
    const { peer, server } = start({ split: () => pushed });
    peer.send(requestFrame(1, "Split", { flags: 1 }));
    await turns();
    expect(server.runningCalls).toBe(1);
    peer.send(emptyData(1, 7));
    await turns();
    expect(server.runningCalls).toBe(0);
    expect(await failure(pushed.push({ text: "late" }))).toMatchObject({ code: Code.Canceled });
  });
});

test("a service that was registered after listening is served", async () => {
  const { server, peer } = start({});
  server.service({ ...EchoService, typeName: "other.Service" } as typeof EchoService, echoHandlers);
  peer.send(requestFrame(1, "Echo", { service: "other.Service", payload: echo({ text: "a" }) }));
  expect(say(await peer.next())).toBe("response 1: a");
});

test("names match exactly, whatever is called before", async () => {
  const { peer } = start();
  const names = [
    "echo",
    "Echo ",
    " Echo",
    "/Echo",
    "Echo\0",
    "../Echo",
    "",
    "__proto__",
    "constructor",
    "Echo",
    "Ech",
    "EchoX",
  ];
  for (const [i, name] of names.entries()) {
    peer.send(requestFrame(2 * i + 1, name));
    const answer = say(await peer.next());
    expect(answer).toBe(name === "Echo" ? `response ${2 * i + 1}: ` : `error 12 on ${2 * i + 1}: method ${name}`);
  }
  const services = ["", "/guestwire.test.v1.EchoService", "EchoService", "__proto__", "guestwire.test.v1.echoservice"];
  for (const [i, service] of services.entries()) {
    peer.send(requestFrame(101 + 2 * i, "Echo", { service }));
    expect(say(await peer.next())).toBe(`error 12 on ${101 + 2 * i}: service ${service}`);
  }
});

test("more methods than are remembered are all found, again and again", async () => {
  const { peer } = start(echoHandlers);
  let id = -1;
  for (let round = 0; round < 3; round++) {
    for (const method of ["Echo", "Split", "Join", "Chat", "Fail", "Inspect", "Hang", "Nope", "Echo", "Inspect"]) {
      id += 2;
      peer.send(requestFrame(id, method, { flags: 1, ...(method === "Hang" && { timeoutNano: -1n }) }));
      const { id: answered, data } = await peer.next();
      expect([method, answered]).toEqual([method, id]);
      if (method === "Nope") expect(data.toString()).toContain("method Nope");
    }
  }
});
