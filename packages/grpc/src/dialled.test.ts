// How grpc-js is handed sockets: that it asks for them where it is looked for, and that channels of others do not notice.
import type { Channel as GrpcChannel } from "@grpc/grpc-js";
import { createClient } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "./channel.js";
import type { Sockets } from "./client-credentials.js";
import { openDialled } from "./dialled.js";
import { machine } from "./machine.test.support.js";
import { echoServer } from "./server.test.support.js";

test("a version of grpc-js that is made in another way is refused, not tried", () => {
  for (const other of [{}, { internalChannel: {} }, { internalChannel: { subchannelPool: {} } }]) {
    const attempt = (): void => openDialled(other as unknown as GrpcChannel, {} as Sockets);
    expect(attempt).toThrow(/\[internal\] this version of @grpc\/grpc-js makes its connections elsewhere/);
  }
});

test("channels that share grpc-js' pool of connections keep to their own addresses", async () => {
  await using guest = await machine({ echo: () => ({ text: "guest" }) });
  await using other = await echoServer({ echo: () => ({ text: "other" }) });
  const channelOptions = { "grpc.use_local_subchannel_pool": 0 };
  for (let round = 0; round < 2; round++) {
    await using one = connect(guest.address, { channelOptions });
    await using two = connect(other.address, { channelOptions });
    await using three = connect([other.address, guest.address], { channelOptions, loadBalancing: "pick_first" });
    const texts = await Promise.all([one, two, three].map((channel) => createClient(EchoService, channel).echo({})));
    expect(texts.map(({ text }) => text)).toEqual(["guest", "other", "other"]);
  }
});
