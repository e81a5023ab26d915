/** A chart by keyboard: arrows move the cursor of all charts, plus and minus zoom around it, Escape goes back. */
import uPlot from "uplot";
import type { ChartListener } from "./frame";
import type { Window } from "./marks";
import { CURSORS_IN_STEP } from "./plot";

const A_PAGE = 20;

export function startKeys(place: HTMLElement, self: uPlot, shown: Window, listener: ChartListener, reading: (index: number) => string): void {
  let at: number | null = null;
  place.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== place) return;
    const next = moved(event.key, at ?? self.cursor.idx ?? null, self.data[0].length - 1);
    if (next !== null) {
      at = next;
      point(self.data[0][next] ?? 0);
      listener.onReading(reading(next));
    } else if (event.key === "+") zoom(0.5, self, shown, listener);
    else if (event.key === "-") zoom(2, self, shown, listener);
    else if (event.key === "Escape") leave(listener);
    else return;
    event.preventDefault();
  });
  place.addEventListener("pointermove", () => (at = null));
  place.addEventListener("blur", () => {
    at = null;
    point(null);
  });
}

/** Where the cursor goes; the first key puts it at the newest figure. */
export function moved(key: string, at: number | null, last: number): number | null {
  const by: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -A_PAGE, PageDown: A_PAGE, Home: -Infinity, End: Infinity };
  const step = by[key];
  if (step === undefined) return null;
  const next = at === null && Number.isFinite(step) ? last : (at ?? last) + step;
  return Math.max(0, Math.min(last, next));
}

function point(moment_s: number | null): void {
  for (const plot of uPlot.sync(CURSORS_IN_STEP).plots) {
    // The first point may begin before the picture does; uPlot takes what is outside for no cursor at all.
    const left = moment_s === null ? -10 : Math.max(0, plot.valToPos(moment_s, "x"));
    plot.setCursor({ left, top: moment_s === null ? -10 : 10 });
  }
}

function zoom(factor: number, self: uPlot, { from_s, to_s }: Window, listener: ChartListener): void {
  const around_s = self.data[0][self.cursor.idx ?? -1] ?? (factor < 1 ? to_s : (from_s + to_s) / 2);
  const half_s = ((to_s - from_s) * factor) / 2;
  listener.onZoom(around_s - half_s, Math.min(around_s + half_s, Math.max(to_s, Date.now() / 1000)));
}

function leave(listener: ChartListener): void {
  point(null);
  listener.onEscape();
}
