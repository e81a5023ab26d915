/** Bands behind the lines of a chart: what was wrong with the rig, for as long as it was. */
import type uPlot from "uplot";
import { iso } from "./answer";
import type { Colours } from "./colours";
import type { Window } from "./marks";

/** A condition of the rig. `to_s` is null while it lasts. */
export interface Band {
  from_s: number;
  to_s: number | null;
  critical: boolean;
  text: string;
}

interface Answer {
  conditions: { from: string; until: string | null; severity: string; text: string }[];
}

/** Returns what was wrong in a window of time; nothing if the commander does not answer. */
export async function fetchBands(address: string, { from_s, to_s }: Window, signal: AbortSignal): Promise<Band[]> {
  const url = new URL(address, location.href);
  url.searchParams.set("from", iso(from_s));
  url.searchParams.set("to", iso(to_s));
  const response = await fetch(url, { signal });
  return response.ok ? understood((await response.json()) as Answer) : [];
}

export function understood({ conditions }: Answer): Band[] {
  return conditions.map(({ from, until, severity, text }) => ({
    from_s: Date.parse(from) / 1000,
    to_s: until === null ? null : Date.parse(until) / 1000,
    critical: severity === "critical",
    text,
  }));
}

/** The words of what was wrong in a step of the chart. */
export function wrongAt(bands: Band[], at_s: number, step_s: number): string[] {
  const held = bands.filter(({ from_s, to_s }) => from_s < at_s + step_s && (to_s ?? Infinity) > at_s);
  return [...new Set(held.map(({ text }) => text))];
}

export function drawBands(self: uPlot, bands: Band[], { to_s: end_s }: Window, colours: Colours): void {
  const { ctx, bbox } = self;
  const right = bbox.left + bbox.width;
  ctx.save();
  for (const { from_s, to_s, critical } of bands) {
    const from = Math.max(bbox.left, self.valToPos(from_s, "x", true));
    const to = Math.min(right, self.valToPos(to_s ?? end_s, "x", true));
    if (to < bbox.left || from > right) continue;
    ctx.fillStyle = critical ? colours.badFaint : colours.warnFaint;
    ctx.fillRect(from, bbox.top, Math.max(2, to - from), bbox.height);
  }
  ctx.restore();
}
