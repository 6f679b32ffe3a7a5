// The errors that the guest answers: a code, a text that ends in containerd's name of the kind, and a standard detail.
// Knows no service.
import { Code, RpcError } from "@guestwire/rpc";
import { BadRequestSchema, PreconditionFailureSchema, ResourceInfoSchema } from "@guestwire/types/google-rpc";

// containerd's clients tell kinds apart by these endings (errdefs).
const kinds: Partial<Record<Code, string>> = {
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "invalid argument",
  [Code.NotFound]: "not found",
  [Code.AlreadyExists]: "already exists",
  [Code.PermissionDenied]: "permission denied",
  [Code.ResourceExhausted]: "resource exhausted",
  [Code.FailedPrecondition]: "failed precondition",
  [Code.Unimplemented]: "not implemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
};

/**
 * An error of any kind, without a detail.
 *
 * @param text What went wrong; the kind's name is put behind it.
 */
export function failure(code: Code, text: string, cause?: unknown): RpcError {
  return new RpcError(code, withKind(code, text), cause === undefined ? {} : { cause });
}

/**
 * `InvalidArgument` with a `google.rpc.BadRequest`.
 *
 * @param field Path of the request's field that is wrong, as in the schema.
 * @param description What is wrong with it; the message is the field, a colon and this.
 */
export function invalid(field: string, description: string): RpcError {
  const details = [{ schema: BadRequestSchema, value: { fieldViolations: [{ field, description }] } }];
  return new RpcError(Code.InvalidArgument, withKind(Code.InvalidArgument, `${field}: ${description}`), { details });
}

/** `NotFound` with a `google.rpc.ResourceInfo`. `type` is a plain word, as "machine". */
export function missing(type: string, name: string, description = "there is none of that name"): RpcError {
  return aboutResource(Code.NotFound, type, name, description);
}

/** `AlreadyExists` with a `google.rpc.ResourceInfo`. `type` is a plain word, as "machine". */
export function exists(type: string, name: string, description = "the name is in use"): RpcError {
  return aboutResource(Code.AlreadyExists, type, name, description);
}

/**
 * `FailedPrecondition` with a `google.rpc.PreconditionFailure` of type STATE.
 *
 * @param subject What is in the wrong state, as `machines/m1`.
 */
export function wrongState(subject: string, description: string): RpcError {
  const details = [
    { schema: PreconditionFailureSchema, value: { violations: [{ type: "STATE", subject, description }] } },
  ];
  const text = withKind(Code.FailedPrecondition, `${subject}: ${description}`);
  return new RpcError(Code.FailedPrecondition, text, { details });
}

/** `Unimplemented`, for what this guest cannot do. */
export function unsupported(text: string): RpcError {
  return failure(Code.Unimplemented, text);
}

/** The text of anything that was thrown, without an `RpcError`'s code in front. */
export function textOf(error: unknown): string {
  if (error instanceof RpcError) return error.rawMessage;
  // What `await using` throws where something failed and its disposal too.
  if (error instanceof Error && "suppressed" in error && "error" in error) {
    return `${textOf(error.suppressed)}; then ${textOf(error.error)}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether a system call failed with one of these codes, as "ENOENT". */
export function isSystemError(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(error.code as string);
}

function aboutResource(code: Code, resourceType: string, resourceName: string, description: string): RpcError {
  const details = [{ schema: ResourceInfoSchema, value: { resourceType, resourceName, description } }];
  return new RpcError(code, withKind(code, `${resourceType} ${quoted(resourceName)}: ${description}`), { details });
}

function withKind(code: Code, text: string): string {
  return `${text}: ${kinds[code] ?? "unknown"}`;
}

/** A name in quotes as it may stand in a message: one line, not endless. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}
