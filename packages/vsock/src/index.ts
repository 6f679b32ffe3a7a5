// The public face of @guestwire/vsock.
export {};
