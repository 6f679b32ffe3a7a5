// The errors of a configuration: they say which file, node and field.
import { Code, RpcError } from "@guestwire/rpc";

/**
 * `InvalidArgument`, naming the place.
 *
 * @param where File and field, as `rnx-config.yml: nodes.prod.cert`.
 */
export function configError(where: string, fault: string, cause?: unknown): RpcError {
  return new RpcError(Code.InvalidArgument, `${where} ${fault}`, cause === undefined ? {} : { cause });
}

/** `PermissionDenied` for a file that others can read. */
export function exposedError(path: string, fault: string): RpcError {
  return new RpcError(Code.PermissionDenied, `${path} ${fault}; run: chmod 600 ${path}`);
}
