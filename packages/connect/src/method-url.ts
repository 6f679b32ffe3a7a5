// The URL of a call, for Connect's interceptors, who are used to have one. Nothing is ever fetched from it.

/**
 * An address as the front of a URL whose path is the method's: `unix:///run/a.sock` becomes `unix://%2Frun%2Fa.sock`.
 * Addresses that are such a front already, as `tcp://host:port` or `https://host/prefix`, stay as they are.
 */
export function baseUrlOf(address: string): string {
  const url = URL.canParse(`${address}/`) ? new URL(`${address}/`) : undefined;
  if (url !== undefined && url.host !== "" && (url.pathname === "/" || /^https?:$/.test(url.protocol))) return address;
  const [, scheme = "guestwire", rest = address] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(address) ?? [];
  return `${scheme}://${encodeURIComponent(rest) || "local"}`;
}

/** The URL of a method behind a base URL, which may end in a slash. */
export function methodUrl(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/$/, "")}${path}`;
}
