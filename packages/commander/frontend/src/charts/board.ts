/** The charts of one page: one history, one window in time, one cursor. */
import type { Happening, History } from "./answer";
import type { Band } from "./bands";
import { Chart } from "./chart";
import { Colours } from "./colours";
import type { ChartListener, Frame } from "./frame";
import { type Drawing, drawings, figuresOf, type Wanted } from "./kinds";
import { LiveEdge, type Now, type Taken, trim } from "./now";
import { type Range, SPANS } from "./range";

const LATE_S = 45;

export class Board {
  readonly frame: Frame;
  private charts: Chart[] = [];
  private history: History | undefined;
  private edge: LiveEdge | undefined;
  private span_s = 0;
  private wanted: Wanted = { ids: [], devices: {}, lines: [] };
  /** Lines that the commander was asked for, maybe in vain. */
  private readonly asked = new Set<string>();

  constructor(
    private readonly grid: HTMLElement,
    private readonly listener: ChartListener,
  ) {
    this.frame = { times_s: [], step_s: 1, silence_s: 1, from_s: 0, to_s: 1, events: [], bands: [], colours: new Colours(grid) };
  }

  get step_s(): number | undefined {
    return this.history?.step_s;
  }

  /** Shows `history`; returns whether there is anything to show. */
  take(history: History, range: Range, now: Now | null, wanted: Wanted): boolean {
    this.history = history;
    this.wanted = wanted;
    this.edge = new LiveEdge(history, now, figuresOf(wanted.ids), this.asked);
    const { times_s, step_s, events } = history;
    this.span_s = SPANS[range.span] ?? range.to_s - range.from_s;
    Object.assign(this.frame, { times_s, step_s, silence_s: silenceIn(history), events: sorted(events), from_s: range.from_s, to_s: range.to_s });
    const found = drawings(history, wanted);
    this.lay(found);
    return found.length > 0;
  }

  /** Shows what was wrong meanwhile. */
  mark(bands: Band[]): void {
    this.frame.bands = bands;
    for (const chart of this.charts) chart.plot.redraw(false);
  }

  /** Looks at another time before its figures are there. */
  look({ from_s, to_s }: Range): void {
    Object.assign(this.frame, { from_s, to_s });
    for (const chart of this.charts) chart.redraw();
  }

  /** The newest log; a window that ends now moves on with it. */
  goOn(now: Now, follow: boolean): Taken {
    if (!this.history || !this.edge) return "nothing new";
    const taken = this.edge.take(now);
    if (taken !== "taken" && taken !== "new line") return taken;
    if (follow) {
      this.frame.to_s = Math.max(now.at_s, this.frame.to_s);
      this.frame.from_s = Math.max(this.frame.from_s, this.frame.to_s - this.span_s);
      trim(this.history, this.frame.from_s);
    }
    if (taken === "new line") this.lay(drawings(this.history, this.wanted));
    for (const chart of this.charts) chart.redraw();
    return taken;
  }

  resize(): void {
    for (const chart of this.charts) chart.resize();
  }

  /** The scheme has changed. */
  dye(): void {
    this.frame.colours.read();
    for (const chart of this.charts) chart.plot.redraw(false);
  }

  clear(): void {
    for (const chart of this.charts.splice(0)) chart.plot.destroy();
  }

  /** Charts take the places that the page has for them, so that nothing moves while it is read. */
  private lay(found: Drawing[]): void {
    const before = new Map(this.charts.map((chart) => [chart.drawing.id, chart]));
    const places = new Map([...this.grid.querySelectorAll<HTMLElement>("figure[data-chart]")].map((place) => [place.dataset.chart, place]));
    const wanted = found.map((drawing) => places.get(drawing.id) ?? placeFor(drawing.id));
    for (const place of places.values()) if (!wanted.includes(place)) place.remove();
    wanted.forEach((place, at) => place !== this.grid.children[at] && this.grid.insertBefore(place, this.grid.children[at] ?? null));
    this.charts = found.map((drawing, at) => {
      const chart = before.get(drawing.id);
      before.delete(drawing.id);
      if (chart?.renew(drawing, at === 0)) return chart;
      chart?.plot.destroy();
      return new Chart(wanted[at] ?? placeFor(drawing.id), drawing, this.frame, this.listener, at === 0);
    });
    for (const chart of before.values()) chart.plot.destroy();
  }
}

/** A rig that reports every ten seconds is silent after 45 s; one that reports less often, after two missing reports. */
export function silenceIn({ step_s, times_s, series }: History): number {
  const counts = series.map(({ mean }) => mean.filter((value) => value !== null).length);
  const fullest = series[counts.indexOf(Math.max(...counts))]?.mean ?? [];
  const known = times_s.filter((_, at) => (fullest[at] ?? null) !== null);
  const pauses = known.slice(1).map((time_s, at) => time_s - (known[at] ?? 0)).sort((one, other) => one - other);
  const usual_s = pauses[pauses.length >> 1] ?? step_s;
  return usual_s > step_s ? Math.max(LATE_S, 2.5 * usual_s) : Math.max(LATE_S, 1.5 * step_s);
}

function sorted(events: Happening[]): Happening[] {
  return [...events].sort((one, other) => one.at_s - other.at_s);
}

function placeFor(id: string): HTMLElement {
  const place = document.createElement("figure");
  place.className = "chart";
  place.dataset.chart = id;
  return place;
}
