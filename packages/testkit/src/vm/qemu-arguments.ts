// QEMU's command line for a test VM, and the kernel's in it. Pure.

/** What the command line is made of. */
export interface QemuOptions {
  readonly kernel: string;
  readonly initramfs: string;
  readonly memoryMiB: number;
  /** Sets init's marks apart from output. */
  readonly token: string;
  /** The folder on the host with the command and the kept paths. */
  readonly run: string;
  /** Where the kernel's own messages go. */
  readonly consoleLog: string;
  /** Further arguments: devices. */
  readonly devices: readonly string[];
  /** Whether memory is one that another process can map, as vhost-user devices need. */
  readonly sharedMemory: boolean;
  /** Whether the command has a terminal, for a shell. */
  readonly terminal: boolean;
}

/**
 * The arguments of QEMU. The processor is emulated: that works in every CI, and a small kernel is up in two seconds. The kernel
 * talks on the first serial port, the command on the second.
 */
export function qemuArguments(options: QemuOptions): string[] {
  const memory = options.sharedMemory
    ? [
        ...["-object", `memory-backend-memfd,id=memory,size=${options.memoryMiB}M,share=on`],
        ...["-machine", "q35,memory-backend=memory"],
      ]
    : ["-machine", "q35"];
  return [
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", `${options.memoryMiB}`],
    ...memory,
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-chardev", `file,id=console,path=${comma(options.consoleLog)}`, "-serial", "chardev:console"],
    ...["-chardev", "stdio,id=command,signal=off", "-serial", "chardev:command"],
    ...["-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"],
    ...options.devices,
    ...["-kernel", options.kernel, "-initrd", options.initramfs, "-append", kernelCommandLine(options)],
  ];
}

/**
 * The kernel's command line. It hands words with `=` that it does not know to init, as its environment.
 *
 * @throws {Error} when the run's folder has a character in its path that the kernel cannot read back.
 */
export function kernelCommandLine({ token, run, terminal }: Pick<QemuOptions, "token" | "run" | "terminal">): string {
  if (!/^[^"\n]+$/.test(run)) throw new Error(`a VM cannot be given the path ${JSON.stringify(run)}`);
  const folder = run.includes(" ") ? `gw_run="${run}"` : `gw_run=${run}`;
  return `console=ttyS0 quiet panic=-1 gw_token=${token} ${folder}${terminal ? " gw_terminal=yes" : ""}`;
}

// QEMU's options end at a comma; a doubled one is meant as such.
function comma(path: string): string {
  return path.replaceAll(",", ",,");
}
