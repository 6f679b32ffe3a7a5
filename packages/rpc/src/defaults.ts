// A channel around a channel that adds call defaults and interceptors. Adds nothing to a call that needs nothing.
import { checkSignal, checkTimeout } from "./call-end.js";
import type { CallDefaults, CallOptions, Channel } from "./channel.js";
import { interceptedCalls, sendCall } from "./intercepted-channel.js";
import { type CallNext, composeInterceptors } from "./interceptor.js";
import { Metadata, type MetadataInit } from "./metadata.js";
import { observed } from "./observed-channel.js";

/** What all calls of a channel made here have in common. */
interface Layer {
  /** The channel that makes the calls. */
  readonly channel: Channel;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly metadata: Metadata | undefined;
  /** The interceptors around the real call; `undefined` where there are none. */
  readonly run: CallNext | undefined;
  /** Whether calls are told of to subscribers: of a transport's channel yes, of a channel of the user's own no. */
  readonly observed: boolean;
}

// A client's layer over a channel's layer becomes one, so that a call has one deadline and interceptors see all of it.
const layers = new WeakMap<Channel, Layer>();

/**
 * What `connect()` of a transport gives: the transport's channel with these defaults and interceptors, and with events of
 * its calls (`guestwire:client.call`) as the outermost layer, so that each call is told of once, as its caller made it.
 *
 * @throws {RpcError} Code.InvalidArgument as {@link withDefaults}.
 */
export function transportChannel(channel: Channel, defaults: CallDefaults): Channel {
  return withDefaults(finished({ ...bare, channel, observed: true }), defaults);
}

const bare: Omit<Layer, "channel"> = {
  timeoutMs: undefined,
  signal: undefined,
  metadata: undefined,
  run: undefined,
  observed: false,
};

/**
 * Gives a channel whose calls have these defaults and run through these interceptors. The channel itself stays as it is;
 * closing the result closes it.
 *
 * @param channel The channel to make the calls on. Its own defaults stay where these have none; its own interceptors run
 * inside of these.
 * @param defaults With nothing in it, the channel itself is returned.
 * @throws {RpcError} Code.InvalidArgument when the defaults' timeout, metadata or interceptors are wrong.
 */
export function withDefaults(channel: Channel, defaults: CallDefaults): Channel {
  const { interceptors = [], timeoutMs, metadata, signal } = defaults;
  if (interceptors.length === 0 && timeoutMs === undefined && metadata === undefined && signal === undefined) {
    return channel;
  }
  checkTimeout(timeoutMs);
  checkSignal(signal);
  const below = layers.get(channel);
  const base = below?.channel ?? channel;
  const run = below?.run ?? (interceptors.length === 0 ? undefined : sendCall(base));
  const layer: Layer = {
    channel: base,
    timeoutMs: timeoutMs ?? below?.timeoutMs,
    signal: joinSignals(below?.signal, signal),
    metadata: metadata === undefined ? below?.metadata : joinMetadata(below?.metadata, new Metadata(metadata)),
    run: run === undefined ? undefined : composeInterceptors(interceptors, run),
    observed: below?.observed ?? false,
  };
  return finished(layer);
}

function finished(layer: Layer): Channel {
  const { timeoutMs, signal, metadata, run } = layer;
  const needsNothing = timeoutMs === undefined && signal === undefined && metadata === undefined;
  const made = run !== undefined ? interceptedChannel(layer, run) : needsNothing ? layer.channel : plainChannel(layer);
  const told = layer.observed ? observed(made) : made;
  layers.set(told, layer);
  return told;
}

function plainChannel(layer: Layer): Channel {
  const { channel } = layer;
  const merged = (own: CallOptions | undefined): CallOptions => {
    checkSignal(own?.signal);
    const signal = joinSignals(layer.signal, own?.signal);
    return { ...mergeOptions(layer, own), ...(signal !== undefined && { signal }) };
  };
  return {
    target: channel.target,
    protocol: channel.protocol,
    secure: channel.secure,
    unary: (method, request, options) => channel.unary(method, request, merged(options)),
    stream: (method, request, options) => channel.stream(method, request, merged(options)),
    close: (options) => channel.close(options),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

function interceptedChannel(layer: Layer, run: CallNext): Channel {
  const { channel } = layer;
  const shared = layer.signal === undefined ? [] : [layer.signal];
  const { unary, stream } = interceptedCalls(channel, run, (own) => ({
    own,
    timeoutMs: timeoutOf(layer, own),
    metadata: joinMetadata(layer.metadata, own?.metadata),
    signals: own?.signal === undefined ? shared : [...shared, own.signal],
  }));
  return {
    target: channel.target,
    protocol: channel.protocol,
    secure: channel.secure,
    unary,
    stream,
    close: (options) => channel.close(options),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

function mergeOptions(layer: Layer, own: CallOptions | undefined): CallOptions {
  const timeoutMs = timeoutOf(layer, own);
  const metadata = joinMetadata(layer.metadata, own?.metadata);
  return {
    ...own,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** Only where nothing was given: what is no time (null) is refused, not left aside. */
function timeoutOf(layer: Layer, own: CallOptions | undefined): number | undefined {
  return own?.timeoutMs === undefined ? layer.timeoutMs : own.timeoutMs;
}

function joinSignals(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a === undefined ? b : b === undefined ? a : AbortSignal.any([a, b]);
}

function joinMetadata(a: Metadata | undefined, b: Metadata): Metadata;
function joinMetadata(a: Metadata | undefined, b: MetadataInit | undefined): MetadataInit | undefined;
function joinMetadata(a: Metadata | undefined, b: MetadataInit | undefined): MetadataInit | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const joined = new Metadata(a);
  for (const [key, value] of new Metadata(b)) joined.append(key, value);
  return joined;
}
