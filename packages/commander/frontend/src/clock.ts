/** Writes times in the viewer's language, for pages, tables and charts. */
const hours = { hour: "numeric", minute: "2-digit" } as const;
const days = { day: "numeric", month: "short" } as const;

const minute = new Intl.DateTimeFormat(undefined, hours);
const second = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, days);
const date = new Intl.DateTimeFormat(undefined, { weekday: "short", ...days, year: "numeric" });
const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });
const zone = new Intl.DateTimeFormat(undefined, { hour: "numeric", timeZoneName: "short" });

export const minuteText = (moment: Date): string => minute.format(moment);
export const secondText = (moment: Date): string => second.format(moment);
export const dayText = (moment: Date): string => day.format(moment);
export const dateText = (moment: Date): string => date.format(moment);
export const monthText = (moment: Date): string => month.format(moment);

/** A clock of 12 hours needs room for AM and PM. */
export const TWELVE_HOURS = minute.resolvedOptions().hour12 === true;

/** Returns "14:52", with the day if it is not today. */
export function clockText(moment: Date, now = new Date()): string {
  const isToday = date.format(moment) === date.format(now);
  return isToday ? minute.format(moment) : `${day.format(moment)}, ${minute.format(moment)}`;
}

export function zoneText(moment: Date): string {
  return zone.formatToParts(moment).find(({ type }) => type === "timeZoneName")?.value ?? "";
}
