// Places on the board that the threads of the simulator share: numbers in common memory.

/** The next seed to take, counted from the first one. */
export const boardNext = 0;
/** How many seeds have failed. */
export const boardFailures = 1;
/** From here on, what each thread is at. */
export const boardThreads = 2;
