// The three things that are kept of a job while it runs: output, measurements, events. Knows no job.
import { AppendLog } from "./append-log.js";

/** The logs of one job. */
export interface JobLogs {
  /** What it wrote, both streams mixed. */
  readonly output: AppendLog;
  /** One JSON line for each measurement. */
  readonly metrics: AppendLog;
  /** One JSON line for each event. */
  readonly events: AppendLog;
}

/** How much is kept, in bytes. */
export interface KeptBytes {
  readonly output: number;
  /** Of measurements, and as much of events. */
  readonly records: number;
}

/** Opens the logs of a job. */
export async function openJobLogs(folder: string, kept: KeptBytes): Promise<JobLogs> {
  const [output, metrics, events] = await Promise.all([
    AppendLog.open(folder, "output", kept.output),
    AppendLog.open(folder, "metrics", kept.records),
    AppendLog.open(folder, "events", kept.records),
  ]);
  return { output, metrics, events };
}

/** Ends all logs; with an error, readers that wait for more get that. */
export async function endJobLogs({ output, metrics, events }: JobLogs, error?: Error): Promise<void> {
  const all = [output, metrics, events];
  await Promise.all(all.map((log) => (error === undefined ? log.end() : log.fail(error))));
}
