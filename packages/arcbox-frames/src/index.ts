// The public face of @guestwire/arcbox-frames.
export {};
