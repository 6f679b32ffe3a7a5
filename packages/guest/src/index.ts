// The public face of @guestwire/guest: named exports only.
export type { RuntimeOptions } from "./agent/runtime.js";
export { createGuest, type Guest, type GuestOptions } from "./guest.js";
export type { SshOptions } from "./machine/ssh-info.js";
export { defaultStateDir } from "./state/state-folder.js";
export type { FilesystemFreezer } from "./system/filesystems.js";
export { version } from "./version.js";
