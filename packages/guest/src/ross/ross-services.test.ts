// All Ross services together: an image from a layout, a container of it, and what each knows of the other.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRoss } from "@guestwire/ross";
import { Code, createInProcessChannel } from "@guestwire/rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClock } from "../clock.js";
import { errorOf } from "../guest.test.support.js";
import { openStateFolder, type StateFolder } from "../state/state-folder.js";
import { makeLayout } from "./images/layout.test.support.js";
import { createRossServices, type RossServices } from "./ross-services.js";

let parent: string;
let state: StateFolder;
let services: RossServices;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "gw-ross-"));
  state = await openStateFolder(join(parent, "state"));
  const script = { path: "app/hello", text: "#!/bin/sh\necho hello from $PWD; cat data; touch made\n", mode: 0o755 };
  await makeLayout(join(parent, "layout"), [
    {
      name: "team/hello:1",
      layers: [[{ path: "app/", type: "Directory" }, script, { path: "app/data", text: "of the image\n" }]],
      config: { Cmd: ["/app/hello"], WorkingDir: "/app", Labels: { kind: "greeting" } },
    },
  ]);
  services = await createRossServices({ folder: state, clock: createClock(), layouts: [join(parent, "layout")] });
});

afterEach(async () => {
  await services.close(0);
  state.release();
  await rm(parent, { recursive: true, force: true });
});

test("pull, create, run, remove: a container has the image's files, command and labels, and its own changes", async () => {
  const ross = openRoss(createInProcessChannel((registry) => services.register(registry)));
  const config = { image: "team/hello:1" };
  expect((await errorOf(ross.containers.createContainer({ config }))).code).toBe(Code.NotFound);
  await ross.pullImage({ imageName: "team/hello", tag: "1" }).done();
  const { id } = await ross.containers.createContainer({ name: "greeter", config });
  const { stdout, exit } = await ross.run(id).collect();
  const rootfs = join(state.path, "ross", "containers", id, "rootfs");
  expect(Buffer.from(stdout).toString()).toBe(`hello from ${rootfs}/app\nof the image\n`);
  expect(exit.code).toBe(0);
  expect(await readdir(join(rootfs, "app"))).toContain("made");
  const { container } = await ross.containers.inspectContainer({ containerId: id });
  const { images } = await ross.images.listImages({});
  expect(container).toMatchObject({ labels: { kind: "greeting" }, imageId: images[0]?.id });
  // Another container begins with what the image has.
  const { id: second } = await ross.containers.createContainer({ config });
  expect(await readdir(join(state.path, "ross", "containers", second, "rootfs", "app"))).toEqual(["data", "hello"]);
  // An image that containers use stays, unless it is forced.
  expect((await errorOf(ross.images.removeImage({ imageId: "team/hello:1" }))).code).toBe(Code.FailedPrecondition);
  for (const containerId of [id, second]) await ross.containers.removeContainer({ containerId });
  await ross.images.removeImage({ imageId: "team/hello:1" });
  expect((await errorOf(ross.containers.createContainer({ config }))).code).toBe(Code.NotFound);
});

test("a pull of what no layout has fails, through the client as an error", async () => {
  const ross = openRoss(createInProcessChannel((registry) => services.register(registry)));
  expect((await errorOf(ross.pullImage({ imageName: "team/absent" }).done())).code).toBe(Code.NotFound);
});
