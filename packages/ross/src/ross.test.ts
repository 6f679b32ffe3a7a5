import { Code, createInProcessChannel, createPushStream, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import {
  ContainerService,
  type ContainerServiceHandler,
  ImageService,
  type ImageServiceHandler,
  openRoss,
  Ross,
  type RossApi,
  rossError,
  rossMessageBytes,
} from "./index.js";

/** A daemon with these habits. */
function daemon(containers: Partial<ContainerServiceHandler>, images: Partial<ImageServiceHandler> = {}): RossApi {
  return openRoss(
    createInProcessChannel((router) => {
      router
        .service(ContainerService, containers)
        .service(ImageService, images)
        .service(Ross, { healthCheck: () => ({ healthy: true, version: "1" }) });
    }),
  );
}

async function failure(work: () => unknown): Promise<RpcError> {
  try {
    await work();
  } catch (error) {
    return error as RpcError;
  }
  throw new Error("it did not fail");
}

const data = (stream: string, text: string) => ({
  output: { case: "data" as const, value: { stream, data: Buffer.from(text) } },
});
const exit = (statusCode: number, error?: string) => ({
  output: {
    case: "exit" as const,
    value: { statusCode: BigInt(statusCode), ...(error !== undefined && { error: { message: error } }) },
  },
});
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
const text = async (pieces: AsyncIterable<Uint8Array>) => Buffer.concat(await all(pieces)).toString();

const mixed: Partial<ContainerServiceHandler> = {
  async *wait() {
    yield data("stdout", "one ");
    yield data("stderr", "problem");
    yield { output: { case: undefined } };
    yield data("stdout", "two");
    yield exit(3);
  },
};

test("a run is read as a whole", async () => {
  const run = daemon(mixed).run("c");
  const pieces: string[] = [];
  for await (const piece of run) pieces.push(`${piece.stream} ${Buffer.from(piece.data)}`);
  expect(pieces).toEqual(["stdout one ", "stderr problem", "stdout two"]);
  expect(await run.exit).toEqual({ code: 3, error: undefined });
});

test("a run is read stream by stream, or collected, or only awaited", async () => {
  const both = daemon(mixed).run("c");
  expect(await Promise.all([text(both.stdout), text(both.stderr), both.exit])).toEqual([
    "one two",
    "problem",
    { code: 3, error: undefined },
  ]);
  const one = daemon(mixed).run("c");
  expect(await text(one.stdout)).toBe("one two");
  expect((await one.exit).code).toBe(3);
  const collected = await daemon(mixed).run("c").collect();
  expect([Buffer.from(collected.stdout), Buffer.from(collected.stderr)].map(String)).toEqual(["one two", "problem"]);
  expect((await daemon(mixed).run("c").exit).code).toBe(3);
  expect((await failure(() => daemon(mixed).run("c").collect({ maxBytes: 5 }))).code).toBe(Code.ResourceExhausted);
});

test("a stream that is not read makes the other one wait, and is there in full later", async () => {
  let sent = 0;
  const ross = daemon({
    async *wait() {
      for (; sent < 2000; sent++) yield data("stderr", "e");
      yield data("stdout", "o");
      yield exit(0);
    },
  });
  const run = ross.run("c");
  const { stdout, stderr } = run;
  const first = text(stdout);
  await expect.poll(() => sent).toBeGreaterThan(255);
  expect(sent).toBeLessThan(400);
  expect((await text(stderr)).length).toBe(2000);
  expect(await first).toBe("o");
});

test("a run is read in one way only", async () => {
  const run = daemon(mixed).run("c");
  void run.stdout;
  expect((await failure(() => run.collect())).code).toBe(Code.FailedPrecondition);
});

test("leaving a run ends the call, and the exit says so", async () => {
  const left = Promise.withResolvers<void>();
  const ross = daemon({
    async *wait(_, { signal }) {
      signal.addEventListener("abort", () => left.resolve());
      for (;;) yield data("stdout", "more");
    },
  });
  const run = ross.run("c");
  for await (const _ of run) break;
  await left.promise;
  expect((await failure(() => run.exit)).code).toBe(Code.Canceled);
  const other = ross.run("c");
  for await (const _ of other.stdout) break;
  expect((await failure(() => other.exit)).code).toBe(Code.Canceled);
});

test("an end that was not observed is in the exit; a stream without an exit is an error", async () => {
  const ross = daemon({
    async *wait({ containerId }) {
      if (containerId === "lost") yield exit(0, "the shim went away");
    },
  });
  expect(await ross.run("lost").exit).toEqual({ code: 0, error: "the shim went away" });
  expect((await failure(() => ross.run("cut").exit)).rawMessage).toContain("without telling the container's exit");
});

test("a failed call is heard by every reader of the run", async () => {
  const ross = daemon({
    // biome-ignore lint/correctness/useYield: it fails before the first item.
    async *wait() {
      throw new RpcError(Code.Internal, "shim error: container not found: c");
    },
  });
  const run = ross.run("c");
  const codes = await Promise.all(
    [text(run.stdout), text(run.stderr), run.exit].map((read) => failure(() => read).then(({ code }) => code)),
  );
  expect(codes).toEqual([Code.NotFound, Code.NotFound, Code.NotFound]);
});

test("INTERNAL becomes what the daemon means, with the original as the cause", () => {
  const meant = (message: string) => rossError(new RpcError(Code.Internal, message)).code;
  expect(meant("shim error: container not found: abc")).toBe(Code.NotFound);
  expect(meant("Image not found: alpine")).toBe(Code.NotFound);
  expect(meant("no such exec instance: 1")).toBe(Code.NotFound);
  expect(meant("Invalid state: expected created, actual running")).toBe(Code.FailedPrecondition);
  expect(meant("shim error: container x is not running")).toBe(Code.FailedPrecondition);
  expect(meant("snapshot already exists: k")).toBe(Code.AlreadyExists);
  for (const real of ["disk full", "file not found in the layer's archive: broken", "lookup failed"]) {
    expect(meant(real)).toBe(Code.Internal);
  }
  const original = new RpcError(Code.Internal, "container not found: x", { peer: "p", method: "/m" });
  expect(rossError(original)).toMatchObject({
    cause: original,
    peer: "p",
    method: "/m",
    rawMessage: original.rawMessage,
  });
  const other = new RpcError(Code.Unavailable, "container not found");
  expect(rossError(other)).toBe(other);
});

test("unary calls get the mended codes too", async () => {
  const ross = daemon({
    inspectContainer() {
      throw new RpcError(Code.Internal, "shim error: container not found: x");
    },
  });
  expect((await failure(() => ross.containers.inspectContainer({ containerId: "x" }))).code).toBe(Code.NotFound);
  expect(await ross.health()).toMatchObject({ healthy: true });
});

test("missing ids and messages that are too large are refused before they are sent", async () => {
  let calls = 0;
  const ross = daemon(
    {
      stopContainer: () => {
        calls++;
        return {};
      },
      createContainer: () => {
        calls++;
        return {};
      },
      attach() {
        calls++;
        return [];
      },
    },
    {
      pullImage() {
        calls++;
        return [];
      },
    },
  );
  const refused = [
    [() => ross.containers.stopContainer({}), "container_id"],
    [() => ross.images.searchImages({}), "term"],
    [() => ross.images.tagImage({ sourceImage: "a" }), "repository"],
    [() => ross.containers.rename({ containerId: "a" }), "new_name"],
    [() => ross.containers.execStart({}).next(), "exec_id"],
    [() => ross.pullImage({}).done(), "image_name"],
    [() => ross.containers.attach([{}]).next(), "container_id"],
    [() => ross.run(""), "container_id"],
    [() => ross.runInteractive(""), "container_id"],
  ] as const;
  for (const [call, field] of refused) {
    expect(await failure(call)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: `${field}: must not be empty`,
    });
  }
  const large = { config: { image: "i", cmd: ["x".repeat(rossMessageBytes)] } };
  expect(await failure(() => ross.containers.createContainer(large))).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "oversize",
    rawMessage: expect.stringMatching(/^the CreateContainerRequest has 41943\d\d bytes; .* at most 4194304$/),
  });
  // The streaming call that was refused for its first message was begun by then.
  expect(calls).toBeLessThanOrEqual(1);
  await ross.containers.stopContainer({ containerId: "a" });
  const inputs = createPushStream<{ containerId?: string; input?: Uint8Array }>();
  await inputs.push({ containerId: "a" });
  await inputs.push({ input: Buffer.from("later ones need no id") });
  inputs.end();
  expect(await all(ross.containers.attach(inputs))).toEqual([]);
});

