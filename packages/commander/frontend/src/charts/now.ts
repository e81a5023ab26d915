/** The live edge: what a rig said last becomes part of the history that is drawn. */
import { type History, type Key, keyText, type Series } from "./answer";
import { COUNTERS } from "./kinds";

const USUAL_PAUSE_S = 10;

export interface Reading extends Key {
  value: number;
}

export interface Now {
  at_s: number;
  readings: Reading[];
}

/** From the page's `<data id="chart-now">`; null while there is no log. */
export function parseNow(text: string): Now | null {
  if (!text) return null;
  const { at, readings } = JSON.parse(text) as { at: string; readings: Reading[] };
  return { at_s: Date.parse(at) / 1000, readings };
}

/**
 * `ask`: the commander has more than this log. `ask later`: it will have more once a spool is sent. `new line`: a
 * card, coin or metric was reported for the first time and has a series now.
 */
export type Taken = "nothing new" | "taken" | "new line" | "ask" | "ask later";

/** After a longer silence more than the newest log is missing. */
export function silence_s(step_s: number): number {
  return Math.max(90, 2 * step_s);
}

/** Keeps the history of one page going. */
export class LiveEdge {
  private readonly lines: Map<string, Series>;
  private counts = new Map<string, number>();
  /** In the newest bucket: what its mean is made of. */
  private reports: number;

  constructor(
    private readonly history: History,
    private last: Now | null,
    private readonly figures: string[],
    private readonly wanted: Set<string>,
  ) {
    this.lines = new Map(history.series.map((one) => [keyText(one), one]));
    this.reports = last ? Math.max(1, Math.round((last.at_s - this.newest_s()) / USUAL_PAUSE_S)) : 0;
    for (const one of last?.readings ?? []) this.counts.set(keyText(one), one.value);
  }

  take(now: Now): Taken {
    if (this.last && now.at_s <= this.last.at_s) return "nothing new";
    const { times_s, step_s } = this.history;
    const known_s = this.last?.at_s ?? this.newest_s();
    if (!times_s.length || this.hasNew(now)) return "ask";
    if (now.at_s - known_s > silence_s(step_s)) return "ask later";
    if (this.lengthened(now.at_s)) this.reports = 0;
    const before = this.lines.size;
    for (const one of now.readings) this.put(one);
    this.reports += 1;
    this.last = now;
    return this.lines.size > before ? "new line" : "taken";
  }

  /** A card or a coin that was not there before; asked for once, as history may know nothing of it yet. */
  private hasNew(now: Now): boolean {
    const drawn = now.readings.filter(({ figure }) => this.figures.includes(figure));
    const unknown = drawn.map(lineOf).filter((line) => !this.lines.has(line) && !this.wanted.has(line));
    for (const line of unknown) this.wanted.add(line);
    return unknown.length > 0;
  }

  /** When the newest bucket begins. */
  private newest_s(): number {
    return this.history.times_s.at(-1) ?? 0;
  }

  /** Adds buckets until `at_s` falls into the newest; what lies between is a gap. */
  private lengthened(at_s: number): boolean {
    const { times_s, series, step_s } = this.history;
    const before = times_s.length;
    while (at_s >= this.newest_s() + step_s) {
      times_s.push(this.newest_s() + step_s);
      for (const one of series) for (const values of [one.mean, one.min, one.max]) values.push(null);
    }
    return times_s.length > before;
  }

  private put(one: Reading): void {
    const line = this.lines.get(lineOf(one)) ?? this.begun(one);
    if (!line) return;
    if (COUNTERS.has(one.figure)) add(line, this.grown(one));
    else join(line, one.value, this.reports);
  }

  /** A series that begins now and of which the commander's history has nothing yet. */
  private begun(one: Reading): Series | undefined {
    if (!this.figures.includes(one.figure)) return undefined;
    const { figure, algorithm, coin } = one;
    const device = one.device?.startsWith("*") ? null : one.device;
    const unknown = () => this.history.times_s.map(() => null);
    const line: Series = { figure, device, algorithm, coin, mean: unknown(), min: unknown(), max: unknown() };
    this.history.series.push(line);
    this.lines.set(lineOf(one), line);
    return line;
  }

  private grown(one: Reading): number {
    const before = this.counts.get(keyText(one));
    this.counts.set(keyText(one), one.value);
    if (before === undefined) return 0;
    return one.value >= before ? one.value - before : one.value;
  }
}

/** Who counts is summed up in the history. */
function lineOf(one: Key): string {
  return keyText(one.device?.startsWith("*") ? { ...one, device: null } : one);
}

function add(line: Series, more: number): void {
  const at = line.mean.length - 1;
  const count = (line.mean[at] ?? 0) + more;
  for (const values of [line.mean, line.min, line.max]) values[at] = count;
}

function join(line: Series, value: number, reports: number): void {
  const at = line.mean.length - 1;
  const mean = line.mean[at] ?? null;
  line.mean[at] = mean === null ? value : mean + (value - mean) / (reports + 1);
  line.min[at] = Math.min(line.min[at] ?? value, value);
  line.max[at] = Math.max(line.max[at] ?? value, value);
}

/** Forgets what has left the picture on the left. */
export function trim(history: History, from_s: number): void {
  const gone = history.times_s.findIndex((time_s) => time_s > from_s - history.step_s);
  if (gone < 60) return; // moving all arrays for every point would be dear
  history.times_s.splice(0, gone);
  for (const one of history.series) for (const values of [one.mean, one.min, one.max]) values.splice(0, gone);
}
