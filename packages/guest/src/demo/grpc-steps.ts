// The steps of the demo that go over gRPC: the same client as over ttrpc, and the two systems that speak gRPC at home.
import { Bundle } from "@guestwire/bundle/vminitd";
import { waitUntilServing } from "@guestwire/health";
import { followLogLines, JobService, waitForJob } from "@guestwire/joblet";
import { MachineService } from "@guestwire/machine";
import { createReflectionClient } from "@guestwire/reflection";
import { openRoss } from "@guestwire/ross";
import { type Channel, codeName, createClient, RpcError } from "@guestwire/rpc";
import { BadRequestSchema } from "@guestwire/types/google-rpc";
import { demoImage } from "./image-layout.js";
import type { Transcript } from "./transcript.js";

/** Makes the same calls over both wires. */
export async function bothWiresStep(transcript: Transcript, ttrpc: Channel, grpc: Channel): Promise<void> {
  await transcript.step("The same client over gRPC", async () => {
    transcript.call('import { connect } from "@guestwire/grpc"   // the one line that differs');
    transcript.fact("address", `${grpc.target} (gRPC)`);
    await waitUntilServing(grpc, MachineService, { timeoutMs: 10_000 });
    await createClient(MachineService, ttrpc).create({ name: "both", cpus: 1, memory: 256n << 20n });
    const { machines } = await createClient(MachineService, grpc).list({ all: true });
    transcript.call("createClient(MachineService, grpc).list({ all: true })");
    transcript.check(
      "gRPC sees the machine that ttrpc made",
      machines.some(({ id }) => id === "both"),
      machines,
    );
    const errors = await Promise.all([ttrpc, grpc].map(refusal));
    for (const [i, { code, detail }] of errors.entries())
      transcript.fact(i === 0 ? "ttrpc" : "gRPC", `${code}, ${detail}`);
    transcript.check(
      "an error is the same on both, details included",
      errors[0]?.detail !== "" && JSON.stringify(errors[0]) === JSON.stringify(errors[1]),
      errors,
    );
    const services = await createReflectionClient(grpc).listServices();
    transcript.fact("services", `${services.length}, known to grpcurl by reflection`);
    transcript.check("reflection tells of the services", services.includes(MachineService.typeName), services);
    await createClient(MachineService, grpc).remove({ id: "both" });
  });
}

/** Pulls an image, and talks to a container of it through a terminal. */
export async function rossStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Ross: an image, a container, a terminal", async () => {
    const ross = openRoss(channel);
    const image = `${demoImage.name}:${demoImage.tag}`;
    transcript.call(`ross.pullImage({ imageName: "${demoImage.name}", tag: "${demoImage.tag}" })`);
    const statuses: string[] = [];
    for await (const { status } of ross.pullImage({ imageName: demoImage.name, tag: demoImage.tag }))
      statuses.push(status);
    transcript.fact("progress", [...new Set(statuses)].join(", ").slice(0, 100));
    transcript.check("the image is there", statuses.at(-1) === "Pulled", statuses);
    const { id } = await ross.containers.createContainer({ config: { image, tty: true, openStdin: true } });
    transcript.call("ross.runInteractive(id, { tty: true, size: { columns: 100, rows: 40 } })");
    const session = ross.runInteractive(id, { tty: true, size: { columns: 100, rows: 40 } });
    let text = "";
    for await (const { data } of session) {
      const known = text;
      text += Buffer.from(data).toString();
      if (!known.includes("\n") && text.includes("\n")) await session.stdin.write("good day\n");
    }
    const { code } = await session.exit;
    for (const line of text.trimEnd().split(/\r?\n/)) transcript.output(line);
    transcript.check("its terminal has our size", text.includes("the terminal is 40 100"), text);
    transcript.check("it reads what we type", text.includes("you typed: good day"), text);
    transcript.check("and its exit code comes back", code === 7, code);
    await ross.containers.removeContainer({ containerId: id });
  });
}

/** Runs a job with a file, and follows what it prints. */
export async function jobletStep(transcript: Transcript, channel: Channel): Promise<void> {
  await transcript.step("Joblet: run a job and follow it", async () => {
    const jobs = createClient(JobService, channel);
    const uploads = [{ path: "words.txt", content: Buffer.from("pear\napple\nfig\n"), mode: 0o644 }];
    transcript.call('jobs.runJob({ command: "sort", args: ["words.txt"], uploads })');
    const { jobUuid } = await jobs.runJob({ command: "sort", args: ["words.txt"], uploads });
    const lines: string[] = [];
    for await (const line of followLogLines(jobs, jobUuid)) lines.push(line);
    transcript.output(lines.join(" "));
    const { status, exitCode } = await waitForJob(jobs, jobUuid);
    transcript.fact("job", `${jobUuid.slice(0, 8)} ${status}, exit code ${exitCode}`);
    transcript.check("it sorted the file that was sent with it", lines.join() === "apple,fig,pear", lines);
    transcript.check("it is over, and well", status === "COMPLETED" && exitCode === 0, status);
    await jobs.deleteJob({ uuid: jobUuid });
  });
}

async function refusal(channel: Channel): Promise<{ code: string; detail: string }> {
  try {
    await createClient(Bundle, channel).create({ id: "evil", files: { "../escape": new Uint8Array(1) } });
    return { code: "no error", detail: "" };
  } catch (thrown) {
    const error = RpcError.from(thrown);
    const [violation] = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
    return { code: codeName(error.code), detail: violation?.field ?? "" };
  }
}
