// A child process: makes one call to the address in its argument, and ends without a word to its channel.
import { createClient } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { connect } from "../../src/channel.js";

const channel = connect(process.argv[2] as string);
console.log((await createClient(EchoService, channel).echo({ text: "done" })).text);
