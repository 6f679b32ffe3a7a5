// The guest inside the VM of the nested run: QEMU's command line for it, and its init. Text only; the tests in the VM start it.

/** The guest's CID, as the tests in packages/vsock/test/nested know it. */
export const innerCid = 42;

/** What the guest is made of, as paths that are the same on the host and in the VM. */
export interface InnerGuest {
  readonly qemu: string;
  readonly kernel: string;
  readonly initramfs: string;
}

/** The modules of the guest: vsock over virtio, and the bus below. */
export const innerModules: readonly string[] = ["virtio_pci", "vmw_vsock_virtio_transport"];

/** The guest's init. It becomes the program, whose end is the kernel's panic and with that the end of QEMU. */
export const innerInit = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS0 2>&1
while read -r module; do
  /bin/busybox insmod "/modules/$module.ko" || echo "insmod $module failed"
done </modules/order
exec /bin/program
`;

// What a kernel does for safety at its start, and a guest that is emulated twice had better leave out.
const quickStart = "cryptomgr.notests mitigations=off nokaslr";

/** The command that boots the guest, on one plain processor. The guest's console is QEMU's standard output. */
export function innerCommand({ qemu, kernel, initramfs }: InnerGuest): string[] {
  return [
    ...[qemu, "-accel", "tcg", "-cpu", "qemu64", "-m", "256"],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"],
    ...["-device", `vhost-vsock-pci,guest-cid=${innerCid}`],
    ...["-kernel", kernel, "-initrd", initramfs, "-append", `console=ttyS0 quiet panic=-1 ${quickStart}`],
  ];
}
