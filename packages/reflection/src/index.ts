// The public face of @guestwire/reflection: named exports only.
export {};
