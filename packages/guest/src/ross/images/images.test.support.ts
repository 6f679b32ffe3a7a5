// Image and snapshot services of a test's own, over layouts that it makes, in a folder that is gone at the end.
import { mkdir } from "node:fs/promises";
import { ImageService, type PullImageProgress, SnapshotterService } from "@guestwire/ross";
import { type Client, createClient, createInProcessChannel } from "@guestwire/rpc";
import { type TempFolder, tempFolder } from "@guestwire/testkit";
import { createClock } from "../../clock.js";
import { type Images, openImages } from "./images.js";
import type { TestEntry, TestImage } from "./layout.test.support.js";

/** Open services. */
export interface TestImages extends AsyncDisposable {
  readonly folder: TempFolder;
  images: Images;
  client: Client<typeof ImageService>;
  snapshots: Client<typeof SnapshotterService>;
  /** Ids of the containers that use every image. */
  users: string[];
  /** Opens everything anew, with the layouts of these names in the folder. */
  open(...layouts: string[]): Promise<void>;
  /** Pulls an image and gives all reports. */
  pull(imageName: string, tag?: string): Promise<PullImageProgress[]>;
  /** Pulls an image and gives the error of the last report; empty when it worked. */
  failureOf(imageName: string, tag?: string): Promise<string>;
}

/** Opens them without layouts. */
export async function testImages(): Promise<TestImages> {
  const folder = await tempFolder();
  await mkdir(folder.file("scratch"));
  const made = {
    folder,
    users: [] as string[],
    async open(...layouts: string[]) {
      const paths = layouts.map((name) => folder.file(name));
      const home = { folder: folder.file("ross"), scratch: folder.file("scratch"), clock: createClock() };
      made.images = await openImages({ ...home, layouts: paths });
      const users = { containersOf: () => made.users };
      const channel = createInProcessChannel((registry) => made.images.register(registry, users));
      made.client = createClient(ImageService, channel);
      made.snapshots = createClient(SnapshotterService, channel);
    },
    async pull(imageName: string, tag = "") {
      const reports: PullImageProgress[] = [];
      for await (const report of made.client.pullImage({ imageName, tag })) reports.push(report);
      return reports;
    },
    failureOf: async (imageName: string, tag = "") => (await made.pull(imageName, tag)).at(-1)?.error ?? "",
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  } as TestImages;
  await made.open();
  return made;
}

/** A layer with some files. */
export const base: readonly TestEntry[] = [
  { path: "bin/", type: "Directory" as const },
  { path: "bin/tool", text: "tool", mode: 0o755 },
  { path: "etc/", type: "Directory" as const },
  { path: "etc/a", text: "a" },
  { path: "etc/b", text: "b" },
  { path: "old/", type: "Directory" as const },
  { path: "old/x", text: "x" },
];
/** A layer that removes and replaces some of them. */
export const changes: readonly TestEntry[] = [
  { path: "etc/", type: "Directory" as const },
  { path: "etc/.wh.a", text: "" },
  { path: "etc/b", text: "new b" },
  { path: "old/", type: "Directory" as const },
  { path: "old/y", text: "y" },
  { path: "old/.wh..wh..opq", text: "" },
];
/** An image of both. */
export const tool: TestImage = {
  name: "registry.example:5000/team/tool:1.0",
  layers: [base, changes],
  config: { Env: ["A=1"], Cmd: ["/bin/tool"], WorkingDir: "/etc", Labels: { "org.example.kind": "tool" } },
  created: "2026-01-02T03:04:05Z",
};
