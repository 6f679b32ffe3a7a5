// grpc-js' metadata, but for the padding of base64: gRPC wants bytes sent without it, and grpc-js sends it.
import type { OutgoingHttpHeaders } from "node:http2";
import { Metadata as GrpcMetadata } from "@grpc/grpc-js";

/** Metadata that is sent as the protocol says. */
export class WireMetadata extends GrpcMetadata {
  override clone(): GrpcMetadata {
    const copy = new WireMetadata(this.getOptions());
    copy.merge(this);
    return copy;
  }

  override toHttp2Headers(): OutgoingHttpHeaders {
    const headers = super.toHttp2Headers();
    for (const key in headers) {
      if (!key.endsWith("-bin")) continue;
      const value = headers[key];
      headers[key] = Array.isArray(value) ? value.map(unpadded) : unpadded(String(value));
    }
    return headers;
  }
}

function unpadded(base64: string): string {
  const end = base64.indexOf("=");
  return end < 0 ? base64 : base64.slice(0, end);
}
