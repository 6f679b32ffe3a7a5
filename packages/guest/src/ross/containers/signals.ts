// Signals by name or number.
import { constants } from "node:os";
import { invalid, quoted } from "../../errors.js";

/**
 * The number of a signal.
 *
 * @param text As "SIGHUP", "hup" or "1"; empty for the default.
 * @param field How the error names it.
 * @throws {RpcError} Code.InvalidArgument when there is no such signal.
 */
export function signalNumber(text: string, field: string, byDefault: number = constants.signals.SIGTERM): number {
  if (text === "") return byDefault;
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= 64) return number;
  } else {
    const name = text.toUpperCase();
    const found = (constants.signals as Record<string, number>)[name.startsWith("SIG") ? name : `SIG${name}`];
    if (found !== undefined) return found;
  }
  throw invalid(field, `${quoted(text)} is no signal: give a name as SIGTERM or a number from 1 to 64`);
}
