// Every bound of the guest, with its value and the reason for it. Nothing else.

/** The longest piece of output in one message, in bytes: 32 KiB, as the stdio contract says. */
export const chunkBytes: number = 32 * 1024;

/** Pieces of output that wait for one subscriber: 64, as the stdio contract says. */
export const subscriberChunks: number = 64;

/** Output kept for the first subscriber while there never was one, per stream, in bytes: 256 KiB, as the contract says. */
export const keptBytes: number = 256 * 1024;

/** How long the last output may wait for slow subscribers once its process ended, in milliseconds, as the contract says. */
export const drainMs: number = 10_000;

/** How long a host has for the last output that goes into its raw streams, in milliseconds, as spinbox's shim waits. */
export const streamDrainMs: number = 30_000;

/**
 * How long an output without news is listened to once its process ended while something else still holds it open, in
 * milliseconds. What the process wrote is in the pipe before it ends, so that one short look is enough.
 */
export const quietMs: number = 100;

/** Input that waits for one process, in bytes: two of the largest messages. More is refused. */
export const stdinBytes: number = 8 * 1024 * 1024;

/** Events that wait for one subscriber; one that lags further has its stream ended with an error. */
export const eventBacklog: number = 4096;

/** Rounds of looking for the processes of a scope that ends: each round kills what forked during the last. */
export const killRounds: number = 20;

/** Looks whether stopped processes stand still, with pauses of 1 to 50 ms: a fifth of a second in all. */
export const freezeRounds: number = 8;

/**
 * How often in a row it is looked again only because some process of the host ended during the look: most of these are
 * others', and one that forks and ends at once is found by the next look.
 */
export const vanishedRounds: number = 2;

/** How long a machine may take to answer for the first time, in milliseconds: a Node start on a busy host. */
export const machineBootMs: number = 30_000;

/** How long a running machine may take to answer, in milliseconds, as ArcBox's host allows its agents. */
export const machineAnswerMs: number = 5000;

/** How long a canceled command gets between SIGTERM and SIGKILL, in milliseconds. */
export const cancelGraceMs: number = 1000;

/** How long processes get between SIGTERM and SIGKILL where nothing else is said, in milliseconds. */
export const stopGraceMs: number = 5000;

/** The same for the commands of a machine that is being stopped: less, so that it ends before its guest kills it. */
export const machineGraceMs: number = 4000;

/** How long PrepareShutdown gives containers, in milliseconds: the host waits 5 seconds for the answer. */
export const prepareGraceMs: number = 3000;

/** How long a socket may take to accept a probe, in milliseconds. */
export const probeMs: number = 1000;

/** How long OnlineCPU waits for a CPU to show up, in milliseconds, as the contract says. */
export const cpuWaitMs: number = 2000;

/** The pause between the answer to a shutdown request and its start, in milliseconds, as ArcBox's agent has it. */
export const shutdownDelayMs: number = 100;
