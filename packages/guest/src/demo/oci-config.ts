// A runtime configuration as OCI tools write it. Only a part of it matters on a plain host; a real guest uses all.

/** The `config.json` of a container that runs a command. */
export function ociConfig(args: readonly string[]): Uint8Array {
  const config = {
    ociVersion: "1.2.0",
    hostname: "demo",
    root: { path: "rootfs", readonly: true },
    process: {
      terminal: false,
      user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      args,
      env: ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello from the bundle"],
      cwd: "/",
      noNewPrivileges: true,
    },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }, { type: "uts" }] },
  };
  return Buffer.from(JSON.stringify(config, undefined, 2));
}
