// Ranges of IPv4 addresses in CIDR notation. Pure arithmetic.

/** A range, by its first address and the length of its prefix. */
export interface Cidr {
  readonly first: number;
  readonly prefix: number;
}

// Shorter ones take more than a private range has; longer ones have no room for a gateway and a job.
const shortest = 8;
const longest = 30;

/** Reads "10.10.0.0/24". @returns What is wrong with it, where it is not one. */
export function parseCidr(text: string): Cidr | string {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return "it is no IPv4 range such as 10.10.0.0/24";
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = parts;
  if (Math.max(a, b, c, d) > 255) return "a part of the address is above 255";
  if (prefix < shortest || prefix > longest) return `the prefix must be from ${shortest} to ${longest}`;
  const address = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const first = mask(address, prefix);
  if (first !== address) return `the range begins at ${formatCidr({ first, prefix })}`;
  return { first, prefix };
}

/** The notation that {@link parseCidr} reads. */
export function formatCidr({ first, prefix }: Cidr): string {
  return `${[24, 16, 8, 0].map((shift) => (first >>> shift) & 255).join(".")}/${prefix}`;
}

/** Whether two ranges have an address in common. */
export function overlap(a: Cidr, b: Cidr): boolean {
  const prefix = Math.min(a.prefix, b.prefix);
  return mask(a.first, prefix) === mask(b.first, prefix);
}

function mask(address: number, prefix: number): number {
  return (address & (-1 << (32 - prefix))) >>> 0;
}
