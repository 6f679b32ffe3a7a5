// The public face of @guestwire/sandbox.
export {};
