// Lets propagators read and write a call's metadata, under the names they choose: W3C's are traceparent, tracestate and
// baggage, as otelttrpc and gRPC have them.
import type { Metadata } from "@guestwire/rpc";
import type { TextMapGetter, TextMapSetter } from "@opentelemetry/api";

/** Writes into the metadata of a call that is made. What stands under the same name is replaced. */
export const metadataSetter: TextMapSetter<Metadata> = {
  set(metadata, key, value) {
    try {
      metadata.set(key, value);
    } catch {
      // What cannot be sent, as text that is not valid Unicode in baggage, must not end the call.
    }
  },
};

/** Reads from the metadata of a call that is served. */
export const metadataGetter: TextMapGetter<Metadata> = {
  keys: (metadata) => [...new Set([...metadata].map(([key]) => key))],
  get(metadata, key) {
    const values = metadata.getAll(key);
    return values.length > 1 ? values : values[0];
  },
};
