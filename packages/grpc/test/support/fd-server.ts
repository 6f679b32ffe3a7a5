// A child process: serves the echo service on descriptor 3 until its standard input ends.
import { RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { serve } from "../../src/server.js";

const server = serve().service(EchoService, echoHandlers);
const said = await server.listen("fd://3").then(
  (address) => `listening on ${address}`,
  (error: unknown) => RpcError.from(error).message,
);
console.log(said);
process.stdin.resume().on("end", () => void server.close());
