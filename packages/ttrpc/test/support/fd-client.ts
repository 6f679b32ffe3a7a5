// A child process: calls the echo service over descriptor 3, twice; the second time the connection is gone.
import { codeName, createClient, RpcError } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { connect } from "../../src/channel.js";

const channel = connect("fd://3");
const client = createClient(EchoService, channel);
console.log((await client.echo({ text: "hello" })).text);
// Ends with the connection.
await client.hang({}).catch(() => {});
console.log(
  await client.echo({}).then(
    ({ text }) => text,
    (error: unknown) => codeName(RpcError.from(error).code),
  ),
);
await channel.close();
