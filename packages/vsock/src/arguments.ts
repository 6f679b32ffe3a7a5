// Checks what users pass: every refusal names the part that is wrong, before any descriptor is opened.
import { anyPort, cids, type VsockAddress } from "./cids.js";

const longestTimerMs = 2 ** 31 - 1;

/** Checks the address of a dial. @throws {TypeError} @throws {RangeError} naming the part. */
export function checkDialAddress(address: VsockAddress): VsockAddress {
  checkObject("address", address);
  return {
    cid: wholeNumber("address.cid", address.cid, cids.any - 1),
    port: wholeNumber("address.port", address.port, anyPort - 1),
  };
}

/** Checks the address of a listener; `any` is the default of its `cid`. @throws {TypeError} @throws {RangeError} */
export function checkListenAddress(address: { readonly cid?: number | "any"; readonly port: number }): VsockAddress {
  checkObject("address", address);
  const { cid = "any" } = address;
  return {
    cid: cid === "any" ? cids.any : wholeNumber("address.cid", cid, cids.any),
    port: wholeNumber("address.port", address.port, anyPort),
  };
}

/** Checks an options object. @throws {TypeError} */
export function checkObject(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw wrongType(name, "an object", value);
}

/** Checks an optional boolean; its default is `false`. @throws {TypeError} */
export function checkFlag(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw wrongType(name, "a boolean", value);
  return value;
}

/** Checks an optional time limit. @throws {TypeError} @throws {RangeError} */
export function checkTimeout(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw wrongType(name, "a number", value);
  if (!(value > 0 && value <= longestTimerMs)) {
    throw outOfRange(name, `more than 0 and at most ${longestTimerMs} milliseconds`, value);
  }
  return value;
}

/** Checks an optional signal. @throws {TypeError} */
export function checkSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof AbortSignal)) throw wrongType(name, "an AbortSignal", value);
  return value;
}

/** Checks a number from 0 to `most`. @throws {TypeError} @throws {RangeError} */
export function wholeNumber(name: string, value: unknown, most: number): number {
  if (typeof value !== "number") throw wrongType(name, "a number", value);
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw outOfRange(name, `a whole number from 0 to ${most}`, value);
  }
  return value;
}

/** The error for a value of the wrong type, with Node's code. */
export function wrongType(name: string, wanted: string, value: unknown): TypeError {
  const got = value === null ? "null" : typeof value === "string" ? `the string "${value}"` : typeof value;
  return Object.assign(new TypeError(`${name} must be ${wanted}, not ${got}`), { code: "ERR_INVALID_ARG_TYPE" });
}

function outOfRange(name: string, wanted: string, value: number): RangeError {
  return Object.assign(new RangeError(`${name} must be ${wanted}, not ${value}`), { code: "ERR_OUT_OF_RANGE" });
}
