// The workflow half of JobService: what RunWorkflow makes, and what the other workflow calls answer.
import { randomUUID } from "node:crypto";
import type { JobService } from "@guestwire/joblet";
import type { Handlers } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { invalid, quoted } from "../../errors.js";
import type { Job } from "../jobs/job.js";
import type { JobStore } from "../jobs/job-store.js";
import { type CheckedJob, checkJob, type Lookups } from "../jobs/run-request.js";
import { checkUploads } from "../jobs/uploads.js";
import { mostWorkflowJobs } from "../limits.js";
import { jobsOf, renamed } from "./condition.js";
import { isOver, type WorkflowRecord, workflowJobMessage, workflowMessage, workflowStatus } from "./workflow.js";
import type { WorkflowStore } from "./workflow-store.js";
import { type DescribedJob, readWorkflow } from "./workflow-yaml.js";

/** What workflows are made of. */
export interface WorkflowServiceOptions {
  readonly jobs: JobStore;
  readonly workflows: WorkflowStore;
  readonly lookups: Lookups;
  readonly clock: GuestClock;
}

/** The methods that are about workflows. */
export type WorkflowHandlers = Pick<
  Handlers<typeof JobService>,
  "runWorkflow" | "getWorkflowStatus" | "listWorkflows" | "getWorkflowJobs"
>;

/** Makes the handlers. */
export function createWorkflowHandlers(options: WorkflowServiceOptions): WorkflowHandlers {
  const { jobs, workflows, clock } = options;
  const jobMessages = (record: WorkflowRecord) =>
    record.jobs.map((entry) => workflowJobMessage(entry, workflows.outcomeOf(entry)));
  return {
    async runWorkflow(request) {
      jobs.refuseWhenClosed();
      const { workflow, yamlContent, totalJobs, jobOrder, workflowFiles } = request;
      if (totalJobs < 0) throw invalid("total_jobs", `${totalJobs} is negative`);
      if (totalJobs > mostWorkflowJobs) throw invalid("total_jobs", `is more than ${mostWorkflowJobs}`);
      checkUploads("workflow_files", workflowFiles);
      const base = { uuid: randomUUID(), workflow, yaml: yamlContent, createdAt: clock.now() };
      if (yamlContent === "") {
        // The client sends the jobs itself, each with RunJob.
        const names = checkOrder(jobOrder);
        if (totalJobs === 0 && names.length === 0) throw invalid("yaml_content", "must not be empty");
        const places = names.map((name) => ({ name, uuid: "", dependencies: [] }));
        await workflows.add({ ...base, totalJobs: Math.max(totalJobs, names.length), jobs: places });
      } else {
        const described = inOrder(readWorkflow(yamlContent, workflow, workflowFiles), checkOrder(jobOrder));
        if (totalJobs !== 0 && totalJobs !== described.length) {
          throw invalid("total_jobs", `is ${totalJobs}, but ${described.length} jobs are described`);
        }
        await startAll(options, base, described);
      }
      return { workflowUuid: base.uuid, status: workflowStatus(workflows.find(base.uuid), workflows.outcomeOf) };
    },
    getWorkflowStatus({ workflowUuid }) {
      const record = find(workflows, workflowUuid);
      return { workflow: workflowMessage(record, workflows.outcomeOf), jobs: jobMessages(record) };
    },
    getWorkflowJobs: ({ workflowUuid }) => ({ jobs: jobMessages(find(workflows, workflowUuid)) }),
    listWorkflows({ includeCompleted }) {
      const messages = workflows.all.map((record) => workflowMessage(record, workflows.outcomeOf));
      return { workflows: messages.filter(({ status }) => includeCompleted || !isOver(status ?? "")) };
    },
  };
}

/** All jobs are made before the first one starts, so that a workflow is there as a whole or not at all. */
async function startAll(
  { jobs, workflows, lookups, clock }: WorkflowServiceOptions,
  base: Pick<WorkflowRecord, "uuid" | "workflow" | "yaml" | "createdAt">,
  described: readonly DescribedJob[],
): Promise<void> {
  const checked: CheckedJob[] = described.map(({ spec, field }) => checkJob(spec, lookups, clock, field));
  const uuids = new Map(described.map(({ name }) => [name, randomUUID() as string]));
  const uuidOf = (name: string): string => uuids.get(name) as string;
  const entries = described.map(({ name, condition }) => ({
    name,
    uuid: uuidOf(name),
    dependencies: condition === undefined ? [] : jobsOf(condition),
  }));
  const made: Job[] = [];
  try {
    for (const [index, { name, condition }] of described.entries()) {
      const place = { uuid: uuidOf(name), workflow: base.uuid };
      const job = jobs.create(
        checked[index] as CheckedJob,
        condition === undefined ? place : { ...place, condition: renamed(condition, uuidOf) },
      );
      made.push(await job);
    }
    await workflows.add({ ...base, totalJobs: entries.length, jobs: entries });
  } catch (error) {
    await jobs.forget(made);
    throw error;
  }
  for (const job of made) jobs.launch(job);
}

function find(workflows: WorkflowStore, uuid: string): WorkflowRecord {
  if (uuid === "") throw invalid("workflow_uuid", "must not be empty");
  return workflows.find(uuid);
}

function checkOrder(names: readonly string[]): readonly string[] {
  if (names.length > mostWorkflowJobs) throw invalid("job_order", `has more than ${mostWorkflowJobs} jobs`);
  for (const [index, name] of names.entries()) {
    if (name === "") throw invalid(`job_order[${index}]`, "must not be empty");
    if (names.indexOf(name) !== index) throw invalid(`job_order[${index}]`, `${quoted(name)} comes twice`);
  }
  return names;
}

/** The jobs in the order that the client wants, the others behind. */
function inOrder(described: readonly DescribedJob[], order: readonly string[]): DescribedJob[] {
  for (const [index, name] of order.entries()) {
    if (described.some((job) => job.name === name)) continue;
    throw invalid(`job_order[${index}]`, `there is no job ${quoted(name)}`);
  }
  const place = ({ name }: DescribedJob): number => {
    const at = order.indexOf(name);
    return at < 0 ? order.length : at;
  };
  return described.toSorted((a, b) => place(a) - place(b));
}
