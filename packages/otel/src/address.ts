// Addresses of channels and peers in the form of the semantic conventions. Looks at their text only.

/** A place, as `server.address` and `server.port` or their `network.peer` siblings hold it. */
export interface Place {
  readonly address: string;
  readonly port: number | undefined;
}

/**
 * A channel's target: the path of a unix socket, host and port, or the whole text where it is neither.
 *
 * @param target As `unix:///run/a.sock`, `tcp://host:port`, `dns:///host:port`, several with commas between.
 */
export function placeOf(target: string): Place {
  const path = /^unix:(?:\/\/)?(.+)$/.exec(target)?.[1];
  if (path !== undefined && !path.includes(",")) return { address: path, port: undefined };
  const [, bracketed, host, port] =
    /^(?:tcp:\/\/|dns:(?:\/\/[^/]*\/)?|ipv[46]:)(?:\[([^\]]+)\]|([^:/,[\]]+)):(\d+)$/.exec(target) ?? [];
  const address = bracketed ?? host;
  return address === undefined || port === undefined
    ? { address: target, port: undefined }
    : { address, port: Number(port) };
}

/** A peer's address; `undefined` where it has none on any network, as within this process. */
export function peerPlace(address: string): Place | undefined {
  return /^(?:unix|tcp):/.test(address) ? placeOf(address) : undefined;
}
