// A child process: calls over descriptor 3, waits until it is lost, and tries once more.
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { connect } from "../../src/channel.js";

const failure = (promise: Promise<unknown>): Promise<RpcError> =>
  promise.then(
    () => new RpcError(Code.Unknown, "it did not fail"),
    (error: unknown) => RpcError.from(error),
  );

const channel = connect("fd://3");
const client = createClient(EchoService, channel);
console.log(`${(await client.echo({ text: "hello" })).text} over ${channel.target}`);
const hanging = failure(client.hang({}));
await client.echo({});
console.log("ready");
const { code, reason } = await hanging;
console.log(`hang: ${code === Code.Unavailable ? "unavailable" : code} ${reason}`);
console.log(`again: ${(await failure(client.echo({}))).rawMessage}`);
await channel.close();
