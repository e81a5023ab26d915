/**
 * Updates every `<time datetime>`. `data-relative`: "12 s ago", or the date if it is long ago. `data-lasting`:
 * "for 12 s". `data-clock`: "14:52". `data-exact`: date and time with seconds. Without any: date and time.
 */
import { clockText } from "./clock";

const DAY_S = 86_400;
const far = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const MOVING = "time[data-relative], time[data-lasting], time[data-clock]";

function secondsSince(moment: Date): number {
  return Math.max(0, Math.floor((Date.now() - moment.getTime()) / 1000));
}

function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < DAY_S ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / DAY_S)} d`;
}

function relativeText(moment: Date): string {
  const seconds = secondsSince(moment);
  return seconds < 7 * DAY_S ? `${durationText(seconds)} ago` : far.format(moment);
}

function textOf(time: HTMLTimeElement, moment: Date): string {
  const { dataset } = time;
  if ("relative" in dataset) return relativeText(moment);
  if ("lasting" in dataset) return `for ${durationText(secondsSince(moment))}`;
  if ("clock" in dataset) return clockText(moment);
  return ("exact" in dataset ? exact : far).format(moment);
}

function showTime(time: HTMLTimeElement): void {
  const moment = new Date(time.dateTime);
  const text = textOf(time, moment);
  if (time.textContent !== text) time.textContent = text;
  if (!time.title) time.title = whole.format(moment);
}

/** Local times in `root`, which may not be in the page yet. */
export function localise(root: ParentNode): void {
  for (const time of root.querySelectorAll("time")) showTime(time);
}

export function keepTimes(): void {
  localise(document);
  setInterval(() => {
    if (!document.hidden) for (const time of document.querySelectorAll<HTMLTimeElement>(MOVING)) showTime(time);
  }, 1000);
}
