// The client of @guestwire/ross against these services, over a real socket; its terminal on a real terminal.
import { fileURLToPath } from "node:url";
import { openRoss, type RossApi } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf } from "../guest.test.support.js";
import { version } from "../version.js";
import { readAll, type TestRoss, testRoss, wires } from "./ross.test.support.js";

describe.each(wires)("over %s", (wire) => {
  let guest: TestRoss;
  let ross: RossApi;

  beforeAll(async () => {
    guest = await testRoss(wire);
    ross = openRoss(guest.channel);
  });
  afterAll(() => guest[Symbol.asyncDispose]());

  test("the daemon tells that it can work", async () => {
    expect(await ross.health()).toMatchObject({ healthy: true, version });
  });

  test("a run from start to exit, with both streams", async () => {
    const id = await guest.shell("seq 5000; echo problem >&2; exit 3");
    const { stdout, stderr, exit } = await ross.run(id).collect();
    expect(Buffer.from(stdout).toString().split("\n")).toHaveLength(5001);
    expect([Buffer.from(stderr).toString(), exit.code]).toEqual(["problem\n", 3]);
    expect((await errorOf(ross.run(id).exit)).code).toBe(Code.FailedPrecondition);
    expect((await errorOf(ross.run("nobody").exit)).code).toBe(Code.NotFound);
  });

  test("a session: size, keys, another size, exit", async () => {
    const id = await guest.shell(
      'stty size; read -r name; echo hello $name; trap "stty size; exit 6" WINCH; echo ready; while :; do sleep 0.05; done',
    );
    const session = ross.runInteractive(id, { size: { columns: 132, rows: 43 } });
    let text = "";
    for await (const { data } of session) {
      text += Buffer.from(data).toString();
      if (text.endsWith("43 132\r\n")) await session.stdin.write("you\n");
      if (text.endsWith("ready\r\n")) session.resize({ columns: 70, rows: 20 });
    }
    expect(text).toBe("43 132\r\nyou\r\nhello you\r\nready\r\n20 70\r\n");
    expect((await session.exit).code).toBe(6);
  });

  test("a terminal is joined with another: raw while it lasts, as before afterwards", async () => {
    const inner = await guest.shell('stty size; echo type; read -r line; echo "got $line"; exit 5');
    const program = fileURLToPath(new URL("attached-client.test.support.mjs", import.meta.url));
    const address = guest.channel.target;
    const outer = await guest.shell("", {
      cmd: [process.execPath, program, wire, address, inner],
      env: [`PATH=${process.env["PATH"]}`],
    });
    const session = ross.runInteractive(outer, { size: { columns: 99, rows: 33 } });
    let text = "";
    for await (const { data } of session) {
      text += Buffer.from(data).toString();
      if (/type\r+\n$/.test(text)) await session.stdin.write("keys\r");
    }
    // One echo: the outer terminal is raw, the inner one is not.
    // Node's raw mode still puts a carriage return before a line feed.
    expect(text.split(/\r+\n/)).toEqual([
      "before icanon",
      "33 99",
      "type",
      "keys",
      "got keys",
      "exit 5",
      "after icanon",
      "",
    ]);
    expect((await session.exit).code).toBe(0);
  });

  test("a terminal is as before also when the session cannot begin", async () => {
    const program = fileURLToPath(new URL("attached-client.test.support.mjs", import.meta.url));
    const args = [process.execPath, program, wire, guest.channel.target, "nobody"];
    const { stdout } = await readAll(
      guest.containers.runInteractive([
        { input: { case: "start", value: { containerId: await guest.shell("", { cmd: args }), tty: true } } },
      ]),
    );
    expect(stdout.split("\r\n")).toEqual(["before icanon", `failed ${Code.NotFound}`, "after icanon", ""]);
  });
});
