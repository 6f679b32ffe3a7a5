// The public face of @guestwire/otel: named exports only.
export type { Conventions } from "./conventions.js";
export type { OtelOptions, Outcome, Side } from "./options.js";
export { type Otel, otel } from "./otel.js";
