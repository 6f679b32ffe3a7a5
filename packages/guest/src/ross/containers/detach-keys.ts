// Finds the keys that detach a terminal in what is typed, as "ctrl-p,ctrl-q". Knows no terminal.
import { invalid, quoted } from "../../errors.js";

/** Looks for a sequence of keys. */
export class DetachKeys {
  readonly #sequence: readonly number[];
  #matched = 0;

  /**
   * @param text Keys with commas between: a character, or "ctrl-" and one of `a`-`z @ [ \ ] ^ _`. Empty: none.
   * @throws {RpcError} Code.InvalidArgument.
   */
  constructor(text: string) {
    this.#sequence = text === "" ? [] : text.split(",").map(keyCode);
  }

  /** @returns What goes on to the program, and whether the whole sequence was typed; what came after it is dropped. */
  pass(data: Uint8Array): { readonly data: Uint8Array; readonly detached: boolean } {
    const keys = this.#sequence;
    if (keys.length === 0) return { data, detached: false };
    const out: number[] = [];
    for (const byte of data) {
      if (byte !== keys[this.#matched] && this.#matched > 0) {
        out.push(...keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== keys[this.#matched]) out.push(byte);
      else if (++this.#matched === keys.length) return { data: Uint8Array.from(out), detached: true };
    }
    return { data: Uint8Array.from(out), detached: false };
  }
}

function keyCode(key: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control === undefined) throw invalid("detach_keys", `${quoted(key)} is no key: write as ctrl-p,ctrl-q`);
  return control.toUpperCase().charCodeAt(0) & 0x1f;
}
