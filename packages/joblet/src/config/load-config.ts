// loadJobletConfig(): Joblet's rnx-config.yml, found, read and checked. Dials nothing.
import { parseDocument } from "yaml";
import { checkIdentity, type NodeIdentity } from "./certificates.js";
import { configError, exposedError } from "./config-error.js";
import { type FindConfigOptions, findConfig } from "./find-config.js";

/** How a configuration is loaded. */
export interface LoadConfigOptions extends FindConfigOptions {
  /**
   * What to do with a file of one's own that others can read, as it holds private keys: `refuse` (default, as ssh does),
   * `warn` in {@link JobletConfig.warnings}, or `ignore`, for files that a secret manager puts there.
   */
  readonly exposed?: "refuse" | "warn" | "ignore";
}

/** A node of a configuration. */
export interface JobletNodeConfig {
  readonly name: string;
  /** As written: host and port. */
  readonly address: string;
  /** Id of the node; empty where it is not said. */
  readonly nodeId: string;
  readonly isDefault: boolean;
  /** The client's certificate, PEM. */
  readonly cert: string;
  /** Its private key, PEM. Not shown when the object is printed. */
  readonly key: string;
  /** The authorities of the server's certificate, PEM. */
  readonly ca: string;
  /** What the client's certificate says. */
  readonly identity: NodeIdentity;
}

/** A configuration. */
export interface JobletConfig {
  /** Absolute path of the file. */
  readonly path: string;
  /** As written; empty where it is not said. */
  readonly version: string;
  /** The nodes by their names, in the order of the file. */
  readonly nodes: ReadonlyMap<string, JobletNodeConfig>;
  /** What is no error but worth a look: certificates that have expired or soon will, a file that others can read. */
  readonly warnings: readonly string[];
}

/**
 * Loads the client configuration of Joblet.
 *
 * Looked for at `path`; else at `$RNX_CONFIG`; else `rnx-config.yml` in the working directory, in its `config/`, in `~/.rnx/`,
 * `/etc/joblet/` and `/opt/joblet/config/`: the first that is there counts.
 *
 * @throws {RpcError} Code.NotFound when there is none; Code.InvalidArgument naming file, node and field of what is wrong;
 * Code.PermissionDenied when others can read the file.
 */
export async function loadJobletConfig(options: LoadConfigOptions = {}): Promise<JobletConfig> {
  const { path, text, exposed } = await findConfig(options);
  const warnings: string[] = [];
  if (exposed !== undefined && options.exposed !== "ignore") {
    if (options.exposed !== "warn") throw exposedError(path, exposed);
    warnings.push(`${path} ${exposed}`);
  }
  const root = asFields(path, parse(path, text));
  const listed = asFields(`${path}: nodes`, root["nodes"]);
  const nodes = new Map<string, JobletNodeConfig>();
  for (const [name, content] of Object.entries(listed)) {
    const [node, found] = readNode(`${path}: nodes.${name}`, name, content);
    nodes.set(name, node);
    warnings.push(...found);
  }
  if (nodes.size === 0) throw configError(`${path}: nodes`, "is empty");
  const version = root["version"];
  return { path, version: version === undefined || version === null ? "" : String(version), nodes, warnings };
}

function readNode(
  where: string,
  name: string,
  content: unknown,
): [node: JobletNodeConfig, warnings: readonly string[]] {
  const fields = asFields(where, content);
  const text = (field: string): string => {
    const value = fields[field];
    if (value === undefined || value === null || value === "") throw configError(`${where}.${field}`, "is missing");
    if (typeof value !== "string") throw configError(`${where}.${field}`, "is no text");
    return value;
  };
  const address = text("address");
  const pem = { cert: text("cert"), key: text("key"), ca: text("ca") };
  const { isDefault = false, nodeId } = fields;
  if (typeof isDefault !== "boolean") throw configError(`${where}.isDefault`, "is neither true nor false");
  const { identity, warnings } = checkIdentity(where, pem, Date.now());
  const id = nodeId === undefined || nodeId === null ? "" : String(nodeId);
  const node = { name, address, nodeId: id, isDefault, cert: pem.cert, ca: pem.ca, identity };
  // So that a configuration can be logged.
  Object.defineProperty(node, "key", { value: pem.key, enumerable: false });
  return [node as typeof node & { readonly key: string }, warnings];
}

function parse(path: string, text: string): unknown {
  const document = parseDocument(text, { logLevel: "silent" });
  const [problem] = document.errors;
  // Its first line says what and where; what follows shows lines of the file, which may be a key.
  if (problem !== undefined) throw configError(path, `is no YAML: ${problem.message.split("\n", 1)[0]}`);
  try {
    return document.toJS();
  } catch (error) {
    throw configError(path, `cannot be read: ${(error as Error).message}`);
  }
}

function asFields(where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw configError(where, value === undefined || value === null ? "is missing" : "is no mapping");
}
