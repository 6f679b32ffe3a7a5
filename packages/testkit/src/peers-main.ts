// Fetches and builds every program that tests run beside our own, so that no test waits for it: `npx -y pnpm@12 build:peers`.
import { fetchContainerPrograms } from "./containerd/programs.js";
import { type GoTool, goProgram, goTool, goTools } from "./go-tools.js";
import { programOptions } from "./program-options.js";
import { rustArcbox, rustProgram } from "./rust-tools.js";

programOptions(
  "usage: build:peers\n\nfetches and builds every program that tests run beside our own; takes no options",
  {},
);

const wanted: [name: string, make: () => Promise<string | undefined>][] = [
  ...(Object.keys(goTools) as GoTool[]).map((name): [string, () => Promise<string | undefined>] => [
    name,
    () => goTool(name),
  ]),
  ["grpc-interop-client", () => goProgram("grpc-interop-client")],
  ["grpc-interop-server", () => goProgram("grpc-interop-server")],
  ["ttrpc-peer 1.2.10", () => goProgram("ttrpc-peer")],
  ["ttrpc-peer 1.2.4", () => goProgram("ttrpc-peer", { modfile: "ttrpc-1.2.4.mod" })],
  ["ttrpc-peer 1.1.2", () => goProgram(".", { module: "go-ttrpc-1.1" })],
  ["containerd", async () => (await fetchContainerPrograms()).at(-1)?.containerd],
  ["go-nri", () => goProgram(".", { module: "go-nri" })],
  ["go-guest spinbox", () => goProgram("spinbox", { module: "go-guest" })],
  ["go-guest containerd", () => goProgram("containerd", { module: "go-guest" })],
  ["rust-ross", () => rustProgram("ross")],
  ["rust-arcbox", rustArcbox],
  ["rust-ttrpc", () => rustProgram("ttrpc")],
];

for (const [name, make] of wanted) {
  if ((await make()) !== undefined) console.log(`${name} is there`);
}
