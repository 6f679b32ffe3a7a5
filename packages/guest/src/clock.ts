// The guest's own clock: the host's, moved by what a host set with Ping. Never touches the clock of the system.

// Ping carries whole seconds and takes a while to arrive: a smaller difference is no reason to move anything.
const toleranceMs = 2000;

/** The clock of event timestamps and exit times. */
export interface GuestClock {
  /** The time in milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Sets the time, in whole seconds since 1970; a difference of less than two seconds is ignored. */
  set(seconds: number): void;
}

/** Makes a clock that shows the system's time until it is set. */
export function createClock(): GuestClock {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    set(seconds) {
      const wanted = seconds * 1000 - Date.now();
      if (Math.abs(wanted - offsetMs) >= toleranceMs) offsetMs = wanted;
    },
  };
}
