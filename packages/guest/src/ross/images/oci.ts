// The JSON documents of OCI images, as far as they are used here, read with care: they come from anywhere.
import { Code } from "@guestwire/rpc";
import { failure, textOf } from "../../errors.js";
import { hexOf } from "./digest.js";

/** Points to content. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** As "linux/amd64"; empty where it does not say. */
  readonly platform: string;
}

/** What an image is made of. */
export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** An image's configuration. */
export interface Configuration {
  readonly created: string;
  readonly author: string;
  readonly architecture: string;
  readonly os: string;
  readonly diffIds: readonly string[];
  readonly env: readonly string[];
  readonly cmd: readonly string[];
  readonly entrypoint: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly history: readonly History[];
}

/** One step of an image's build. */
export interface History {
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly emptyLayer: boolean;
}

/** The largest document that is read, in bytes: as registries have it. */
export const documentBytes: number = 4 * 1024 * 1024;

/** Whether content of this type is a list of manifests. */
export function isIndex(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.index\.v1|docker\.distribution\.manifest\.list\.v2)\+json$/.test(mediaType);
}

/** Whether content of this type is a manifest. */
export function isManifest(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json$/.test(mediaType);
}

/** Reads a list of manifests. @throws naming what is wrong with it. */
export function parseIndex(bytes: Uint8Array, what: string): Descriptor[] {
  return parsed(bytes, what, (document) => list(document, "manifests").map((entry) => descriptor(entry, "manifests")));
}

/** Reads a manifest. @throws naming what is wrong with it. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  return parsed(bytes, what, (document) => ({
    config: descriptor(document["config"], "config"),
    layers: list(document, "layers").map((entry) => descriptor(entry, "layers")),
  }));
}

/** Reads a configuration. @throws naming what is wrong with it. */
export function parseConfiguration(bytes: Uint8Array, what: string): Configuration {
  return parsed(bytes, what, (document) => {
    const config = document["config"] === undefined ? {} : record(document["config"], "config");
    const rootfs = record(document["rootfs"], "rootfs");
    return {
      created: text(document, "created"),
      author: text(document, "author"),
      architecture: text(document, "architecture"),
      os: text(document, "os"),
      diffIds: texts(rootfs, "diff_ids").map((id) => `sha256:${hexOf(id, "diff_ids")}`),
      env: texts(config, "Env"),
      cmd: texts(config, "Cmd"),
      entrypoint: texts(config, "Entrypoint"),
      workingDir: text(config, "WorkingDir"),
      user: text(config, "User"),
      stopSignal: text(config, "StopSignal"),
      labels: pairs(config, "Labels"),
      history: list(document, "history").map(historyOf),
    };
  });
}

type Json = Readonly<Record<string, unknown>>;

function parsed<T>(bytes: Uint8Array, what: string, read: (document: Json) => T): T {
  try {
    if (bytes.length > documentBytes) throw new Error(`it has more than ${documentBytes} bytes`);
    return read(record(JSON.parse(Buffer.from(bytes).toString("utf8")), "the document"));
  } catch (error) {
    throw failure(Code.Internal, `${what}: ${textOf(error)}`, error);
  }
}

function descriptor(value: unknown, field: string): Descriptor {
  const entry = record(value, field);
  const digest = text(entry, "digest");
  hexOf(digest, `${field}.digest`);
  const size = entry["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw new Error(`${field}.size is no size`);
  const platform = entry["platform"] === undefined ? {} : record(entry["platform"], "platform");
  const os = text(platform, "os");
  return {
    mediaType: text(entry, "mediaType"),
    digest,
    size,
    annotations: pairs(entry, "annotations"),
    platform: os === "" ? "" : `${os}/${text(platform, "architecture")}`,
  };
}

function historyOf(value: unknown): History {
  const entry = record(value, "history");
  return {
    created: text(entry, "created"),
    createdBy: text(entry, "created_by"),
    comment: text(entry, "comment"),
    emptyLayer: entry["empty_layer"] === true,
  };
}

function record(value: unknown, field: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`${field} is no object`);
}

// Go writes empty lists and maps as null.
function list(object: Json, field: string): readonly unknown[] {
  const value = object[field] ?? [];
  if (Array.isArray(value)) return value;
  throw new Error(`${field} is no list`);
}

function text(object: Json, field: string): string {
  const value = object[field] ?? "";
  if (typeof value === "string") return value;
  throw new Error(`${field} is no text`);
}

function texts(object: Json, field: string): string[] {
  return list(object, field).map((value) => {
    if (typeof value === "string") return value;
    throw new Error(`${field} holds what is no text`);
  });
}

function pairs(object: Json, field: string): Record<string, string> {
  const found = object[field] ?? {};
  for (const value of Object.values(record(found, field))) {
    if (typeof value !== "string") throw new Error(`${field} holds what is no text`);
  }
  return { ...(found as Record<string, string>) };
}
