// What a request asks for that a plain process of the host cannot have: said at its creation, kept in its record.

import { toJson } from "@bufbuild/protobuf";
import { type ContainerConfig, type HostConfig, type NetworkingConfig, ResourcesSchema } from "@guestwire/ross";

const noLimits = "recorded, not enforced: limits need a cgroup of the container's own";
const noMounts = "recorded, not mounted: the container sees the host's files";
const noNetwork = "recorded, without effect: the container uses the host's network";
const noIsolation = "recorded, without effect: the container has no namespaces of its own and the guest's own rights";

// In the words of the schema; a part counts as asked for when it is not at its default.
const hostParts: readonly (readonly [keyof HostConfig & string, field: string, effect: string])[] = [
  ["binds", "binds", noMounts],
  ["mounts", "mounts", noMounts],
  ["tmpfs", "tmpfs", noMounts],
  ["volumesFrom", "volumes_from", noMounts],
  ["readonlyRootfs", "readonly_rootfs", noMounts],
  ["portBindings", "port_bindings", noNetwork],
  ["publishAllPorts", "publish_all_ports", noNetwork],
  ["dns", "dns", noNetwork],
  ["dnsSearch", "dns_search", noNetwork],
  ["dnsOptions", "dns_options", noNetwork],
  ["extraHosts", "extra_hosts", noNetwork],
  ["links", "links", noNetwork],
  ["sysctls", "sysctls", noIsolation],
  ["capAdd", "cap_add", noIsolation],
  ["capDrop", "cap_drop", noIsolation],
  ["privileged", "privileged", noIsolation],
  ["securityOpt", "security_opt", noIsolation],
  ["groupAdd", "group_add", noIsolation],
  ["shmSize", "shm_size", noIsolation],
  ["oomScoreAdj", "oom_score_adj", noLimits],
  ["containerIdFile", "container_id_file", "recorded, not written"],
];

/** The warnings of a request, one for each part. */
export function warningsOf(
  config: ContainerConfig,
  host: HostConfig,
  networking: NetworkingConfig | undefined,
): string[] {
  const warnings: string[] = [];
  const warn = (field: string, effect: string): void => void warnings.push(`${field}: ${effect}`);
  for (const [key, field, effect] of hostParts) if (isSet(host[key])) warn(`host_config.${field}`, effect);
  if (host.networkMode !== "" && host.networkMode !== "host") warn("host_config.network_mode", noNetwork);
  if (host.pidMode !== "" && host.pidMode !== "host") warn("host_config.pid_mode", noIsolation);
  if (host.resources !== undefined && Object.keys(toJson(ResourcesSchema, host.resources) as object).length > 0) {
    warn("host_config.resources", noLimits);
  }
  if (isSet(networking?.endpointsConfig)) warn("networking_config", noNetwork);
  if (isSet(config.volumes)) warn("config.volumes", noMounts);
  if (config.networkDisabled) warn("config.network_disabled", noNetwork);
  if (config.macAddress !== "") warn("config.mac_address", noNetwork);
  if (config.healthcheck !== undefined && config.healthcheck.test[0] !== "NONE") {
    warn("config.healthcheck", "recorded, not run");
  }
  return warnings;
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value !== undefined && value !== "" && value !== false && value !== 0 && value !== 0n;
}
