// The short forms of image names, as people write them. Looks nothing up.

/** A repository without what everyone leaves out: "docker.io/library/alpine" is "alpine". */
export function familiar(repository: string): string {
  const bare = repository.replace(/^(?:index\.)?docker\.io\//, "");
  return bare === repository && /^(?:[^/]*[.:][^/]*|localhost)\//.test(repository)
    ? bare
    : bare.replace(/^library\/(?=[^/]+$)/, "");
}

/** Splits "docker.io/library/alpine:3.20@sha256:…" into its repository in the short form and its tag. */
export function familiarName(name: string): { repository: string; tag: string } {
  const bare = name.replace(/@.*$/, "");
  const colon = bare.lastIndexOf(":");
  // A colon in front of a slash belongs to a port.
  const tagged = colon > bare.lastIndexOf("/");
  return { repository: familiar(tagged ? bare.slice(0, colon) : bare), tag: tagged ? bare.slice(colon + 1) : "latest" };
}
