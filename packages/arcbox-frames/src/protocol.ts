// How this wire is called in contexts, channels and events, and where its agents listen.

/** The name of the wire. */
export const protocol: string = "arcbox-frames";

/** The vsock port on which ArcBox's agents listen. */
export const agentPort: number = 1024;
