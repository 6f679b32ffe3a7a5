// Typed values that travel with one call inside one process: from interceptor to interceptor to handler. Never on a wire.

/** Names one value and its type. Made by {@link createContextKey}. */
export interface ContextKey<T> {
  /** For logs. */
  readonly description: string;
  /** What `get` gives where nothing was set. */
  readonly defaultValue: T;
}

/** A place for typed values of one call. */
export interface ContextValues {
  /** The value of a key, or the key's default. */
  get<T>(key: ContextKey<T>): T;
  /** Sets a value. */
  set<T>(key: ContextKey<T>, value: NoInfer<T>): this;
  /** Whether a value was set. */
  has(key: ContextKey<unknown>): boolean;
  /** Takes a value away; says whether there was one. */
  delete(key: ContextKey<unknown>): boolean;
}

/**
 * Makes a key for a value that interceptors and handlers share.
 *
 * @param defaultValue What `get` gives where nothing was set.
 * @param options `description` names the key in logs; default "".
 */
export function createContextKey<T>(defaultValue: T, options: { readonly description?: string } = {}): ContextKey<T> {
  return Object.freeze({ description: options.description ?? "", defaultValue });
}

/** Makes an empty set of values, to be given to a call as `values`. */
export function createContextValues(): ContextValues {
  return new Values();
}

class Values implements ContextValues {
  // Made with the first value: most calls have none.
  #values: Map<unknown, unknown> | undefined;

  get<T>(key: ContextKey<T>): T {
    return this.#values?.has(key) ? (this.#values.get(key) as T) : key.defaultValue;
  }

  set<T>(key: ContextKey<T>, value: T): this {
    this.#values ??= new Map();
    this.#values.set(key, value);
    return this;
  }

  has(key: ContextKey<unknown>): boolean {
    return this.#values?.has(key) ?? false;
  }

  delete(key: ContextKey<unknown>): boolean {
    return this.#values?.delete(key) ?? false;
  }
}
