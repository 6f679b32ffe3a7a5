// Every bound of the Ross client, with its value and the reason for it. Nothing else.

/** The largest message that the Ross daemon takes, in bytes: 4 MiB, what tonic decodes unless told otherwise. */
export const rossMessageBytes: number = 4 * 1024 * 1024;

/** The port that the Ross daemon listens on unless told otherwise. */
export const rossPort = 50051 as const;

/** One message of input, in bytes; longer input is sent in pieces. */
export const inputPieceBytes: number = 64 * 1024;

/** Pieces of one stream that wait while the other one is read. */
export const splitPieces: number = 256;

/** What `collect()` keeps of both streams together unless told otherwise, in bytes: 16 MiB. */
export const collectedBytes: number = 16 * 1024 * 1024;

/** How long a call may stay open behind its exit, in milliseconds. */
export const endMs: number = 1000;
