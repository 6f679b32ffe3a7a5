// Every bound of the Ross services, with its value and the reason for it. Nothing else.

/** One file of a container's log, in bytes: 8 MiB, which a `tail` reads in a moment. */
export const logSegmentBytes: number = 8 * 1024 * 1024;

/** Files of one container's log; the oldest goes when one more is begun. With 8 MiB each: the last 24 to 32 MiB. */
export const logSegments: number = 4;

/** The longest line in a log, in bytes; a longer one becomes several entries, as container runtimes have it. */
export const logLineBytes: number = 16 * 1024;

/** Log entries that wait for the disk, in bytes; beyond that the container waits as on a pipe. */
export const logPendingBytes: number = 1024 * 1024;

/** Pieces of output that wait for one follower, of at most 32 KiB each. */
export const followerPieces: number = 64;

/** Input that waits for one terminal, in bytes. Until then a resize overtakes nothing and waits for nothing. */
export const terminalInputBytes: number = 1024 * 1024;

/** How often a terminal that takes no more input is tried again, in milliseconds. */
export const terminalRetryMs: number = 10;

/** How long the start of an interactive container waits for the size of its terminal, in milliseconds. */
export const firstSizeMs: number = 100;

/** How long the end of a session's requests may turn out to be the caller's leaving before it is typed, in milliseconds. */
export const leaveMs: number = 50;

/** Seconds between SIGTERM and SIGKILL where neither the request nor the container says anything, as in Docker. */
export const stopSeconds: number = 10;

/** The pause between two samples of a stream of statistics, in milliseconds, as in Docker. */
export const statsMs: number = 1000;

/** Commands that Exec recorded for one container; the oldest that does not run goes for a new one. */
export const execsPerContainer: number = 1000;

/** Characters in the name of a container. */
export const nameLength: number = 128;
