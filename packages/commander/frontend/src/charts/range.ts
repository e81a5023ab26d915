/** From when to when: what the page's address says of it, and what people read. */
import { dateText, minuteText, secondText, zoneText } from "../clock";

export interface Range {
  from_s: number;
  to_s: number;
  /** "24h" for the last 24 hours, which go on; empty for a time that has been chosen. */
  span: string;
}

export const SPANS: Record<string, number> = { "1h": 3600, "24h": 86_400, "7d": 604_800, "90d": 7_776_000, "1y": 31_536_000 };
export const USUAL = "24h";
export const SHORTEST_S = 60;
const SHORTEST_YOUNG_S = 3600;

export function lastOf(span: string, now_s: number): Range {
  return { from_s: now_s - (SPANS[span] ?? SPANS[USUAL] ?? 0), to_s: now_s, span: span in SPANS ? span : USUAL };
}

/** Values may lie so far apart. */
const APART_S = 600;

/**
 * Shortens `range` to begin at the first value (`first_s`), with at least an hour. Null if the rig existed before
 * (`born_s`): then it was silent, and the chart shows that. Null, too, if there can be an older value just before.
 */
export function youngRange(range: Range, born_s: number | null, first_s: number | undefined): Range | null {
  if (!range.span || born_s === null || first_s === undefined || born_s <= range.from_s) return null;
  const from_s = Math.min(first_s, range.to_s - SHORTEST_YOUNG_S);
  return from_s > range.from_s + APART_S ? { ...range, from_s } : null;
}

/** Whether `range` is shorter than its name says. */
export function isShortened({ span, from_s, to_s }: Range): boolean {
  return span !== "" && to_s - from_s < (SPANS[span] ?? 0) - 1;
}

/** What is drawn with the mouse may be a few pixels wide; nothing can be seen in less than a minute. */
export function chosen(from_s: number, to_s: number): Range {
  const lacking = Math.max(0, SHORTEST_S - (to_s - from_s)) / 2;
  return { from_s: Math.floor(from_s - lacking), to_s: Math.ceil(to_s + lacking), span: "" };
}

export function ofAddress(parameters: URLSearchParams, now_s: number): Range {
  const [from_s, to_s] = [moment(parameters.get("from")), moment(parameters.get("to")) ?? now_s];
  if (from_s !== null && from_s < to_s) return { from_s, to_s, span: "" };
  return lastOf(parameters.get("range") ?? USUAL, now_s);
}

/** The page's address with another range; which page of the table was open is over with it. */
export function address(here: URL, range: Range): URL {
  const url = new URL(here);
  for (const name of ["range", "from", "to", "before", "page", "dialog"]) url.searchParams.delete(name);
  if (range.span) url.searchParams.set("range", range.span);
  else {
    url.searchParams.set("from", seconds(range.from_s));
    url.searchParams.set("to", seconds(range.to_s));
  }
  return url;
}

export function seconds(moment_s: number): string {
  return new Date(moment_s * 1000).toISOString().replace(/\.\d+/, "");
}

function moment(text: string | null): number | null {
  const parsed = Date.parse(zoned(text ?? ""));
  return Number.isNaN(parsed) ? null : parsed / 1000;
}

/** A time without a zone is UTC, as it is for the commander. */
function zoned(text: string): string {
  return /(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
}

export function rangeText({ from_s, to_s }: Range): string {
  const [from, to] = [new Date(from_s * 1000), new Date(to_s * 1000)];
  const sameDay = dateText(from) === dateText(to);
  const end = sameDay ? minuteText(to) : `${dateText(to)}, ${minuteText(to)}`;
  return `${dateText(from)}, ${minuteText(from)} – ${end} ${zoneText(to)}`;
}

export function momentText(moment_s: number, step_s: number): string {
  const moment = new Date(moment_s * 1000);
  return `${dateText(moment)}, ${step_s < 60 ? secondText(moment) : minuteText(moment)}`;
}

export function stepText(step_s: number): string {
  const [unit_s, unit] = step_s < 60 ? [1, "second"] : step_s < 3600 ? [60, "minute"] : step_s < 86_400 ? [3600, "hour"] : [86_400, "day"];
  const number = Number((step_s / unit_s).toFixed(1));
  return number === 1 ? `one point every ${unit}` : `one point every ${number} ${unit}s`;
}
