// A child process with few descriptors (`ulimit -n`): dials and accepts until there are none, lets go, and goes on. Prints
// what happened. And, where it is root, dials a socket file as somebody who may not.
import { existsSync } from "node:fs";
import { type Channel, codeName, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { connect } from "../../src/channel.js";
import { serve } from "../../src/server.js";

const [address = ""] = process.argv.slice(2);
const server = serve().service(EchoService, echoHandlers);
await server.listen(address);
const steady = connect(address);
const client = createClient(EchoService, steady);
await client.echo({});

const channels: Channel[] = [];
function dial(): Promise<string> {
  const channel = connect(address, { connectTimeoutMs: 1000 });
  channels.push(channel);
  const call = createClient(EchoService, channel).echo({ text: "in" }, { timeoutMs: 5000 });
  return call.then(({ text }) => text, named);
}
function named(error: unknown): string {
  const { code, reason, cause } = RpcError.from(error);
  return `${codeName(code)} ${reason} ${(cause as NodeJS.ErrnoException | undefined)?.code}`;
}
const outcomes: string[] = [];
// One after the other, as otherwise the dialers would take all descriptors before the server takes one; then many at once.
for (let i = 0; i < 80; i++) outcomes.push(await dial());
outcomes.push(...(await Promise.all(Array.from({ length: 80 }, dial))));
const steadily = (await client.echo({ text: "still" })).text;
await Promise.all(channels.map((channel) => channel.close()));
// The accepted ends close a few turns later.
while (server.connections > 1) await new Promise((resolve) => setImmediate(resolve));
const again = connect(address);
const after = (await createClient(EchoService, again).echo({ text: "again" })).text;
await again.close();

let denied = "not root";
if (process.getuid?.() === 0) {
  process.setegid?.(65_534);
  process.seteuid?.(65_534);
  const stranger = connect(address);
  denied = await createClient(EchoService, stranger)
    .echo({})
    .then(() => "let in", named);
  await stranger.close();
  process.seteuid?.(0);
  process.setegid?.(0);
}
await steady.close();
await server.close();
const count = (wanted: (outcome: string) => boolean): number => outcomes.filter(wanted).length;
console.log(
  JSON.stringify({
    served: count((outcome) => outcome === "in") > 5,
    failed: [...new Set(outcomes.filter((outcome) => outcome !== "in"))].sort(),
    steadily,
    after,
    denied,
    fileLeft: existsSync(address.replace("unix:", "")),
  }),
);
