// The scripts that run in a VM: init, which mounts the host's root and enters it, and the command in there. Text only.

/**
 * The init of every VM. What differs from one VM to the next is on the kernel's command line, which hands words with `=` to
 * init as its environment (`gw_token`, `gw_run`, `gw_terminal`), and in the folder `gw_run` of the host.
 */
export const initScript = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
# The port is closed, and with that drained, before the power goes.
leave() { exec 3>&-; poweroff -f; }
fail() { echo "$gw_token FAILED $*" >&3; leave; }
while read -r module; do
  insmod "/modules/$module.ko" || fail "insmod $module"
done </modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 root /mnt || fail "mount the root of the host"
cp -r "/mnt$gw_run" /vm || fail "copy $gw_run"
# /tmp and /run are the VM's own; what lies there and is needed all the same stays in sight.
mkdir /keep
number=0
while read -r path; do
  number=$((number + 1))
  mkdir "/keep/$number"
  mount -o bind "/mnt$path" "/keep/$number" || fail "keep $path"
done </vm/keep
mount -t proc proc /mnt/proc
mount -t sysfs sysfs /mnt/sys
mount --move /dev /mnt/dev
mkdir -p /mnt/dev/shm /mnt/dev/pts
mount -t tmpfs tmpfs /mnt/dev/shm
mount -t devpts devpts /mnt/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /mnt/tmp
mount -t tmpfs -o mode=755 tmpfs /mnt/run
number=0
while read -r path; do
  number=$((number + 1))
  mkdir -p "/mnt$path"
  mount -o bind "/keep/$number" "/mnt$path" || fail "keep $path"
done </vm/keep
cp /vm/command.sh /mnt/run/command.sh
ip link set lo up
read -r uptime idle </proc/uptime
echo "$gw_token READY $uptime" >&3
if [ -n "$gw_terminal" ]; then
  stty -F /mnt/dev/ttyS1 sane
  setsid -c chroot /mnt /bin/sh /run/command.sh <&3 >&3 2>&1
  status=$?
  # The end of the one who had the terminal hung up every other hold on it.
  exec 3<>/mnt/dev/ttyS1
else
  chroot /mnt /bin/sh /run/command.sh </mnt/dev/null >&3 2>&1 3>&-
  status=$?
fi
printf '\\n%s EXIT %s\\n' "$gw_token" "$status" >&3
leave
`;

/** What a command runs with. */
export interface CommandOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder in which it starts. */
  readonly cwd: string;
}

/** The script that becomes the command. */
export function commandScript({ command, env, cwd }: CommandOptions): string {
  const pairs = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  return `cd ${quote(cwd)} || exit 125\nexec env -i ${[...pairs, ...command.map(quote)].join(" ")}\n`;
}

/** A word as a shell reads it back unchanged. */
export function quote(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Those of the paths that the VM's own `/tmp` and `/run` would hide; a path inside another one is not named apart. */
export function keptPaths(paths: readonly string[]): string[] {
  const hidden = [...new Set(paths)].filter((path) => /^\/(tmp|run)\/./.test(path)).sort();
  return hidden.filter((path) => !hidden.some((other) => path.startsWith(`${other}/`)));
}
