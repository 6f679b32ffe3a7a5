// Connect's context values beside ours: each set leads to the other, so that one call has one of each wherever it goes.
import {
  type ContextKey as ConnectKey,
  type ContextValues as ConnectValues,
  createContextKey as createConnectKey,
  createContextValues as createConnectValues,
} from "@connectrpc/connect";
import { type ContextValues, createContextKey, createContextValues, type HandlerContext } from "@guestwire/rpc";

const toConnect = createContextKey<ConnectValues | undefined>(undefined, { description: "Connect's context values" });
const toOurs = createConnectKey<ContextValues | undefined>(undefined, { description: "Guestwire's context values" });

/**
 * Under this key Connect's handlers and interceptors on a server of ours find our context of the call, with what Connect
 * has no place for: `context.values.get(handlerContext)?.peer.identity`. Everywhere else `undefined`.
 */
export const handlerContext: ConnectKey<HandlerContext | undefined> = createConnectKey<HandlerContext | undefined>(
  undefined,
  { description: "Guestwire's handler context" },
);

/** Connect's context values of a call that has these values of ours: always the same set for the same values. */
export function connectValuesOf(values: ContextValues): ConnectValues {
  return values.get(toConnect) ?? bindValues(values, createConnectValues());
}

/** Our values of a call that has these context values of Connect: always the same set for the same values. */
export function valuesOf(connectValues: ConnectValues): ContextValues {
  const known = connectValues.get(toOurs);
  if (known !== undefined) return known;
  const values = createContextValues();
  bindValues(values, connectValues);
  return values;
}

/** Makes both sets lead to each other from now on. */
export function bindValues(values: ContextValues, connectValues: ConnectValues): ConnectValues {
  values.set(toConnect, connectValues);
  return connectValues.set(toOurs, values);
}
