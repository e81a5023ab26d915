/** What happened to the rig, at its moment: a line through every chart, and words above the first. */
import type uPlot from "uplot";
import type { Happening } from "./answer";
import type { Colours } from "./colours";
import { momentText } from "./range";

const TOGETHER_PX = 16;

/** From when to when a chart shows. */
export interface Window {
  from_s: number;
  to_s: number;
}

/** Happenings that would lie over each other are one mark. */
export function groups(events: Happening[], { from_s, to_s }: Window, width_px: number): Happening[][] {
  const near_s = (TOGETHER_PX * (to_s - from_s)) / Math.max(1, width_px);
  const found: Happening[][] = [];
  for (const event of events.filter(({ at_s }) => at_s >= from_s && at_s <= to_s)) {
    const last = found.at(-1);
    if (last && event.at_s - (last[0]?.at_s ?? 0) < near_s) last.push(event);
    else found.push([event]);
  }
  return found;
}

/** The words of what happened at the point of a chart. */
export function near(events: Happening[], at_s: number, step_s: number): string[] {
  return events.filter((event) => event.at_s >= at_s && event.at_s < at_s + step_s).map(({ text }) => text);
}

export function drawMarks(self: uPlot, events: Happening[], colours: Colours): void {
  const { ctx, bbox } = self;
  const pixel = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = colours.warn;
  ctx.lineWidth = pixel;
  ctx.setLineDash([3 * pixel, 3 * pixel]);
  for (const { at_s } of events) {
    const left = Math.round(self.valToPos(at_s, "x", true));
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Buttons above the plot, each with its words on hover and focus. */
export function placeMarks(strip: HTMLElement, self: uPlot, events: Happening[], shown: Window): void {
  const width = self.over.clientWidth;
  const buttons = groups(events, shown, width).map((group) => {
    const left = self.valToPos(group[0]?.at_s ?? 0, "x");
    return markButton(group, Math.round(self.over.offsetLeft + left), left > width / 2);
  });
  if (strip.children.length === buttons.length && buttons.every((button, at) => same(button, strip.children[at]))) return;
  strip.replaceChildren(...buttons);
}

function markButton(group: Happening[], left_px: number, toTheLeft: boolean): HTMLButtonElement {
  const button = document.createElement("button");
  const words = group.map(({ at_s, text }) => `${momentText(at_s, 60)}: ${text}`).join("\n");
  button.type = "button";
  button.className = toTheLeft ? "mark to-the-left" : "mark";
  button.textContent = group.length > 1 ? String(group.length) : "";
  button.ariaLabel = group.length > 1 ? `${group.length} events: ${words}` : words;
  button.dataset.words = words;
  button.style.left = `${left_px}px`;
  return button;
}

function same(one: HTMLElement, other: Element | undefined): boolean {
  return other instanceof HTMLElement && one.style.left === other.style.left && one.dataset.words === other.dataset.words;
}
