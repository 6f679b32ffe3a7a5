// The one place that names @guestwire/vsock, which is loaded with the first address that needs it. Apart from the files
// that users' compilers see: without the package its types cannot be found.
import { type Address, formatAddress } from "./address.js";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/**
 * Loads @guestwire/vsock.
 *
 * @throws {RpcError} Code.Unimplemented where it is not installed.
 */
export async function loadVsock(address: Address): Promise<typeof import("@guestwire/vsock")> {
  try {
    return await import("@guestwire/vsock");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    const message = `${formatAddress(address)} needs the package @guestwire/vsock, which is not installed`;
    throw new RpcError(Code.Unimplemented, message, { cause: error });
  }
}
