// Every bound of the sandbox services, with its value and the reason for it. Nothing else.

/** Bytes in the id of a sandbox: it is the name of a folder and part of a variable of every process in it. */
export const idBytes: number = 128;

/** Events that wait for one subscriber; one that lags further loses the oldest, as ArcBox's subscribers do. */
export const sandboxEventBacklog: number = 1024;

/** Seconds between SIGTERM and SIGKILL where a Stop does not say, as in ArcBox. */
export const sandboxStopSeconds: number = 30;

/** The pauses between two looks whether everything in a stopping sandbox has ended, in milliseconds: the first, and the longest. */
export const endingPauseMs: { readonly first: number; readonly longest: number } = { first: 5, longest: 200 };

/** How long the readers of a command's last output have once the guest closes, in milliseconds. */
export const lastReadMs: number = 1000;

/** The most virtual CPUs that can be asked for: beyond what Linux runs on. */
export const mostVcpus: number = 8192;

/** The most memory that can be asked for, in MiB: 4 PiB, beyond what Linux runs on. */
export const mostMemoryMib: bigint = 2n ** 32n;
