// Which parts of the code ran, from V8's own block counters. Sees this process only, and only files that are asked for.
import { type Profiler, Session } from "node:inspector";

/** A place in the code that ran for the first time. */
export interface Spot {
  readonly code: string;
  readonly offset: number;
}

/** Watches the code. */
export interface Coverage {
  /** The places that ran since the last look and never before. */
  fresh(): Spot[];
  /** Those of the places that ran since the last look. */
  among(spots: readonly Spot[]): Spot[];
  /** How many bytes of source ran so far. */
  readonly covered: number;
  close(): void;
}

/** @param watches Whether a file's URL is of interest. */
export function startCoverage(watches: (url: string) => boolean): Coverage {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  // With counters and blocks: they begin anew with each look, so that a batch of inputs can be searched for the one.
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const seen = new Map<string, Uint8Array>();
  const interesting = new Map<string, boolean>();
  let covered = 0;

  function take(visit: (code: string, part: Uint8Array) => void): void {
    session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      for (const { scriptId, url, functions } of answer.result) {
        let wanted = interesting.get(scriptId);
        if (wanted === undefined) {
          wanted = watches(url);
          interesting.set(scriptId, wanted);
        }
        if (!wanted) continue;
        for (const one of functions) {
          const part = paint(one);
          if (part !== undefined) visit(`${scriptId}:${one.ranges[0]?.startOffset}:${one.ranges[0]?.endOffset}`, part);
        }
      }
    });
  }

  return {
    get covered() {
      return covered;
    },
    fresh() {
      const spots: Spot[] = [];
      take((code, part) => {
        let known = seen.get(code);
        if (known === undefined) {
          known = new Uint8Array(part.length);
          seen.set(code, known);
        }
        let inside = false;
        for (let offset = 0; offset < part.length; offset++) {
          const isNew = part[offset] === 1 && known[offset] === 0;
          if (isNew) {
            known[offset] = 1;
            covered++;
            if (!inside) spots.push({ code, offset });
          }
          inside = isNew;
        }
      });
      return spots;
    },
    among(spots) {
      const parts = new Map<string, Uint8Array>();
      take((code, part) => parts.set(code, part));
      return spots.filter(({ code, offset }) => parts.get(code)?.[offset] === 1);
    },
    close() {
      session.post("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}

/** A function's text as ones where it ran: ranges lie in each other, the outer ones first. */
function paint({ ranges }: Profiler.FunctionCoverage): Uint8Array | undefined {
  const [whole] = ranges;
  if (whole === undefined || whole.count === 0) return undefined;
  const part = new Uint8Array(whole.endOffset - whole.startOffset);
  for (const { startOffset, endOffset, count } of ranges) {
    part.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
  }
  return part;
}
