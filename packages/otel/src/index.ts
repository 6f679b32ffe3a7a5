// The public face of @guestwire/otel: named exports only.
export {};