test("a failed pull is an error although the call ends well; others are progress", async () => {
  const ross = daemon(
    {},
    {
      async *pullImage({ imageName }) {
        yield { status: "Resolving", id: imageName };
        if (imageName !== "good") yield { error: `manifest unknown: ${imageName} not found` };
        if (imageName === "good") yield { status: "Done" };
      },
      async *buildImage() {
        yield { error: "step 3 failed" };
      },
    },
  );
  const seen = (await all(ross.pullImage({ imageName: "good" }))).map(({ status }) => status);
  expect(seen).toEqual(["Resolving", "Done"]);
  await ross.pullImage({ imageName: "good" }).done();
  expect(await failure(() => ross.pullImage({ imageName: "gone", tag: "1" }).done())).toMatchObject({
    code: Code.NotFound,
    rawMessage: "pulling gone:1 failed: manifest unknown: gone not found",
  });
  expect((await failure(() => ross.buildImage({}).done())).code).toBe(Code.Unknown);
});

test("a session sends the start, the size, then the input in pieces", async () => {
  const got: string[] = [];
  const ross = daemon({
    async *runInteractive(inputs) {
      for await (const { input } of inputs) {
        if (input.case === "start") got.push(`start ${input.value.containerId} ${input.value.tty}`);
        if (input.case === "resize") got.push(`resize ${input.value.width}x${input.value.height}`);
        if (input.case === "stdin") got.push(`stdin ${input.value.length}`);
      }
      yield data("stdout", "bye");
      yield exit(0);
    },
  });
  const session = ross.runInteractive("c", { size: { columns: 132, rows: 43 } });
  session.resize({ columns: 80, rows: 24 });
  await session.stdin.write("hé\n");
  await session.stdin.write(new Uint8Array(100_000));
  session.stdin.end();
  expect((await failure(() => session.stdin.write("x"))).code).toBe(Code.FailedPrecondition);
  expect(await text(session.stdout)).toBe("bye");
  expect((await session.exit).code).toBe(0);
  expect(got).toEqual(["start c true", "resize 132x43", "resize 80x24", "stdin 4", "stdin 65536", "stdin 34464"]);
  expect((await failure(() => session.stdin.write("x"))).code).toBe(Code.Canceled);
  for (const size of [
    { columns: 0, rows: 1 },
    { columns: 1, rows: 65_536 },
    { columns: 1.5, rows: 1 },
  ]) {
    expect((await failure(() => session.resize(size))).code).toBe(Code.InvalidArgument);
  }
});

test("a session that ends without an exit is an error that says what that means", async () => {
  const ross = daemon({ runInteractive: () => [] });
  const error = await failure(() => ross.runInteractive("c").exit);
  expect(error.code).toBe(Code.Unknown);
  expect(error.rawMessage).toMatch(/ended without an exit.*unknown, is not in state created, or cannot be run/);
});
