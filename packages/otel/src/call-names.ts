// What is the same for all calls of a method on a channel: the span's name and the attributes of spans and metrics, made
// once. Knows no particular call but for its place.
import type { Attributes } from "@opentelemetry/api";
import { placeOf } from "./address.js";
import { attr, oldAttr, oldStatusAttr } from "./conventions.js";
import type { Settings } from "./options.js";
import { type StatusCode, statusName } from "./status.js";
import type { Method } from "./types.js";

/** The names of a method's calls. */
export interface CallNames {
  /** The span's name, as `arcbox.v1.MachineService/Inspect`. */
  readonly name: string;
  /** What a span has from its beginning. */
  readonly span: Attributes;
  /** What each measurement has, new conventions. */
  readonly metric: Attributes;
  /** What each measurement has, old conventions. */
  readonly oldMetric: Attributes;
  readonly ends: Map<StatusCode, EndNames>;
}

/** What a code adds. `failed` and not may both come with the same code. */
export interface EndNames {
  readonly span: Attributes;
  readonly metric: Attributes;
  readonly oldMetric: Attributes;
}

/**
 * Makes a method's names.
 *
 * @param target The channel's target; `undefined` on servers, which do not know what their clients call them.
 */
export function callNames(
  method: Method,
  system: string,
  target: string | undefined,
  { newNames, oldNames, metricServerAddress }: Settings,
): CallNames {
  const service = method.parent.typeName;
  const name = `${service}/${method.name}`;
  const place = target === undefined ? {} : placeAttributes(target);
  const measured = metricServerAddress === false ? {} : place;
  const fresh = { [attr.system]: system, [attr.method]: name };
  const old = { [oldAttr.system]: system, [oldAttr.service]: service, [oldAttr.method]: method.name };
  return {
    name,
    // Where both are asked for, the one key that they share has the new meaning.
    span: { ...(oldNames && old), ...(newNames && fresh), ...place },
    metric: { ...fresh, ...measured },
    oldMetric: { ...old, ...measured },
    ends: new Map(),
  };
}

/**
 * What the end of a call adds to its names.
 *
 * @param failed Whether the code is an error for who looks at it: on servers not all are.
 */
export function endNames(names: CallNames, code: StatusCode, failed: boolean, settings: Settings): EndNames {
  // A call that its reader left has the code of one that was canceled, but did not fail.
  const key = (failed ? code : -code) as StatusCode;
  let made = names.ends.get(key);
  if (made === undefined) {
    const { newNames, oldNames } = settings;
    const system = String(names.metric[attr.system]);
    const status = statusName(code);
    const fresh = { [attr.status]: status, ...(failed && { [attr.errorType]: status }) };
    const old = { [oldStatusAttr(system)]: code };
    made = {
      span: { ...(oldNames && old), ...(newNames && fresh) },
      metric: { ...names.metric, ...fresh },
      oldMetric: { ...names.oldMetric, ...old },
    };
    names.ends.set(key, made);
  }
  return made;
}

function placeAttributes(target: string): Attributes {
  const { address, port } = placeOf(target);
  return { [attr.serverAddress]: address, ...(port !== undefined && { [attr.serverPort]: port }) };
}
