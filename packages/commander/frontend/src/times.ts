/** Keeps every `<time datetime data-relative>` true: "12 s ago", and the date once that says more; `data-exact` tells seconds. */
const DAY_S = 86_400;
const near = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const far = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, near);

export function clockText(moment: Date): string {
  return clock.format(moment);
}

function relativeText(moment: Date): string {
  const seconds = Math.max(0, Math.floor((Date.now() - moment.getTime()) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < DAY_S) return `${Math.floor(seconds / 3600)} h ago`;
  return seconds < 7 * DAY_S ? `${Math.floor(seconds / DAY_S)} d ago` : far.format(moment);
}

function tell(time: HTMLTimeElement): void {
  const moment = new Date(time.dateTime);
  const text = "relative" in time.dataset ? relativeText(moment) : (("exact" in time.dataset) ? exact : far).format(moment);
  if (time.textContent !== text) time.textContent = text;
  if (!time.title) time.title = whole.format(moment);
}

/** Local times in `root`, which may not be in the page yet. */
export function localise(root: ParentNode): void {
  for (const time of root.querySelectorAll("time")) tell(time);
}

export function keepTimes(): void {
  localise(document);
  setInterval(() => {
    if (!document.hidden) for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-relative]")) tell(time);
  }, 1000);
}
