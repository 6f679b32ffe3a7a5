import { Code, createClient, createInProcessChannel, type Handlers, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { followLogLines, followLogs, splitLines } from "./follow-logs.js";
import { followMetrics, followTelematics } from "./follow-records.js";
import { JobService } from "./gen/joblet/job_pb.js";
import type { JobServiceClient } from "./gen/joblet/job_rpc.js";
import { waitForJob } from "./wait-for-job.js";

const reconnect = { firstDelayMs: 1, mostDelayMs: 2, giveUpMs: 60_000 };
const lost = (): RpcError => new RpcError(Code.Unavailable, "gone");

function client(handlers: Partial<Handlers<typeof JobService>>): JobServiceClient {
  return createClient(
    JobService,
    createInProcessChannel((registry) => registry.service(JobService, handlers)),
  );
}

/** Serves the output in pieces; each call but the last is cut after so many bytes. */
function logs(text: string | readonly string[], cuts: readonly number[], size = 3): JobServiceClient {
  let call = 0;
  return client({
    async *getJobLogs() {
      const bytes = Buffer.from(typeof text === "string" ? text : (text[call] ?? ""));
      const cut = cuts[call++] ?? Number.POSITIVE_INFINITY;
      for (let at = 0; at < bytes.length; at += size) {
        if (at >= cut) throw lost();
        yield { payload: bytes.subarray(at, Math.min(at + size, cut)) };
        yield { payload: new Uint8Array() };
      }
      if (cut <= bytes.length) throw lost();
    },
  });
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) {
    expect(piece.length).toBeGreaterThan(0);
    parts.push(piece);
  }
  return Buffer.concat(parts).toString();
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of source) found.push(item);
  return found;
}

