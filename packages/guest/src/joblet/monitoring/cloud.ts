// The cloud or hypervisor that the machine runs in, by what its firmware says. Asks nobody: no metadata service.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CloudInfoSchema } from "@guestwire/joblet";
import { type Roots, textAt } from "./roots.js";

type Cloud = MessageInitShape<typeof CloudInfoSchema>;

interface Firmware {
  readonly vendor: string;
  readonly product: string;
  readonly bios: string;
  readonly board: string;
  readonly chassisTag: string;
  readonly boardTag: string;
}

// Azure's mark; other machines under Hyper-V have another.
const azureTag = "7783-7084-3265-9085-8269-3286-77";

/** The first that fits counts. */
const known: readonly (readonly [provider: string, hypervisor: string, fits: (of: Firmware) => boolean])[] = [
  ["AWS", "KVM", ({ vendor, bios }) => /^Amazon/.test(vendor) || /^Amazon/.test(bios)],
  ["GCP", "KVM", ({ vendor, product }) => vendor === "Google" || /^Google Compute/.test(product)],
  ["Azure", "Hyper-V", ({ chassisTag }) => chassisTag === azureTag],
  ["Oracle", "KVM", ({ chassisTag }) => /^OracleCloud/.test(chassisTag)],
  ["DigitalOcean", "KVM", ({ vendor }) => vendor === "DigitalOcean"],
  ["Hetzner", "KVM", ({ vendor }) => vendor === "Hetzner"],
  ["Alibaba", "KVM", ({ vendor }) => /^Alibaba/.test(vendor)],
  ["Scaleway", "KVM", ({ vendor }) => vendor === "Scaleway"],
  ["Vultr", "KVM", ({ vendor }) => vendor === "Vultr"],
  ["Linode", "KVM", ({ vendor }) => vendor === "Linode" || vendor === "Akamai"],
  ["OpenStack", "KVM", ({ vendor, product }) => /^OpenStack/.test(vendor) || /^OpenStack/.test(product)],
  ["Hyper-V", "Hyper-V", ({ vendor, product }) => /^Microsoft/.test(vendor) && product === "Virtual Machine"],
  ["VMware", "VMware", ({ vendor }) => /^VMware/.test(vendor)],
  ["VirtualBox", "VirtualBox", ({ vendor, product }) => vendor === "innotek GmbH" || product === "VirtualBox"],
  ["Xen", "Xen", ({ vendor }) => vendor === "Xen"],
  ["KVM", "KVM", ({ vendor, product, bios }) => [vendor, product, bios].some((text) => /QEMU|KVM|SeaBIOS/.test(text))],
];

/** Reads the message; `undefined` where nothing is recognized. */
export async function readCloud({ sys, proc }: Roots): Promise<Cloud | undefined> {
  const of = async (file: string): Promise<string> => (await textAt(sys, `class/dmi/id/${file}`)).trim();
  const firmware: Firmware = {
    vendor: await of("sys_vendor"),
    product: await of("product_name"),
    bios: await of("bios_vendor"),
    board: await of("board_vendor"),
    chassisTag: await of("chassis_asset_tag"),
    boardTag: await of("board_asset_tag"),
  };
  const xen = (await textAt(sys, "hypervisor/type")).trim() === "xen";
  const isGuest = /^flags\s*:.*\bhypervisor\b/m.test(await textAt(proc, "cpuinfo"));
  const [provider, usual] = known.find(([, , fits]) => fits(firmware)) ?? [];
  if (provider === undefined) {
    if (xen) return { provider: "Xen", hypervisorType: "Xen" };
    // A processor says that there is one, and nothing says which.
    return isGuest ? { hypervisorType: "unknown" } : undefined;
  }
  const metadata = { sys_vendor: firmware.vendor, product_name: firmware.product, bios_vendor: firmware.bios };
  return {
    provider,
    // Bare machines of a cloud have its firmware's name, and nothing underneath.
    hypervisorType: xen ? "Xen" : /metal/.test(firmware.product) ? "" : (usual as string),
    ...(provider === "AWS" && aws(firmware)),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== "")),
  };
}

/** Amazon puts its own names where others put parts' numbers. */
function aws({ product, boardTag }: Firmware): Cloud {
  return {
    ...(/^[a-z0-9-]+\.[a-z0-9-]+$/.test(product) && { instanceType: product }),
    ...(/^i-[0-9a-f]+$/.test(boardTag) && { instanceId: boardTag }),
  };
}
