/** What charts share: the window that they show, and the calls when people use them. */
import type { Happening } from "./answer";
import type { Band } from "./bands";
import type { Colours } from "./colours";
import type { Window } from "./marks";

/** What all charts of a page have in common; it changes in place. */
export interface Frame extends Window {
  times_s: number[];
  step_s: number;
  /** A longer time without figures is a gap. */
  silence_s: number;
  events: Happening[];
  bands: Band[];
  colours: Colours;
}

/** Is called when people use a chart. */
export interface ChartListener {
  onZoom(from_s: number, to_s: number): void;
  onEscape(): void;
  /** What the keyboard's cursor stands at, for those who hear the page. */
  onReading(words: string): void;
}
