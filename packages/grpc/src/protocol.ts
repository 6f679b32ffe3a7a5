// How this wire is called in contexts, channels and events.

/** The name of the wire. */
export const protocol: string = "grpc";
