// jobletAuthorize(): who may call what, by the role in the caller's certificate, as Joblet's server decides it.
import { type Authorize, Code, type Peer, RpcError } from "@guestwire/rpc";

/** What a caller may be. */
export type JobletRole = "admin" | "viewer";

/** How access is decided. */
export interface JobletAuthorizeOptions {
  /**
   * Decides on services that are not Joblet's, where a server offers others beside. Default: health and reflection are
   * open to everybody, everything else is for admins.
   */
  readonly others?: Authorize;
}

/**
 * What viewers may call: they may look at everything and change nothing. Everything else of these services is for admins.
 * The whole paths, as `/joblet.JobService/ListJobs`.
 */
export const viewerMethods: ReadonlySet<string> = new Set(
  Object.entries({
    JobService: [
      "GetJobStatus",
      "ListJobs",
      "GetJobLogs",
      "StreamJobMetrics",
      "GetJobMetrics",
      "StreamJobTelematics",
      "GetJobTelematics",
      "GetWorkflowStatus",
      "ListWorkflows",
      "GetWorkflowJobs",
    ],
    NetworkService: ["ListNetworks"],
    VolumeService: ["ListVolumes"],
    RuntimeService: ["ListRuntimes", "GetRuntimeInfo", "ValidateRuntimeYAML", "ValidateRuntimeSpec"],
  }).flatMap(([service, methods]) => methods.map((method) => `/joblet.${service}/${method}`)),
);

/**
 * The role of a peer: the first OU of its certificate that is a role, whatever its case.
 *
 * @throws {RpcError} Code.Unauthenticated when the peer showed no certificate; Code.PermissionDenied when no OU is a role.
 */
export function jobletRole(peer: Peer): JobletRole {
  if (peer.identity === undefined) {
    throw new RpcError(Code.Unauthenticated, "Joblet asks for a client certificate");
  }
  for (const unit of peer.identity.subject["OU"] ?? []) {
    const role = unit.toLowerCase();
    if (role === "admin" || role === "viewer") return role;
  }
  throw new RpcError(Code.PermissionDenied, "the OU of the client certificate is neither admin nor viewer");
}

/**
 * Makes the `authorize` of a server or router that offers Joblet's services.
 *
 * MonitoringService asks for no role, as on Joblet's own servers: whoever the TLS of the server lets in may watch.
 *
 * @example
 * const server = serve({ tls: { cert, key, ca, minVersion: "TLSv1.3" }, authorize: jobletAuthorize() });
 */
export function jobletAuthorize(options: JobletAuthorizeOptions = {}): Authorize {
  const { others = adminsOnly } = options;
  return (peer, method, context) => {
    const { service, path, name } = method;
    if (service === "joblet.MonitoringService") return true;
    if (!service.startsWith("joblet.")) return others(peer, method, context);
    if (jobletRole(peer) === "admin" || viewerMethods.has(path)) return true;
    throw new RpcError(Code.PermissionDenied, `${name} is for admins; the client certificate's OU is viewer`);
  };
}

const open = /^grpc\.(health|reflection)\./;

const adminsOnly: Authorize = (peer, { service, name }) => {
  if (open.test(service) || jobletRole(peer) === "admin") return true;
  throw new RpcError(Code.PermissionDenied, `${name} is for admins; the client certificate's OU is viewer`);
};
