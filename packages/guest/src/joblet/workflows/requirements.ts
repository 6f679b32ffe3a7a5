// What a single job asks of others in RunJob, and its place in a workflow that its client drives. Makes no job.
import type { JobRequirement, RunJobRequest } from "@guestwire/joblet";
import { invalid, quoted } from "../../errors.js";
import type { JobPlace, JobStore } from "../jobs/job-store.js";
import { mostRequirements } from "../limits.js";
import { type Condition, jobsOf, renamed } from "./condition.js";
import { readExpression, statusCondition } from "./expression.js";
import type { WorkflowRecord } from "./workflow.js";
import type { WorkflowStore } from "./workflow-store.js";

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The place of a job, and the workflow that it belongs to. */
export interface FoundPlace {
  readonly place: JobPlace;
  readonly workflow?: WorkflowRecord;
}

/**
 * Finds the place of a job.
 *
 * @throws {RpcError} Code.NotFound for an unknown workflow; Code.InvalidArgument for a requirement that names no job, or a
 * UUID that is none; Code.FailedPrecondition and Code.AlreadyExists as of {@link WorkflowStore.refuseEntry}.
 */
export function findPlace(request: RunJobRequest, jobs: JobStore, workflows: WorkflowStore): FoundPlace {
  const { jobUuid, workflowUuid, requirements } = request;
  if (jobUuid !== "" && !uuidForm.test(jobUuid)) throw invalid("job_uuid", "is no UUID");
  if (requirements.length > mostRequirements)
    throw invalid("requirements", `has more than ${mostRequirements} entries`);
  const workflow = workflowUuid === "" ? undefined : workflows.find(workflowUuid);
  if (workflow !== undefined && request.name !== "") workflows.refuseEntry(workflow, request.name);
  const parts = requirements.flatMap((requirement, index) => readRequirement(requirement, `requirements[${index}]`));
  const condition = parts.length > 1 ? ({ kind: "and", parts } as const) : parts[0];
  const place = {
    ...(jobUuid === "" ? {} : { uuid: jobUuid.toLowerCase() }),
    ...(workflow === undefined ? {} : { workflow: workflow.uuid }),
    ...(condition === undefined ? {} : { condition: withUuids(condition, jobs, workflow) }),
  };
  return workflow === undefined ? { place } : { place, workflow };
}

/** The names, in a workflow, of the jobs that a place waits for. */
export function dependencyNames({ place, workflow }: FoundPlace): string[] {
  const uuids = place.condition === undefined ? [] : jobsOf(place.condition);
  return uuids.map((uuid) => workflow?.jobs.find((entry) => entry.uuid === uuid)?.name ?? uuid);
}

function readRequirement({ jobUuid, status, expression }: JobRequirement, field: string): Condition[] {
  if (jobUuid === "" && expression === "") throw invalid(field, "names neither a job nor an expression");
  return [
    ...(jobUuid === "" ? [] : [statusCondition(`${field}.status`, jobUuid, status || "COMPLETED")]),
    ...(expression === "" ? [] : [readExpression(`${field}.expression`, expression)]),
  ];
}

function withUuids(condition: Condition, jobs: JobStore, workflow: WorkflowRecord | undefined): Condition {
  return renamed(condition, (name) => {
    const entry = workflow?.jobs.find((known) => known.name === name && known.uuid !== "");
    if (entry !== undefined) return entry.uuid;
    // No prefixes here: a name that was mistyped would soon be one of some job's UUID.
    const job = jobs.get(name.toLowerCase());
    if (job === undefined) throw invalid("requirements", `there is no job ${quoted(name)}`);
    return job.record.uuid;
  });
}
