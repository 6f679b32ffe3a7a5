// Every bound of the Joblet services, with its value and the reason for it. Nothing else.

/** Kept output of one job, in bytes: 128 MiB. Beyond that the oldest half goes, so that no job can fill the disk. */
export const outputBytes: number = 128 * 1024 * 1024;

/** Kept measurements of one job, in bytes, and as much for its events: about a day of measurements. */
export const recordBytes: number = 4 * 1024 * 1024;

/**
 * How long the oldest output that is to be dropped is kept for those who are just reading it, in milliseconds: at least
 * 13 MB/s keep up with any job, and nobody can hold a job up for longer.
 */
export const dropWaitMs: number = 5000;

/** Output of a job that waits to be written, in bytes; then the job waits, as on a pipe. */
export const unwrittenBytes: number = 1024 * 1024;

/** One chunk of output to a client, in bytes. */
export const logChunkBytes: number = 64 * 1024;

/** How long a stream of output is silent before a keepalive is sent, in milliseconds. */
export const keepaliveMs: number = 15_000;

/** Jobs that are listed at a time, those that are over included; more are refused until some are deleted. */
export const mostJobs: number = 10_000;

/** Workflows at a time, those that are over included. */
export const mostWorkflows: number = 1000;

/** Jobs of one workflow. */
export const mostWorkflowJobs: number = 1000;

/** The description of a workflow, in bytes: the time that reading YAML takes grows faster than its length. */
export const workflowBytes: number = 256 * 1024;

/** Characters of one expression of requirements, and how many of those one job may have: they are looked at again and again. */
export const expressionLength: number = 64 * 1024;
/** See {@link expressionLength}. */
export const mostRequirements: number = 1000;

/** How deep brackets and NOTs of one requirement may nest: beyond what anybody writes, far below the stack. */
export const mostNesting: number = 100;

/** Entries of one RunJob's uploads. */
export const mostUploads: number = 10_000;

/** How soon a job can be scheduled at the earliest, in milliseconds: 1 minute, as Joblet has it. */
export const scheduleLeastMs: number = 60_000;

/** How far ahead a job can be scheduled, in milliseconds: 1 year of 365 days, as Joblet has it. */
export const scheduleMostMs: number = 365 * 24 * 60 * 60 * 1000;

/** How often it is looked whether a scheduled job is due, in milliseconds: the guest's clock may be set at any time. */
export const scheduleLookMs: number = 1000;

/** How often running jobs are looked at in /proc, in milliseconds. */
export const sampleMs: number = 1000;

/** How often a measurement of a running job is recorded, in milliseconds, as Joblet has it. */
export const metricsMs: number = 5000;

/** Seconds between two measurements of StreamSystemMetrics where the client does not say, as Joblet has it. */
export const systemMetricsSeconds: number = 5;

/** The least seconds between two of them, as Joblet has it. */
export const systemMetricsLeastSeconds: number = 1;

/**
 * How old the measurement must be that rates of single measurements count from, in milliseconds: two clients that ask in
 * turn do not take the time from each other over which a rate means something.
 */
export const rateLeastMs: number = 500;

/** How long one walk through all processes answers for others, in milliseconds: many clients cost what one does. */
export const processesFreshMs: number = 250;

/** How long a walk through all processes may hold up everything else at a time, in milliseconds. */
export const walkSliceMs: number = 5;

/** How many of the processes that use most are told of. */
export const topProcesses: number = 10;

/** How long a command line is shown, in characters: some are megabytes. */
export const commandCharacters: number = 4096;

/** How long the kernel may take to answer for one mount or process, in milliseconds; beyond that it is left out. */
export const kernelAnswerMs: number = 1000;

/** How often the files of a volume are counted, in milliseconds, however often it is asked. */
export const volumeUsageMs: number = 30_000;

/** Runtimes at a time. */
export const mostRuntimes: number = 1000;

/**
 * A runtime's specification, in bytes: 32 KiB are far more than one needs, and the time that reading YAML takes grows with
 * the square of the number of keys.
 */
export const runtimeYamlBytes: number = 32 * 1024;

/** Entries of one list or mapping of a specification. */
export const mostRuntimeEntries: number = 1000;

/** Files of one runtime, and their bytes together: what one message of Joblet's can carry. */
export const mostRuntimeFiles: number = 10_000;
/** See {@link mostRuntimeFiles}. */
export const runtimeFilesBytes: number = 128 * 1024 * 1024;

/** How long a language's program may take to tell its version, in milliseconds: the first start of one from a cold disk. */
export const programMs: number = 10_000;

/** How much of what such a program prints is kept, in bytes. */
export const programOutputBytes: number = 64 * 1024;

/** How many such programs run at a time; the others wait for their turn. */
export const programsAtOnce: number = 4;
