import { expect, test } from "vitest";
import { loadOrder, moduleName, moduleNeeds } from "./kernel-modules.js";

test("whatever a module needs comes before it, and once", async () => {
  const needs: Record<string, string[]> = {
    "9p": ["9pnet", "fscache"],
    "9pnet_virtio": ["9pnet", "virtio", "virtio_ring"],
    fscache: ["netfs"],
    virtio: ["virtio_ring"],
  };
  const order = await loadOrder(["9pnet_virtio", "9p"], async (name) => needs[name] ?? []);
  expect(order).toEqual(["9pnet", "virtio_ring", "virtio", "9pnet_virtio", "netfs", "fscache", "9p"]);
});

test("what is built into the kernel is left out", async () => {
  const order = await loadOrder(["9p"], async (name) =>
    name === "netfs" ? undefined : name === "9p" ? ["netfs"] : [],
  );
  expect(order).toEqual(["9p"]);
});

test("the needs of a module are read from it, in one spelling of names", () => {
  const content = Buffer.from("\x7fELF\0license=GPL\0depends=vhost-iotlb,vhost\0retpoline=Y\0");
  expect(moduleNeeds(content)).toEqual(["vhost_iotlb", "vhost"]);
  expect(moduleNeeds(Buffer.from("\x7fELF\0depends=\0name=vsock\0"))).toEqual([]);
  expect(moduleNeeds(Buffer.from("\x7fELF\0name=vsock\0"))).toEqual([]);
});

test("a module is named after its file", () => {
  expect(["net/9p/9pnet.ko", "kernel/a/snd-hda-intel.ko.xz", "9p.ko.zst"].map(moduleName)).toEqual([
    "9pnet",
    "snd_hda_intel",
    "9p",
  ]);
});
