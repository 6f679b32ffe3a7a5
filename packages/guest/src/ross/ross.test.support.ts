// Ross services of a test's own: on a real unix socket, in a folder that is gone at the end together with every process.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@guestwire/grpc";
import { type ContainerConfigSchema, ContainerService, type HostConfigSchema, type OutputData } from "@guestwire/ross";
import { type Channel, type Client, createClient } from "@guestwire/rpc";
import * as ttrpc from "@guestwire/ttrpc";
import { createClock } from "../clock.js";
import { processesOf } from "../process/scope.js";
import { openStateFolder } from "../state/state-folder.js";
import { fixedImages, type ImageLookup } from "./image-lookup.js";
import { createRossServices, type RossServices } from "./ross-services.js";

/** The image of the tests: whatever the host has. */
export const image = "host:latest";
export const imageId: string = `sha256:${"0".repeat(64)}`;

type ContainerInit = Exclude<MessageInitShape<typeof ContainerConfigSchema>, { $typeName: string }>;

/** Open services, and ways to them. */
export interface TestRoss extends AsyncDisposable {
  readonly channel: Channel;
  readonly containers: Client<typeof ContainerService>;
  readonly services: RossServices;
  /** The state folder. */
  readonly path: string;
  /** Makes a container of a shell script. */
  shell(script: string, config?: ContainerInit, host?: MessageInitShape<typeof HostConfigSchema>): Promise<string>;
  /** Closes the services and opens others on the same folder. */
  reopen(): Promise<TestRoss>;
}

/** What calls are carried by. */
export type Wire = "ttrpc" | "grpc";
export const wires: readonly Wire[] = ["ttrpc", "grpc"];

/** Opens them. */
export async function testRoss(
  wire: Wire = "ttrpc",
  folder?: string,
  images: ImageLookup = testImages(),
): Promise<TestRoss> {
  const { connect, serve } = wire === "grpc" ? grpc : ttrpc;
  const parent = folder ?? (await mkdtemp(join(tmpdir(), "gw-ross-")));
  const state = await openStateFolder(join(parent, "state"));
  const services = await createRossServices({ folder: state, clock: createClock(), images });
  const server = serve();
  services.register(server);
  const address = await server.listen(`unix://${join(parent, "ross.sock")}`);
  const channel = connect(address);
  const containers = createClient(ContainerService, channel);
  let over = false;
  const end = async (): Promise<void> => {
    if (over) return;
    over = true;
    await services.close(0);
    await channel.close();
    await server.close({ graceMs: 0 });
    const left = processesOf(state.token);
    state.release();
    if (left.length > 0) throw new Error(`processes were left behind: ${left}`);
  };
  return {
    channel,
    containers,
    services,
    path: state.path,
    async shell(script, config = {}, host) {
      const { id } = await containers.createContainer({
        config: { image, cmd: ["sh", "-c", script], ...config },
        ...(host !== undefined && { hostConfig: host }),
      });
      return id;
    },
    async reopen() {
      await end();
      return testRoss(wire, parent, images);
    },
    async [Symbol.asyncDispose]() {
      await end();
      await rm(parent, { recursive: true, force: true });
    },
  };
}

function testImages(): ImageLookup {
  const config = { env: ["FROM_IMAGE=yes", `PATH=${process.env["PATH"]}`], cmd: ["echo", "the image's command"] };
  return fixedImages({ [image]: { id: imageId, config } });
}

type Item = {
  output: { case: "data"; value: OutputData } | { case: "exit"; value: { statusCode: bigint } } | { case: undefined };
};

/** Everything of a followed run. */
export async function readAll(
  items: AsyncIterable<unknown>,
): Promise<{ stdout: string; stderr: string; code: number | undefined }> {
  const parts: Record<string, Buffer[]> = { stdout: [], stderr: [] };
  let code: number | undefined;
  for await (const { output } of items as AsyncIterable<Item>) {
    if (output.case === "data") parts[output.value.stream]?.push(Buffer.from(output.value.data));
    else if (output.case === "exit") code = Number(output.value.statusCode);
  }
  const text = (stream: string): string => Buffer.concat(parts[stream] ?? []).toString();
  return { stdout: text("stdout"), stderr: text("stderr"), code };
}

/** Reads items until their text contains this. @returns All text so far. */
export async function readUntil(items: AsyncIterator<unknown>, wanted: string | RegExp): Promise<string> {
  let text = "";
  for (;;) {
    if (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text)) return text;
    const { done, value } = await items.next();
    if (done) throw new Error(`the stream ended before ${wanted}: ${JSON.stringify(text)}`);
    const item = value as Item & { data?: Uint8Array; message?: string };
    const data = item.output?.case === "data" ? item.output.value.data : (item.data ?? Buffer.from(item.message ?? ""));
    text += Buffer.from(data).toString();
  }
}

/** All items of a stream. @param make What to make of each. */
export async function gather<T, U = T>(
  items: AsyncIterable<T>,
  make: (item: T) => U = (item) => item as never,
): Promise<U[]> {
  const found: U[] = [];
  for await (const item of items) found.push(make(item));
  return found;
}
