// What users install: packed as for publishing, checked, installed into an empty project, and used on every Node.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
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

test("a library's modules are joined into few files, each module in one of them, beside the sources they came from", async () => {
  for (const { name } of packages) {
    const folder = join(project, "node_modules", name);
    const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    if (manifest.publishConfig?.directory === undefined) continue;
    const dist = await readdir(join(folder, "dist"), { recursive: true });
    const from: string[] = [];
    for (const file of dist) {
      if (!file.endsWith(".js.map")) continue;
      const { sources } = JSON.parse(await readFile(join(folder, "dist", file), "utf8")) as { sources: string[] };
      from.push(...sources.map((source) => relative(folder, join(folder, "dist", dirname(file), source))));
    }
    // A module in two files would be two classes of one name, or two registries.
    expect(from, name).toEqual([...new Set(from)]);
    const shipped = (await readdir(join(folder, "src"), { recursive: true })).map((file) => join("src", file));
    expect(shipped, name).toEqual(expect.arrayContaining(from));
    const joined = dist.filter((file) => file.endsWith(".js") && !file.includes("gen/"));
    const code = await Promise.all(joined.map((file) => readFile(join(folder, "dist", file), "utf8")));
    expect(code.join("").match(/[^\0-\x7f]/g), name).toBeNull();
    const entries = Object.keys(manifest.exports).length;
    expect(joined.length, `${name}: ${joined}`).toBeLessThanOrEqual(entries + 1);
  }
});

test("every entry point has the exports that the tests ran on", async () => {
  const script = join(project, "exports.mjs");
  await writeFile(
    script,
    `import { pathToFileURL } from "node:url";
const describe = (module) => Object.entries(module).map(([key, value]) => [key, typeof value, value?.name]);
for (const [name, built] of JSON.parse(process.argv[2])) {
  const [published, tested] = await Promise.all([import(name), import(pathToFileURL(built))]);
  if (JSON.stringify(describe(published)) !== JSON.stringify(describe(tested))) console.log(name);
}
`,
  );
  const entries: [string, string][] = [];
  for (const { name, folder } of packages) {
    const { exports } = JSON.parse(await readFile(join(root, "packages", folder, "package.json"), "utf8"));
    for (const [entry, target] of Object.entries<string | { default: string }>(exports)) {
      if (typeof target === "string" || entry.includes("*")) continue;
      entries.push([join(name, entry), join(root, "packages", folder, target.default)]);
    }
  }
  expect(entries.length).toBeGreaterThan(30);
  const { stdout } = await run(process.execPath, [script, JSON.stringify(entries)], { cwd: project });
  expect(stdout).toBe("");
});

test("errors that one entry point throws are the class that another exports", async () => {
  const script = join(project, "identity.mjs");
  await writeFile(
    script,
    `import { RpcError } from "@guestwire/rpc";
import { parseAddress } from "@guestwire/rpc/transport";
import { connect } from "@guestwire/ttrpc";
const thrown = (call) => { try { call(); } catch (error) { return error; } };
console.log(thrown(() => parseAddress("nowhere")) instanceof RpcError, thrown(() => connect("nowhere")) instanceof RpcError);
`,
  );
  const { stdout } = await run(process.execPath, [script], { cwd: project });
  expect(stdout).toBe("true true\n");
});

test("a start loads five files for the transport, nothing of protobuf-es, and of Node what a client's first call needs", async () => {
  const script = join(project, "loads.mjs");
  await writeFile(
    script,
    `import { registerHooks } from "node:module";
const loaded = [];
registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
await import("@guestwire/ttrpc");
const files = loaded.filter((url) => url.startsWith("file:"));
console.log(JSON.stringify({
  files: files.length,
  others: files.filter((url) => !/@guestwire.(ttrpc|rpc)./.test(url)),
  node: loaded.filter((url) => url.startsWith("node:")).sort(),
}));
`,
  );
  const { stdout } = await run(process.execPath, [script], { cwd: project });
  const node = ["node:buffer", "node:diagnostics_channel", "node:net", "node:stream"];
  expect(JSON.parse(stdout)).toEqual({ files: 5, others: [], node });
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
