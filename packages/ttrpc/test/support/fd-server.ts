// A child process: serves the echo service on descriptor 3 until its standard input ends.
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { serve } from "../../src/server.js";

const server = serve().service(EchoService, echoHandlers);
console.log(`listening on ${await server.listen("fd://3")}`);
process.stdin.resume().on("end", () => void server.close());
