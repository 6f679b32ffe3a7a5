// What users install: packed as for publishing, checked, installed into an empty project, and used on every Node.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installProject, type PublicPackage, packAll, root } from "./support/installed-project.ts";
import { type NodeLine, nodeBinary, supportedNodes } from "./support/node-versions.ts";
import { type Running, run, start } from "./support/run.ts";

const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const lines = Object.keys(supportedNodes).map(Number) as NodeLine[];

let tarballs: string;
let packages: PublicPackage[];
let project: string;
let guest: Running;
let address: string;

beforeAll(async () => {
  tarballs = await mkdtemp(join(tmpdir(), "guestwire-pack-"));
  packages = await packAll(tarballs);
  project = await installProject(packages);
  address = `unix://${join(project, "run", "guest.sock")}`;
  guest = start(
    process.execPath,
    [
      join(project, "node_modules", ".bin", "guestwire-guest"),
      "--listen",
      address,
      "--state-dir",
      join(project, "state"),
    ],
    { cwd: project },
  );
  await guest.line(/unix:\/\//);
}, 300_000);

afterAll(async () => {
  const end = await guest.stop();
  await rm(project, { recursive: true, force: true });
  await rm(tarballs, { recursive: true, force: true });
  expect(end.code).toBe(0);
});

test("publint and attw find nothing in any package", async () => {
  const findings: string[] = [];
  for (const { name, tarball } of packages) {
    const lint = await run(bin("publint"), ["run", tarball, "--strict"], { anyCode: true });
    if (lint.code !== 0) findings.push(`${name}: ${lint.stdout}${lint.stderr}`);
    // ESM only is what we want: `require` gets it through require(esm), which attw's profile of that name knows.
    const types = await run(bin("attw"), [tarball, "--profile", "esm-only", "--format", "ascii"], { anyCode: true });
    if (types.code !== 0) findings.push(`${name}: ${types.stdout}${types.stderr}`);
  }
  expect(findings).toEqual([]);
}, 240_000);

test("tarballs hold no tests, no build leftovers and a licence", async () => {
  for (const { name, tarball } of packages) {
    const { stdout } = await run("tar", ["-tzf", tarball]);
    const files = stdout.trim().split("\n");
    expect(
      files.filter((file) => /\.test\.|tsbuildinfo|testdata|node_modules/.test(file)),
      name,
    ).toEqual([]);
    expect(files, name).toContain("package/LICENSE");
    expect(files, name).toContain("package/README.md");
  }
});

test("the transport loads nothing of protobuf-es at run time", async () => {
  for (const name of ["rpc", "ttrpc"]) {
    const folder = join(project, "node_modules", "@guestwire", name, "dist");
    for (const file of await readdir(folder, { recursive: true })) {
      if (!file.endsWith(".js")) continue;
      expect(await readFile(join(folder, file), "utf8"), file).not.toMatch(
        /from "@bufbuild\/protobuf|import\("@bufbuild/,
      );
    }
  }
});

describe.each(lines)("on Node %i", (line) => {
  test("a ten-line ES module talks to the guest", async () => {
    const node = await nodeBinary(line);
    const script = join(project, `client-${line}.mjs`);
    await writeFile(
      script,
      `import { createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { System } from "@guestwire/system/vminitd";
import { AgentService } from "@guestwire/agent";
const channel = connect(${JSON.stringify(address)}, { timeoutMs: 30_000 });
const info = await createClient(System, channel).info({});
const pong = await createClient(AgentService, channel).ping({ message: "hello" });
console.log(JSON.stringify([info.kernelVersion, pong.message]));
await channel.close();
`,
    );
    const { stdout } = await run(node, [script], { cwd: project });
    const [kernel, message] = JSON.parse(stdout) as [string, string];
    expect(kernel).toBe(await readFile("/proc/version", "utf8"));
    expect(message).toBe("pong: hello");
  });

  test("a CommonJS script requires the packages", async () => {
    const node = await nodeBinary(line);
    const script = join(project, `client-${line}.cjs`);
    await writeFile(
      script,
      `const { createClient } = require("@guestwire/rpc");
const { connect } = require("@guestwire/ttrpc");
const { MachineService } = require("@guestwire/machine");
(async () => {
  const channel = connect(${JSON.stringify(address)}, { timeoutMs: 30_000 });
  const error = await createClient(MachineService, channel).inspect({ id: "no-such-machine" }).catch((e) => e);
  console.log(error.name, error.code, error.method);
  await channel.close();
})();
`,
    );
    const { stdout } = await run(node, [script], { cwd: project });
    expect(stdout).toBe("RpcError 5 /arcbox.v1.MachineService/Inspect\n");
  });
});

test("without @guestwire/vsock all but its addresses work, and those say what is missing", async () => {
  const lean = await mkdtemp(join(tmpdir(), "guestwire-lean-"));
  const scope = join(lean, "node_modules", "@guestwire");
  try {
    for (const name of ["rpc", "ttrpc"]) {
      await cp(join(project, "node_modules", "@guestwire", name), join(scope, name), { recursive: true });
    }
    const script = join(lean, "client.mjs");
    await writeFile(
      script,
      `import { dialAddress, parseAddress } from "@guestwire/rpc/transport";
import { serve } from "@guestwire/ttrpc";
for (const address of ["vsock://3:1024", "hvsock:///run/v.sock:1024"]) {
  const server = serve();
  await server.listen(address).catch((error) => console.log(error.code, error.rawMessage));
  await server.close();
  await dialAddress(parseAddress(address)).catch((error) => console.log(error.code, error.rawMessage));
}
`,
    );
    const { stdout } = await run(process.execPath, [script], { cwd: lean });
    const missing = (address: string): string =>
      `12 ${address} needs the package @guestwire/vsock, which is not installed`;
    const addresses = ["vsock://3:1024", "hvsock:///run/v.sock:1024"];
    expect(stdout.trim().split("\n")).toEqual(addresses.flatMap((address) => [missing(address), missing(address)]));
  } finally {
    await rm(lean, { recursive: true, force: true });
  }
});

test("TypeScript with nodenext and strict settings compiles a user's code", async () => {
  await writeFile(
    join(project, "user.ts"),
    `import { type Client, createClient, type Interceptor, RpcError } from "@guestwire/rpc";
import { connect, serve } from "@guestwire/ttrpc";
import { MachineService, type MachineServiceHandler, createMachineServiceClient, registerMachineService } from "@guestwire/machine";
import { Bundle } from "@guestwire/bundle/vminitd";
import type { Envelope } from "@guestwire/types/containerd";

const log: Interceptor = (next) => async (call) => next(call);
const channel = connect("unix:///run/x.sock", { interceptors: [log], timeoutMs: 10 });
export const a: Client<typeof MachineService> = createMachineServiceClient(channel);
export const b = createClient(Bundle, channel);
export const handlers: Partial<MachineServiceHandler> = { inspect: (request) => ({ id: request.id }) };
export const server = registerMachineService(serve(), handlers);
export const topic = (envelope: Envelope): string => envelope.topic;
// @ts-expect-error a wrong field is an error
void a.inspect({ idd: "x" });
export const isGone = (error: unknown): boolean => RpcError.from(error).code === 5;
`,
  );
  const options = {
    module: "nodenext",
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: ["node"],
    lib: ["es2023", "esnext.disposable"],
  };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["user.ts"] }));
  await run(bin("tsc"), ["-p", project]);
});

