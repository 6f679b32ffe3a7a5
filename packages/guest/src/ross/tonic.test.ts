// Ross with tonic at the other end, which the real daemon and its command line are made with: our client with a daemon in Rust,
// and a client in Rust with our services.

import * as grpc from "@guestwire/grpc";
import { ImageService, openRoss } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import { runClient, rustProgram, startServer } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { testRoss } from "./ross.test.support.js";

// Where there is no cargo, this is left out; rustProgram says so.
const program = await rustProgram("ross");

if (program !== undefined) {
  describe("our client with a tonic daemon", () => {
    const open = async () => {
      const daemon = await startServer(program, ["serve"]);
      const channel = grpc.connect(`tcp://${daemon.address}`);
      return {
        ross: openRoss(channel),
        async [Symbol.asyncDispose]() {
          await channel.close();
          await daemon[Symbol.asyncDispose]();
        },
      };
    };

    test("Wait gives both streams and the exit", async () => {
      await using daemon = await open();
      const { stdout, stderr, exit } = await daemon.ross.run("c1").collect();
      expect(Buffer.from(stdout).toString()).toBe(`out of c1\n${"x".repeat(200_000)}`);
      expect(Buffer.from(stderr).toString()).toBe("err of c1\n");
      expect(exit.code).toBe(7);
    });

    test("what is told as INTERNAL has the code that is meant", async () => {
      await using daemon = await open();
      const { containers } = daemon.ross;
      await expect(containers.inspectContainer({ containerId: "c" })).rejects.toMatchObject({ code: Code.NotFound });
      await expect(daemon.ross.run("running").exit).rejects.toMatchObject({ code: Code.FailedPrecondition });
      await expect(containers.startContainer({ containerId: "c" })).rejects.toMatchObject({ code: Code.Unimplemented });
    });

    test("a pull that fails inside an OK stream is an error, after its progress", async () => {
      await using daemon = await open();
      const told: string[] = [];
      for await (const { status } of daemon.ross.pullImage({ imageName: "there", tag: "1" })) told.push(status);
      expect(told).toEqual(["Pulling", "Pull complete"]);
      const failing = daemon.ross.pullImage({ imageName: "missing", tag: "1" });
      await expect(failing.done()).rejects.toMatchObject({ rawMessage: expect.stringContaining("no image missing:1") });
    });

    test("a session takes input and sizes, and ends with the exit", async () => {
      await using daemon = await open();
      const session = daemon.ross.runInteractive("c1", { size: { columns: 80, rows: 24 } });
      const output = session[Symbol.asyncIterator]();
      const until = async (wanted: string): Promise<string> => {
        let text = "";
        while (!text.includes(wanted)) {
          const { done, value } = await output.next();
          if (done) throw new Error(`it ended before ${wanted}: ${text}`);
          text += Buffer.from(value.data).toString();
        }
        return text;
      };
      expect(await until("80x24\n")).toBe("this is c1\n80x24\n");
      await session.stdin.write(Buffer.from("typed"));
      expect(await until("TYPED")).toBe("TYPED");
      session.resize({ columns: 132, rows: 50 });
      expect(await until("132x50\n")).toBe("132x50\n");
      await session.stdin.write(Buffer.from("exit"));
      expect((await output.next()).done).toBe(true);
      expect((await session.exit).code).toBe(3);
    });
  });

  test("a tonic client with our services: pull, inspect, Wait and a session", async () => {
    await using ross = await testRoss("grpc");
    const server = grpc.serve();
    try {
      ross.services.register(server);
      // The services of tests have fixed images; a pull is only told.
      server.service(ImageService, {
        pullImage: () => [{ status: "Pulling" }, { error: "no layout has missing:1" }],
      });
      const { host } = new URL(await server.listen("tcp://127.0.0.1:0"));
      const followed = await ross.shell("echo out; echo err >&2; exit 7");
      const script = 'read line; stty size; echo "got $line"; read end; exit 3';
      const interactive = await ross.shell(script, { tty: true });
      const lines = (await runClient(program, ["drive", host, followed, interactive, "missing"])).trim().split("\n");
      const session = lines.filter((line) => line.startsWith("interactive stdout"));
      expect(lines.filter((line) => !session.includes(line))).toEqual([
        'pull "Pulling" ""',
        'pull "" "no layout has missing:1"',
        "pull ended",
        expect.stringMatching(/^inspect NotFound /),
        'wait stdout "out\\n"',
        'wait stderr "err\\n"',
        "wait exit 7",
        "interactive exit 3",
      ]);
      // In how many pieces a terminal's output comes is chance.
      const shown = session.map((line) => JSON.parse(line.slice("interactive stdout ".length)) as string).join("");
      expect(shown).toContain("30 100\r\n");
      expect(shown).toContain("got hello\r\n");
    } finally {
      await server.close({ graceMs: 0 });
    }
  });
}
