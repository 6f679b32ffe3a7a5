// Times that several parts of the transport go by, and why they are what they are. Nothing else.

/** The longest time that a timer of Node counts, in milliseconds: 31 bits, about 25 days. */
export const longestTimerMs: number = 2 ** 31 - 1;

/**
 * How far apart two ends may notice that the same deadline passed, in milliseconds: a server's clock starts when the call
 * arrives, and no timer is exact.
 */
export const deadlineSlackMs = 20;