async function failure(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

test("output comes without keepalives", async () => {
  expect(await textOf(followLogs(logs("hello\nworld\n", []), "u"))).toBe("hello\nworld\n");
});

describe("output goes on after the connection was lost, wherever that was", () => {
  const text = Array.from({ length: 2000 }, (_, index) => `line ${index}\n`).join("");
  const cuts = [[0], [1], [2, 5, 7], [4096], [4097, 4099], [5000, 6000, 7000], [text.length], [7000, 3000, 8000]];
  test.each(cuts)("after %j bytes", async (...at) => {
    for (const size of [1000, 7]) {
      expect((await textOf(followLogs(logs(text, at, size), "u", { reconnect }))) === text).toBe(true);
    }
  });
});

test("output that is another one when it comes again is DataLoss, as is one that ends too early", async () => {
  const changed = failure(textOf(followLogs(logs(["0123456789", "0123X56789ab"], [9]), "u", { reconnect })));
  expect(await changed).toMatchObject({ code: Code.DataLoss, rawMessage: expect.stringContaining("is another one") });
  const short = failure(textOf(followLogs(logs(["0123456789", "0123"], [9]), "u", { reconnect })));
  expect((await short).rawMessage).toContain("ended 5 bytes before what was read already");
});

test("a server that stays away is given up; other errors are not tried again", async () => {
  let calls = 0;
  const away = client({
    // biome-ignore lint/correctness/useYield: it fails before the first message.
    async *getJobLogs() {
      calls++;
      throw lost();
    },
  });
  const options = { reconnect: { firstDelayMs: 1, mostDelayMs: 1, giveUpMs: 20 } };
  expect(await failure(all(followLogs(away, "u", options)))).toMatchObject({ code: Code.Unavailable });
  expect(calls).toBeGreaterThan(1);
  calls = 0;
  expect(await failure(all(followLogs(away, "u", { reconnect: { giveUpMs: 0 } })))).toMatchObject({
    code: Code.Unavailable,
  });
  expect(calls).toBe(1);
  calls = 0;
  const unknown = client({
    // biome-ignore lint/correctness/useYield: it fails before the first message.
    async *getJobLogs() {
      calls++;
      throw new RpcError(Code.NotFound, "no");
    },
  });
  expect(await failure(all(followLogs(unknown, "u")))).toMatchObject({ code: Code.NotFound });
  expect(calls).toBe(1);
});

test("a signal ends it, also while it waits for the server to come back", async () => {
  const leaving = new AbortController();
  const away = client({
    async *getJobLogs() {
      setImmediate(() => leaving.abort(new Error("enough")));
      throw lost();
    },
  });
  const options = { signal: leaving.signal, reconnect: { firstDelayMs: 100_000, giveUpMs: 100_000 } };
  const error = await failure(all(followLogs(away, "u", options)));
  expect(error.code).toBe(Code.Canceled);
  expect(error.cause).toMatchObject({ message: "enough" });
});

test("who leaves ends the call", async () => {
  const left = Promise.withResolvers<void>();
  const endless = client({
    async *getJobLogs(_, { signal }) {
      signal.addEventListener("abort", () => left.resolve());
      for (;;) {
        yield { payload: Buffer.from("line\n") };
        await new Promise(setImmediate);
      }
    },
  });
  for await (const line of followLogLines(endless, "u")) {
    expect(line).toBe("line");
    break;
  }
  await left.promise;
});

describe("lines", () => {
  const text = "ä\r\n\nzwei 🦆 drei\n\rx\rlast";
  const expected = ["ä", "", "zwei 🦆 drei", "\rx\rlast"];
  test.each([1, 2, 3, 5, 100])("in pieces of %d bytes", async (size) => {
    expect(await all(followLogLines(logs(text, [], size), "u"))).toEqual(expected);
  });

  test("a line end at the end makes no further line; bytes that are no text are marked", async () => {
    expect(await all(splitLines([Buffer.from("a\nb\n")]))).toEqual(["a", "b"]);
    expect(await all(splitLines([Buffer.from([0x61, 0xff, 0x0a, 0xc3])]))).toEqual(["a\ufffd", "\ufffd"]);
    expect(await all(splitLines([]))).toEqual([]);
  });

  test("a long line comes in pieces, none cut inside a character", async () => {
    expect(await all(splitLines([Buffer.from("abcdefg\nab")], 3))).toEqual(["abc", "def", "g", "ab"]);
    expect(await all(splitLines([Buffer.from("ab🦆cd")], 3))).toEqual(["ab", "🦆c", "d"]);
    expect(await all(splitLines([Buffer.from("abc\n"), Buffer.from("abcd\n")], 3))).toEqual(["abc", "abc", "d"]);
  });
});

test("measurements come once each, in spite of lost connections and equal times", async () => {
  const times = [1n, 2n, 2n, 2n, 3n, 4n];
  for (const cuts of [[], [0], [1, 2], [3], [4, 4], [6]]) {
    let call = 0;
    const server = client({
      async *streamJobMetrics({ jobUuid }) {
        const cut = cuts[call++];
        for (const [index, timestamp] of times.entries()) {
          if (index === cut) throw lost();
          yield { timestamp, jobUuid, cpuPercent: index };
        }
        if (cut === times.length) throw lost();
      },
    });
    const found = await all(followMetrics(server, "u", { reconnect }));
    expect(found.map(({ cpuPercent }) => cpuPercent)).toEqual([0, 1, 2, 3, 4, 5]);
  }
});

test("a clock that goes back loses no measurement", async () => {
  const server = client({
    async *streamJobMetrics() {
      for (const timestamp of [5n, 6n, 1n, 2n]) yield { timestamp };
    },
  });
  expect(await all(followMetrics(server, "u"))).toHaveLength(4);
});

test("events are asked for by their kinds", async () => {
  const server = client({
    async *streamJobTelematics({ types }) {
      for (const type of types) yield { timestamp: 1n, type };
    },
  });
  const found = await all(followTelematics(server, "u", { types: ["exec", "connect"] }));
  expect(found.map(({ type }) => type)).toEqual(["exec", "connect"]);
});

test("a job is waited for, through lost connections and statuses that are not known", async () => {
  const answers = ["SCHEDULED", lost(), "RUNNING", "DANCING", lost(), lost(), "FAILED"];
  const server = client({
    getJobStatus({ uuid }) {
      const answer = answers.shift();
      if (answer instanceof RpcError) throw answer;
      return { uuid, status: answer ?? "", exitCode: 3 };
    },
  });
  const over = await waitForJob(server, "u", { reconnect, pollMs: 1 });
  expect(over).toMatchObject({ uuid: "u", status: "FAILED", exitCode: 3 });
  expect(answers).toEqual([]);
});

test("a wait can be left", async () => {
  const leaving = new AbortController();
  const server = client({
    getJobStatus() {
      setImmediate(() => leaving.abort());
      return { status: "RUNNING" };
    },
  });
  const error = await failure(waitForJob(server, "u", { signal: leaving.signal, pollMs: 100_000 }));
  expect(error.code).toBe(Code.Canceled);
});
