// Calls that are canceled as soon as they were made: the server must hear of it, or of the call not at all.
import { createClient } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { echoServer, failure, fired, until } from "./server.test.support.js";

test.each([0, 1, 2, 3])("a call that is canceled %i steps after it began runs on at no end", async (steps) => {
  let begun = 0;
  await using peer = await echoServer({
    async hang(_, { signal }) {
      begun++;
      await fired(signal);
      return {};
    },
  });
  const client = createClient(EchoService, peer.channel);
  // The connection is there: the call is sent at once.
  await client.echo({});
  const control = new AbortController();
  const canceled = failure(client.hang({}, { signal: control.signal }));
  for (let step = 0; step < steps; step++) await null;
  control.abort();
  expect(await canceled).toMatchObject({ reason: "canceled" });
  // Answered on the same connection after whatever was sent of the other.
  await client.echo({});
  await until(() => peer.server.runningCalls === 0);
  expect(begun).toBeLessThanOrEqual(1);
});
