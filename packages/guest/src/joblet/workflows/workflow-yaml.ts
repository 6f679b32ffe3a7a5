// Reads the description of a workflow: jobs by their names, what each waits for. Makes no job.
import { create } from "@bufbuild/protobuf";
import { type FileUpload, RunJobRequestSchema } from "@guestwire/joblet";
import { parseDocument } from "yaml";
import { invalid, quoted } from "../../errors.js";
import type { JobSpec } from "../jobs/run-request.js";
import { mostWorkflowJobs, workflowBytes } from "../limits.js";
import { type Condition, jobsOf } from "./condition.js";
import { readExpression, statusCondition } from "./expression.js";

/** A job of a description. */
export interface DescribedJob {
  readonly name: string;
  readonly spec: JobSpec;
  /** Where it stands, in front of the names of its fields; ends in a dot. */
  readonly field: string;
  /** What it waits for, with jobs by their names. */
  readonly condition?: Condition;
}

type Fields = Readonly<Record<string, unknown>>;

const field = "yaml_content";

/**
 * Reads a description: `jobs:`, or `workflows:` with several of those by name.
 *
 * @param workflow Which of several.
 * @param files What jobs may name under `uploads.files`.
 * @throws {RpcError} Code.InvalidArgument naming the place, also for jobs that wait for each other in a circle.
 */
export function readWorkflow(yaml: string, workflow: string, files: readonly FileUpload[]): DescribedJob[] {
  if (Buffer.byteLength(yaml) > workflowBytes) throw invalid(field, `has more than ${workflowBytes} bytes`);
  const document = parseDocument(yaml);
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(field, problem.message.split("\n", 1)[0] as string);
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // Aliases that would unfold to very much.
    throw invalid(field, error instanceof Error ? error.message : String(error));
  }
  const root = asFields(field, content, ["jobs", "workflows", "name", "description", "version"]);
  const [place, jobs] = chosenJobs(root, workflow);
  const names = Object.keys(jobs);
  if (names.length === 0) throw invalid(place, "has no jobs");
  if (names.length > mostWorkflowJobs) throw invalid(place, `has more than ${mostWorkflowJobs} jobs`);
  const described = names.map((name) => readJob(`${place}.${name}`, name, jobs[name], files));
  for (const { name, field: at, condition } of described) {
    for (const other of condition === undefined ? [] : jobsOf(condition)) {
      if (!Object.hasOwn(jobs, other)) throw invalid(`${at}requires`, `there is no job ${quoted(other)}`);
      if (other === name) throw invalid(`${at}requires`, "the job waits for itself");
    }
  }
  refuseCircles(place, described);
  return described;
}

function chosenJobs(root: Fields, workflow: string): [place: string, jobs: Fields] {
  if (root["jobs"] !== undefined) return [`${field}: jobs`, asFields(`${field}: jobs`, root["jobs"])];
  if (root["workflows"] === undefined) throw invalid(field, 'has neither "jobs" nor "workflows"');
  const all = asFields(`${field}: workflows`, root["workflows"]);
  const names = Object.keys(all);
  const name = Object.hasOwn(all, workflow) ? workflow : names.length === 1 ? (names[0] as string) : undefined;
  if (name === undefined) {
    throw invalid("workflow", `${quoted(workflow)} is none of the workflows described: ${names.join(", ")}`);
  }
  const place = `${field}: workflows.${name}`;
  const jobs = asFields(place, all[name], ["jobs", "name", "description"])["jobs"];
  return [`${place}.jobs`, asFields(`${place}.jobs`, jobs)];
}

const jobFields = [
  "command",
  "args",
  "runtime",
  "network",
  "uploads",
  "volumes",
  "requires",
  "resources",
  "environment",
  "secret_environment",
  "work_dir",
  "schedule",
];
const resourceFields = ["max_cpu", "max_memory", "max_io_bps", "cpu_cores", "gpu_count", "gpu_memory_mb"];

