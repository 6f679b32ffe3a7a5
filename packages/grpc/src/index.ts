// The public face of @guestwire/grpc: named exports only.
export {};
