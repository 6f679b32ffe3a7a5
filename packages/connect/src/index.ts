// The public face of @guestwire/connect: named exports only.
export {};
