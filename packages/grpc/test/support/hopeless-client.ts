// A child process: calls the address in its argument with waitForReady and without, each time without a deadline, and
// prints how that ended. It has neither the package for vsock nor permission for anything.
import { registerHooks } from "node:module";
import { createClient, RpcError } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { connect } from "../../src/channel.js";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "@guestwire/vsock") return next(specifier, context);
    throw Object.assign(new Error("it is not installed"), { code: "ERR_MODULE_NOT_FOUND" });
  },
});
// Root may do everything.
if (process.geteuid?.() === 0) process.seteuid?.(65534);

const outcomes: unknown[] = [];
for (const waitForReady of [true, false]) {
  const channel = connect(process.argv[2] as string, { waitForReady, retries: true });
  const client = createClient(EchoService, channel);
  for (let i = 0; i < 2; i++) {
    const { code, reason, rawMessage, cause } = await client
      .echo({})
      .then(() => new RpcError("ok" as never, ""), RpcError.from);
    outcomes.push({ code, reason, rawMessage, cause: (cause as { code?: unknown } | undefined)?.code });
  }
  await channel.close();
}
console.log(JSON.stringify(outcomes));
