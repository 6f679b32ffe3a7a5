// Test support: a client behind interceptors, and streams of texts for them to answer with.

import type { CallDefaults } from "./channel.js";
import { type Client, createClient } from "./client.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor } from "./interceptor.js";
import type { Handlers } from "./router.js";
import { Words, words } from "./words.test.support.js";

export function open(
  interceptors: readonly Interceptor[],
  handlers: Partial<Handlers<typeof Words>> = {},
  more: CallDefaults = {},
): Client<typeof Words> {
  const channel = createInProcessChannel((router) => router.service(Words, { ...words, ...handlers }), {
    ...more,
    interceptors,
  });
  return createClient(Words, channel);
}

export const text = (value: string): never => ({ $typeName: "google.protobuf.StringValue", value }) as never;

export async function* stream<T>(
  values: Iterable<T> | AsyncIterable<T>,
  ended: () => void = () => {},
): AsyncIterable<never> {
  try {
    for await (const value of values) yield value as never;
  } finally {
    ended();
  }
}
