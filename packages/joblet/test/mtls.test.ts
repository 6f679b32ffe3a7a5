// Joblet as it is met in the field: a configuration with embedded certificates, mutual TLS 1.3, roles by OU. Real sockets.
import { writeFile } from "node:fs/promises";
import { connect as connectTls } from "node:tls";
import { connect, type Server, serve } from "@guestwire/grpc";
import { JobService, jobletAuthorize, jobletNode, loadJobletConfig, MonitoringService } from "@guestwire/joblet";
import { type Channel, Code, createClient, RpcError } from "@guestwire/rpc";
import { createTestCa, type TempFolder, type TestCa, type TestCertificate, tempFolder } from "@guestwire/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";

let ca: TestCa;
let wrongCa: TestCa;
let folder: TempFolder;
let server: Server;
let address: string;
const ran: string[] = [];

beforeAll(async () => {
  folder = await tempFolder();
  [ca, wrongCa] = await Promise.all([createTestCa(), createTestCa("Somebody else")]);
  server = await serveWith(await ca.issue({ commonName: "joblet-server", names: ["joblet"] }));
  address = server.addresses[0] as string;
});

afterAll(async () => {
  await server.close({ graceMs: 0 });
  await folder[Symbol.asyncDispose]();
});

async function serveWith(certificate: TestCertificate): Promise<Server> {
  const made = serve({
    tls: { ...certificate, ca: ca.ca, minVersion: "TLSv1.3" },
    authorize: jobletAuthorize(),
    limits: { receiveMessageBytes: 128 * 1024 * 1024 },
  })
    .service(JobService, {
      runJob({ command, uploads }) {
        ran.push(command);
        const size = uploads.reduce((sum, { content }) => sum + content.length, 0);
        return { jobUuid: "00000000-0000-4000-8000-000000000000", status: `${size}` };
      },
      listJobs: () => ({ jobs: [] }),
      async *getJobLogs() {
        yield { payload: Buffer.from("output\n") };
      },
    })
    .service(MonitoringService, { getSystemStatus: () => ({ available: true }) });
  await made.listen("tcp://127.0.0.1:0");
  return made;
}

interface Caller {
  readonly units?: readonly string[];
  readonly signedBy?: TestCa;
  readonly trusts?: TestCa;
  readonly at?: string;
}

/** A channel as users make it: from a file. */
async function channelOf({ units = [], signedBy = ca, trusts = ca, at = address }: Caller): Promise<Channel> {
  const own = await signedBy.issue({ commonName: "client", organizationalUnit: units, client: true });
  const path = folder.file("rnx-config.yml");
  const nodes = { local: { address: at.replace("tcp://", ""), ...own, ca: trusts.ca } };
  await writeFile(path, stringify({ version: "3.0", nodes }), { mode: 0o600 });
  const node = jobletNode(await loadJobletConfig({ env: { RNX_CONFIG: path } }));
  // Calls that wait until the server is ready would wait for ever where it never will be.
  return connect(node.address, { ...node.connectOptions, waitForReady: false, timeoutMs: 20_000 });
}

async function failure(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

async function text(channel: Channel): Promise<string> {
  let all = "";
  for await (const { payload } of createClient(JobService, channel).getJobLogs({ uuid: "x" })) {
    all += Buffer.from(payload).toString();
  }
  return all;
}

test("an admin may run and look; uploads of many megabytes pass", async () => {
  await using channel = await channelOf({ units: ["Admin"] });
  const jobs = createClient(JobService, channel);
  const content = new Uint8Array(20_000_000);
  expect(await jobs.runJob({ command: "admin", uploads: [{ path: "big", content }] })).toMatchObject({
    status: "20000000",
  });
  expect(await jobs.listJobs({})).toMatchObject({ jobs: [] });
  expect(await text(channel)).toBe("output\n");
  expect(ran).toContain("admin");
});

test("a viewer may look and not run", async () => {
  await using channel = await channelOf({ units: ["viewer"] });
  const jobs = createClient(JobService, channel);
  expect(await jobs.listJobs({})).toMatchObject({ jobs: [] });
  expect(await text(channel)).toBe("output\n");
  const error = await failure(jobs.runJob({ command: "viewer" }));
  expect(error).toMatchObject({ code: Code.PermissionDenied });
  expect(error.rawMessage).toBe("RunJob is for admins; the client certificate's OU is viewer");
  expect(ran).not.toContain("viewer");
});

test.each([[["developers"]], [[]]])("OUs %j are no role: PermissionDenied, but watching the system", async (units) => {
  await using channel = await channelOf({ units });
  const jobs = createClient(JobService, channel);
  for (const call of [jobs.runJob({ command: "nobody" }), jobs.listJobs({}), text(channel)]) {
    expect(await failure(call)).toMatchObject({ code: Code.PermissionDenied });
  }
  expect(await createClient(MonitoringService, channel).getSystemStatus({})).toMatchObject({ available: true });
  expect(ran).not.toContain("nobody");
});

test("the first of several OUs that is a role counts", async () => {
  await using channel = await channelOf({ units: ["developers", "ADMIN"] });
  await createClient(JobService, channel).runJob({ command: "several" });
  expect(ran).toContain("several");
});

describe("who is not trusted does not come in", () => {
  test("a client whose certificate somebody else signed", async () => {
    await using channel = await channelOf({ units: ["admin"], signedBy: wrongCa });
    const error = await failure(createClient(JobService, channel).runJob({ command: "stranger" }));
    expect(error.code).toBe(Code.Unavailable);
    expect(ran).not.toContain("stranger");
  });

  test("a client without a certificate", async () => {
    const tls = { ca: ca.ca, serverName: "joblet", minVersion: "TLSv1.3" as const };
    await using channel = connect(address, { tls, timeoutMs: 20_000 });
    expect(await failure(createClient(JobService, channel).listJobs({}))).toMatchObject({ code: Code.Unavailable });
  });

  test("a client that speaks TLS 1.2 at most", async () => {
    const own = await ca.issue({ commonName: "old", organizationalUnit: "admin", client: true });
    const port = Number(address.split(":").at(-1));
    const refused = Promise.withResolvers<Error>();
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca: ca.ca,
      ...own,
      servername: "joblet",
      maxVersion: "TLSv1.2",
    });
    socket.once("secureConnect", () => refused.reject(new Error("it was let in")));
    socket.once("error", refused.resolve);
    expect(await refused.promise).toMatchObject({ code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
    socket.destroy();
  });

  test("a server that somebody else signed", async () => {
    await using channel = await channelOf({ units: ["admin"], trusts: wrongCa });
    const error = await failure(createClient(JobService, channel).listJobs({}));
    expect(error.code).toBe(Code.Unavailable);
  });

  test("a server of the same authority with another name", async () => {
    const other = await serveWith(await ca.issue({ commonName: "web", names: ["web", "localhost", "127.0.0.1"] }));
    try {
      await using channel = await channelOf({ units: ["admin"], at: other.addresses[0] as string });
      const error = await failure(createClient(JobService, channel).listJobs({}));
      expect(error.code).toBe(Code.Unavailable);
      expect(error.rawMessage).toMatch(/joblet/);
    } finally {
      await other.close({ graceMs: 0 });
    }
  });
});
