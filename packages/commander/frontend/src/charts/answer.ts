/** What the commander tells of the past: figures, evenly spaced in time, and what happened meanwhile. */

export type Value = number | null;

/** Which figure of what: `device` null is the whole rig (or farm). */
export interface Key {
  figure: string;
  device: string | null;
  algorithm: string | null;
  coin: string | null;
}

export interface Series extends Key {
  mean: Value[];
  min: Value[];
  max: Value[];
}

export interface Happening {
  at_s: number;
  kind: string;
  text: string;
}

export interface History {
  step_s: number;
  times_s: number[];
  series: Series[];
  events: Happening[];
}

interface Answer {
  step_s: number;
  times: string[];
  series: Series[];
  events?: { at: string; kind: string; text: string }[];
}

export interface Asked {
  address: string;
  from_s: number;
  to_s: number;
  points: number;
  figures: string[];
}

/** One answer for all charts of a page. Throws what a person can read. */
export async function fetchHistory(asked: Asked, signal: AbortSignal): Promise<History> {
  const url = new URL(asked.address, location.href);
  url.searchParams.set("from", iso(asked.from_s));
  url.searchParams.set("to", iso(asked.to_s));
  url.searchParams.set("points", String(asked.points));
  if (asked.figures.length) url.searchParams.set("figures", asked.figures.join(","));
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(await refusal(response));
  return understood((await response.json()) as Answer);
}

async function refusal(response: Response): Promise<string> {
  const problem: unknown = await response.json().catch(() => undefined);
  const detail = problem && typeof problem === "object" && "detail" in problem ? String(problem.detail) : "";
  return detail || `The commander answered ${response.status}.`;
}

export function understood(answer: Answer): History {
  const events = (answer.events ?? []).map(({ at, kind, text }) => ({ at_s: Date.parse(at) / 1000, kind, text }));
  return { step_s: answer.step_s, times_s: answer.times.map((time) => Date.parse(time) / 1000), series: answer.series, events };
}

/** Returns the time of the first value; undefined if there is none. */
export function firstFigure_s({ times_s, series }: History): number | undefined {
  return times_s.find((_, at) => series.some(({ mean }) => (mean[at] ?? null) !== null));
}

export function iso(moment_s: number): string {
  return new Date(moment_s * 1000).toISOString();
}

export function keyText({ figure, device, algorithm, coin }: Key): string {
  return JSON.stringify([figure, device, algorithm, coin]);
}
