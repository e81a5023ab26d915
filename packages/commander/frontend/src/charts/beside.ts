/** What stands beside the charts and depends on the range too (the table, its download): rendered by the commander. */
import { localise } from "../times";
import { localiseForm } from "./local";

let asked: AbortController | undefined;

/** Fetches this page, whose address says the range, and takes over every element marked `data-beside`. */
export async function showBeside(signal: AbortSignal): Promise<void> {
  asked?.abort();
  const own = (asked = new AbortController());
  try {
    const response = await fetch(location.href, { signal: AbortSignal.any([signal, own.signal]) });
    if (response.redirected) return location.reload();
    if (response.status >= 500) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const next of page.querySelectorAll<HTMLElement>("[data-beside]")) {
      localise(next);
      document.getElementById(next.id)?.replaceWith(next);
      localiseForm(next instanceof HTMLFormElement ? next : null);
    }
  } catch {
    // Another range has been chosen meanwhile, or the commander is away: the page says so by itself.
  }
}