test("the README's server and client run as they stand there, beside a socket of their own", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  for (const [, file, code] of readme.matchAll(/```ts file=(\S+)\n(.*?)```/gs)) {
    const moved = code?.replaceAll("/tmp/guestwire-readme/", `${project}/readme/`) ?? "";
    await writeFile(join(project, file as string), moved);
  }
  await using server = start(process.execPath, [join(project, "server.ts")], { cwd: project });
  await server.line(/listening on unix:/);
  const { stdout } = await run(process.execPath, [join(project, "client.ts")], { cwd: project });
  expect(stdout).toBe("m1 running\nuname -a\nno such machine\n");
  expect((await server.stop()).code).toBe(0);
});

test("the packages' README snippets compile", async () => {
  const files: string[] = [];
  for (const { folder } of packages) {
    const readme = await readFile(join(root, "packages", folder, "README.md"), "utf8");
    // The snippets of one README follow each other: together they are one module.
    const code = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, snippet]) => snippet).join("\n");
    if (code === "") continue;
    const file = `readme-${folder}.ts`;
    // What a snippet leaves to the reader's imagination.
    await writeFile(join(project, file), `declare const ociConfig: object;\n${code}\nexport {};\n`);
    files.push(file);
  }
  expect(files.length).toBeGreaterThan(6);
  const { compilerOptions } = JSON.parse(await readFile(join(project, "tsconfig.json"), "utf8"));
  // Connect's declarations want those of browsers, which its users have.
  await writeFile(
    join(project, "tsconfig.readme.json"),
    JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true }, files }),
  );
  await run(bin("tsc"), ["-p", join(project, "tsconfig.readme.json")]);
});