function readJob(place: string, name: string, content: unknown, files: readonly FileUpload[]): DescribedJob {
  const job = asFields(place, content, jobFields);
  const resources = asFields(`${place}.resources`, job["resources"] ?? {}, resourceFields);
  const text = (key: string): string => asText(`${place}.${key}`, job[key] ?? "");
  const number = (key: string): number => asNumber(`${place}.resources.${key}`, resources[key] ?? 0);
  const spec = create(RunJobRequestSchema, {
    name,
    command: text("command"),
    args: asList(`${place}.args`, job["args"]).map((arg, index) => asText(`${place}.args[${index}]`, arg)),
    runtime: text("runtime"),
    network: text("network"),
    workDir: text("work_dir"),
    schedule: text("schedule"),
    volumes: asList(`${place}.volumes`, job["volumes"]).map((item, index) =>
      asText(`${place}.volumes[${index}]`, item),
    ),
    environment: asTexts(`${place}.environment`, job["environment"]),
    secretEnvironment: asTexts(`${place}.secret_environment`, job["secret_environment"]),
    maxCpu: number("max_cpu"),
    maxMemory: number("max_memory"),
    maxIoBps: number("max_io_bps"),
    gpuCount: number("gpu_count"),
    gpuMemoryMb: number("gpu_memory_mb"),
    cpuCores: asText(`${place}.resources.cpu_cores`, resources["cpu_cores"] ?? ""),
    uploads: readUploads(`${place}.uploads`, job["uploads"], files),
  });
  const parts = readRequires(`${place}.requires`, job["requires"]);
  if (parts.length === 0) return { name, spec, field: `${place}.` };
  return {
    name,
    spec,
    field: `${place}.`,
    condition: parts.length === 1 ? (parts[0] as Condition) : { kind: "and", parts },
  };
}

function readUploads(place: string, content: unknown, files: readonly FileUpload[]): FileUpload[] {
  const names = asList(`${place}.files`, asFields(place, content ?? {}, ["files"])["files"]);
  return names.map((item, index) => {
    const here = `${place}.files[${index}]`;
    const path = asText(here, item);
    const file = files.find((upload) => upload.path === path);
    if (file === undefined) throw invalid(here, `${quoted(path)} is not among workflow_files`);
    return file;
  });
}

/** Each entry names jobs with the status that they must have, or is an expression; all must hold. */
function readRequires(place: string, content: unknown): Condition[] {
  return asList(place, content).flatMap((item, index) => {
    const here = `${place}[${index}]`;
    if (typeof item === "string") return [readExpression(here, item)];
    return Object.entries(asFields(here, item)).map(([job, status]) =>
      job === "expression"
        ? readExpression(`${here}.expression`, asText(`${here}.expression`, status))
        : statusCondition(`${here}.${job}`, job, asText(`${here}.${job}`, status)),
    );
  });
}

function refuseCircles(place: string, jobs: readonly DescribedJob[]): void {
  const waits = new Map(jobs.map(({ name, condition }) => [name, condition === undefined ? [] : jobsOf(condition)]));
  // Takes away what waits for nothing that is left, until only circles and what hangs on them are left.
  for (let before = -1; waits.size !== before; ) {
    before = waits.size;
    for (const [name, others] of waits) if (!others.some((other) => waits.has(other))) waits.delete(name);
  }
  const [first] = waits.keys();
  if (first === undefined) return;
  const path = [first];
  for (;;) {
    const next = (waits.get(path.at(-1) as string) as string[]).find((other) => waits.has(other)) as string;
    const at = path.indexOf(next);
    path.push(next);
    if (at >= 0) throw invalid(place, `these jobs wait for each other: ${path.slice(at).join(" → ")}`);
  }
}

function asFields(place: string, value: unknown, known?: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(place, "must be a mapping");
  const unknown = known === undefined ? undefined : Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(place, `there is no ${quoted(unknown)}; known are ${known?.join(", ")}`);
  return value as Fields;
}

function asList(place: string, value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(place, "must be a list");
  return value;
}

/** A text; what YAML takes for a number or a truth value is meant as it is written. */
function asText(place: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw invalid(place, "must be a text");
}

function asTexts(place: string, value: unknown): Record<string, string> {
  const fields = asFields(place, value ?? {});
  return Object.fromEntries(Object.entries(fields).map(([key, text]) => [key, asText(`${place}.${key}`, text)]));
}

function asNumber(place: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value;
  throw invalid(place, "must be a whole number below 2^31");
}
