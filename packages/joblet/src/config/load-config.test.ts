import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { inspect } from "node:util";
import { Code, RpcError } from "@guestwire/rpc";
import { createTestCa, type TempFolder, type TestCa, type TestCertificate, tempFolder } from "@guestwire/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadJobletConfig } from "./load-config.js";
import { jobletNode } from "./node.js";

let ca: TestCa;
let admin: TestCertificate;
let other: TestCertificate;
let folder: TempFolder;

beforeAll(async () => {
  ca = await createTestCa();
  admin = await ca.issue({ commonName: "ada", organizationalUnit: "Admin", client: true });
  other = await ca.issue({ commonName: "bob", client: true });
});

beforeEach(async () => {
  folder = await tempFolder();
});

afterAll(() => folder[Symbol.asyncDispose]());

type Fields = Record<string, unknown>;

const node = (more: object = {}): Fields => ({ address: "10.0.0.1:50051", ...admin, ca: ca.ca, ...more });

async function write(name: string, nodes: unknown, mode = 0o600): Promise<string> {
  const path = folder.file(name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof nodes === "string" ? nodes : stringify({ version: "3.0", nodes }), { mode: 0o600 });
  await chmod(path, mode);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

test("a configuration gives what connect() needs for Joblet", async () => {
  const path = await write("c.yml", { prod: node({ nodeId: "n-1", isDefault: true }) });
  const config = await loadJobletConfig({ path });
  expect(config).toMatchObject({ path, version: "3.0" });
  const chosen = jobletNode(config);
  expect(chosen).toMatchObject({ name: "prod", address: "tcp://10.0.0.1:50051" });
  expect(chosen.config).toMatchObject({
    nodeId: "n-1",
    identity: { commonName: "ada", organizationalUnits: ["Admin"] },
  });
  expect(chosen.connectOptions).toEqual({
    tls: { cert: admin.cert, key: admin.key, ca: ca.ca, serverName: "joblet", minVersion: "TLSv1.3" },
    limits: { receiveMessageBytes: 134_217_728, sendMessageBytes: 134_217_728 },
    keepalive: { timeMs: 30_000, timeoutMs: 10_000, withoutCalls: true },
    waitForReady: true,
  });
  for (const shown of [config, chosen]) expect(inspect(shown, { depth: 9 })).not.toContain("PRIVATE KEY");
});

test("the first place that has a file counts, RNX_CONFIG before all", async () => {
  const home = folder.file("home");
  const cwd = folder.file("work");
  const env = { RNX_CONFIG: undefined as string | undefined };
  await mkdir(cwd, { recursive: true });
  const load = async () => (await loadJobletConfig({ home, cwd, env })).path;
  const places = ["home/.rnx/rnx-config.yml", "work/config/rnx-config.yml", "work/rnx-config.yml", "elsewhere.yml"];
  // From the last place to the first: each wins over those before.
  for (const place of places) {
    const path = await write(place, { only: node() });
    if (place === "elsewhere.yml") env.RNX_CONFIG = "../elsewhere.yml";
    expect(await load()).toBe(path);
  }
  env.RNX_CONFIG = "nowhere.yml";
  const error = await failure(load());
  expect(error.code).toBe(Code.NotFound);
  expect(error.rawMessage).toBe(`there is no Joblet configuration at ${cwd}/nowhere.yml (RNX_CONFIG)`);
});

test("where there is none, every place that was looked at is named", async () => {
  const nowhere = folder.file("none");
  const error = await failure(loadJobletConfig({ home: nowhere, cwd: nowhere, env: {} }));
  expect(error.code).toBe(Code.NotFound);
  for (const place of [
    `${nowhere}/rnx-config.yml`,
    `${nowhere}/config/`,
    `${nowhere}/.rnx/`,
    "/etc/joblet/",
    "/opt/joblet/config/",
  ])
    expect(error.rawMessage).toContain(place);
});

describe("the node is the named one, the default, the one called default, the only one", () => {
  const chosen = async (nodes: Record<string, Fields>, name?: string): Promise<string> =>
    jobletNode(await loadJobletConfig({ path: await write("c.yml", nodes) }), name).name;

  test("in that order", async () => {
    const nodes = { a: node(), default: node(), b: node({ isDefault: true }) };
    expect(await chosen(nodes, "a")).toBe("a");
    expect(await chosen(nodes)).toBe("b");
    expect(await chosen({ a: node(), default: node() })).toBe("default");
    expect(await chosen({ a: node() })).toBe("a");
  });

  test("otherwise it must be named", async () => {
    const none = await failure(chosen({ a: node(), b: node() }));
    expect(none.code).toBe(Code.InvalidArgument);
    expect(none.rawMessage).toContain("c.yml: nodes has no default; name one of a, b");
    const several = await failure(chosen({ a: node({ isDefault: true }), b: node({ isDefault: true }) }));
    expect(several.rawMessage).toContain("nodes has more than one default: a, b");
    const unknown = await failure(chosen({ a: node() }, "c"));
    expect(unknown.code).toBe(Code.NotFound);
    expect(unknown.rawMessage).toContain('has no node "c"; it has a');
  });
});

describe("addresses", () => {
  const addressOf = async (address: string): Promise<string> =>
    jobletNode(await loadJobletConfig({ path: await write("c.yml", { a: node({ address }) }) })).address;

  test.each([
    ["joblet.example.org:7000", "tcp://joblet.example.org:7000"],
    ["joblet.example.org", "tcp://joblet.example.org:50051"],
    ["[::1]:7000", "tcp://[::1]:7000"],
    ["tcp://10.0.0.1:7000", "tcp://10.0.0.1:7000"],
  ])("%s", async (written, expected) => expect(await addressOf(written)).toBe(expected));

  test.each(["a:b", "host:99999", "http://x:1", "::1", "a b:1", "host:0"])("%s is refused", async (address) => {
    const error = await failure(addressOf(address));
    expect(error.rawMessage).toContain(`c.yml: nodes.a.address ${JSON.stringify(address)} is no host and port`);
  });
});

describe("what is wrong is told with file, node and field", () => {
  const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  const cases: [string, () => unknown][] = [
    ["c.yml is no YAML: ", () => "nodes: {"],
    ["c.yml is no mapping", () => "just text"],
    ["c.yml: nodes is missing", () => "version: 1"],
    ["c.yml: nodes is empty", () => ({})],
    ["c.yml: nodes.a is no mapping", () => ({ a: "x" })],
    ["c.yml: nodes.a.address is missing", () => ({ a: node({ address: undefined }) })],
    ["c.yml: nodes.a.address is no text", () => ({ a: node({ address: 7 }) })],
    ["c.yml: nodes.a.cert is missing", () => ({ a: node({ cert: "" }) })],
    ["c.yml: nodes.a.cert is no certificate in PEM", () => ({ a: node({ cert: "x" }) })],
    ["c.yml: nodes.a.key is no private key in PEM", () => ({ a: node({ key: "x" }) })],
    ["c.yml: nodes.a.key is encrypted", () => ({ a: node({ key: encrypted }) })],
    ["c.yml: nodes.a.key is not the key of cert", () => ({ a: node({ key: other.key }) })],
    ["c.yml: nodes.a.ca holds no certificate in PEM", () => ({ a: node({ ca: "x" }) })],
    ["c.yml: nodes.a.isDefault is neither true nor false", () => ({ a: node({ isDefault: "yes" }) })],
  ];
  test.each(cases)("%s", async (message, content) => {
    const error = await failure(loadJobletConfig({ path: await write("c.yml", content()) }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain(message);
    expect(error.rawMessage).not.toContain("PRIVATE");
  });
});

test("certificates that have expired or soon will are warnings", async () => {
  const day = 86_400_000;
  const validFrom = new Date(Date.now() - 10 * day);
  const issue = (days: number) => ca.issue({ commonName: "x", validFrom, validTo: new Date(Date.now() + days * day) });
  const nodes = { gone: node(await issue(-1)), soon: node(await issue(10)), fine: node(await issue(100)) };
  const { warnings } = await loadJobletConfig({ path: await write("c.yml", nodes) });
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(/nodes\.gone\.cert has expired at \d{4}-/);
  expect(warnings[1]).toMatch(/nodes\.soon\.cert expires at \d{4}-/);
});

test("a file with keys that others can read is refused, unless one says otherwise", async () => {
  const path = await write("c.yml", { a: node() }, 0o640);
  const error = await failure(loadJobletConfig({ path }));
  expect(error.code).toBe(Code.PermissionDenied);
  expect(error.rawMessage).toBe(
    `${path} can be read by others (mode 0640) and holds private keys; run: chmod 600 ${path}`,
  );
  expect((await loadJobletConfig({ path, exposed: "warn" })).warnings[0]).toContain("(mode 0640)");
  expect(
    (await loadJobletConfig({ path, exposed: "ignore" })).warnings.filter((text) => text.includes("mode")),
  ).toEqual([]);
});

test("a file that cannot be read says so", async () => {
  await mkdir(folder.file("dir.yml"));
  const error = await failure(loadJobletConfig({ path: folder.file("dir.yml") }));
  expect(error.rawMessage).toMatch(/dir\.yml cannot be read: EISDIR/);
});
