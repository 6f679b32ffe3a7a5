// When a job is to start: the text of a request read, and a look at the clock now and then. Knows no job.
import type { GuestClock } from "../../clock.js";
import { invalid, quoted } from "../../errors.js";
import { scheduleLeastMs, scheduleMostMs } from "../limits.js";

const form =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})([.,]\d{1,9})?)?\s?(?:([Zz]|UTC|GMT)|([+-])(\d{2}):?(\d{2}))?$/;

/**
 * Reads the time of a schedule: RFC 3339, or near it: a space in place of the T, no seconds, no colon in the offset. Without an
 * offset it is UTC.
 *
 * @param field The request's field, for errors.
 * @param now In milliseconds since 1970, as the result.
 * @throws {RpcError} Code.InvalidArgument for another form, and for a time less than a minute or more than a year ahead.
 */
export function readSchedule(field: string, text: string, now: number): number {
  const at = parseTime(text.trim());
  if (at === undefined) {
    throw invalid(field, `${quoted(text)} is no time; write it as 2026-01-15T10:30:00Z`);
  }
  const ahead = at - now;
  const bounds = "it must be from 1 minute to 1 year ahead";
  if (ahead < scheduleLeastMs) {
    const seconds = Math.abs(Math.round(ahead / 1000));
    throw invalid(field, `${quoted(text)} is ${seconds} s ${ahead < 0 ? "ago" : "ahead"}; ${bounds}`);
  }
  if (ahead > scheduleMostMs) throw invalid(field, `${quoted(text)} is more than a year ahead; ${bounds}`);
  return at;
}

/** Calls back when the guest's clock has come to a time, however it came there. Keeps no process alive. */
export function whenDue(clock: GuestClock, at: number, lookMs: number, due: () => void): { cancel(): void } {
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const left = at - clock.now();
    if (left <= 0) due();
    else timer = setTimeout(look, Math.min(left, lookMs)).unref();
  };
  timer = setTimeout(look, 0).unref();
  return { cancel: () => clearTimeout(timer) };
}

function parseTime(text: string): number | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second = "00", fraction = ".0", , sign, zoneHour = "00", zoneMinute = "00"] =
    match;
  const numbers = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [y, mo, d, h, mi, s] = numbers;
  if (h > 23 || mi > 59 || s > 59 || Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const date = new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  // Date makes March of "February 30".
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d) return undefined;
  const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return date.getTime() + Math.floor(Number(fraction.replace(",", ".")) * 1000) - offset;
}
