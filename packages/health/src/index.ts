// The public face of @guestwire/health: named exports only.
export {};
