/** The tab: its title with the number of open incidents, and its icon, which has a red dot while there are any. */

const COUNT = /^\(\d+\) /;

/** Returns the page's own title. */
export const titleText = (): string => document.title.replace(COUNT, "");

export function setTitle(text: string): void {
  const title = (openIncidents() ? `(${openIncidents()}) ` : "") + text.replace(COUNT, "");
  if (document.title !== title) document.title = title;
}

/** Returns the number that the navigation shows; empty on a page without navigation. */
export const badgeText = (): string => document.getElementById("open-incidents")?.textContent ?? "";

let marked = "";

/** Shows the number in the navigation in the tab too. Charts learn by the event `incidents` that it is another. */
export function markTab(): void {
  if (badgeText() !== marked) dispatchEvent(new Event("incidents"));
  marked = badgeText();
  setTitle(titleText());
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const wanted = openIncidents() ? icon?.dataset.alarm : icon?.dataset.calm;
  if (icon && wanted && icon.getAttribute("href") !== wanted) icon.href = wanted;
}

const openIncidents = (): number => Number(badgeText()) || 0;
