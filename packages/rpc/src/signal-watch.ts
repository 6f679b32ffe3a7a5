// Which calls end when a signal fires. Node looks through all listeners of a signal for each that is added or removed, so that
// thousands of calls with one signal would take seconds; here each signal gets one listener, while calls wait for it.

/** Whoever a signal concerns. */
export interface SignalHearer {
  /** The signal fired. */
  signalFired(signal: AbortSignal): void;
}

/** The hearers of one signal. */
class Hearers extends Set<SignalHearer> {
  handleEvent({ target }: Event): void {
    // Each of them leaves as it hears of it, and none comes to a signal that has fired.
    for (const hearer of this) hearer.signalFired(target as AbortSignal);
  }
}

const hearersOf = new WeakMap<AbortSignal, Hearers>();

/** Tells the hearer when the signal fires, until {@link unwatchSignal}. In the order in which they came. */
export function watchSignal(signal: AbortSignal, hearer: SignalHearer): void {
  let hearers = hearersOf.get(signal);
  if (hearers === undefined) {
    hearers = new Hearers();
    hearersOf.set(signal, hearers);
  }
  if (hearers.size === 0) signal.addEventListener("abort", hearers);
  hearers.add(hearer);
}

/** Forgets the hearer; with the last one the signal has no listener any more. Does nothing the second time. */
export function unwatchSignal(signal: AbortSignal, hearer: SignalHearer): void {
  const hearers = hearersOf.get(signal);
  if (hearers?.delete(hearer) && hearers.size === 0) signal.removeEventListener("abort", hearers);
}
