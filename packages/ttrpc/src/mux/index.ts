// The public face of @guestwire/ttrpc/mux: named exports only.
export { type Mux, type MuxOptions, mux, nriConnection } from "./mux.js";
