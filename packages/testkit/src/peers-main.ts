// Fetches and builds every program that tests run beside our own, so that no test waits for it: `npx -y pnpm@12 build:peers`.
import { type GoTool, goProgram, goTool, goTools } from "./go-tools.js";
import { rustArcbox, rustProgram } from "./rust-tools.js";

const wanted: [name: string, make: () => Promise<string | undefined>][] = [
  ...(Object.keys(goTools) as GoTool[]).map((name): [string, () => Promise<string | undefined>] => [
    name,
    () => goTool(name),
  ]),
  ["grpc-interop-client", () => goProgram("grpc-interop-client")],
  ["grpc-interop-server", () => goProgram("grpc-interop-server")],
  ["rust-ross", () => rustProgram("ross")],
  ["rust-arcbox", rustArcbox],
];

for (const [name, make] of wanted) {
  if ((await make()) !== undefined) console.log(`${name} is built`);
}
