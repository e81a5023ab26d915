/** Fetches pages of the commander and brings them into the one that is open. */
import morphdom from "morphdom";
import { localise } from "./times";
import { setTitle } from "./title";

const gentle = {
  onBeforeElUpdated(from: HTMLElement, to: HTMLElement): boolean {
    if ("own" in from.dataset) return false; // a script draws there
    // What a person has typed, opened or ticked is theirs until they send it.
    if (from instanceof HTMLInputElement && to instanceof HTMLInputElement) {
      if (from.value !== from.defaultValue) to.value = from.value;
      if (from.checked !== from.defaultChecked) to.checked = from.checked;
    }
    if (from instanceof HTMLTextAreaElement && from.value !== from.defaultValue) return false;
    if (from instanceof HTMLSelectElement && changedChoice(from)) return false;
    if (from instanceof HTMLDetailsElement && to instanceof HTMLDetailsElement) to.open = from.open;
    return !from.isEqualNode(to);
  },
  // What is shown once (a token) is on no page that can be fetched again.
  onBeforeNodeDiscarded: (node: Node) => !(node instanceof HTMLElement && "once" in node.dataset),
};

function changedChoice({ options, selectedIndex }: HTMLSelectElement): boolean {
  return selectedIndex !== Math.max(0, [...options].findIndex(({ defaultSelected }) => defaultSelected));
}

export function morph(current: Element, next: Element): void {
  morphdom(current, next, gentle);
}

export function parse(html: string): Document {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Shows `page` in place of the open one, without losing focus, input or what is shown once. */
export function merge(page: Document): void {
  const [main, next] = [document.querySelector("main"), page.querySelector("main")];
  if (!main || !next || scripts(page) !== scripts(document)) return location.reload();
  const focused = document.activeElement;
  localise(next);
  morph(main, next);
  adopt(page);
  if (focused && !focused.isConnected) focusHeading();
}

/** Goes to `page`, which came as the answer to a form. */
export function enter(page: Document): void {
  const [main, next] = [document.querySelector("main"), page.querySelector("main")];
  if (!main || !next) return location.reload();
  localise(next);
  main.replaceWith(next);
  if (page.body.dataset.url) history.pushState({ entered: true }, "", page.body.dataset.url);
  adopt(page);
  focusHeading();
}

let leavingFor: string | undefined;

/** Goes to another page, and goes once: after removing a rig, both the form's answer and a frame ask for it. */
export function leave(address: string): void {
  const url = new URL(address, location.href).href;
  if (url === leavingFor) return;
  leavingFor = url;
  addEventListener("pageshow", () => (leavingFor = undefined), { once: true }); // for who comes back
  location.assign(url);
}

/** Names the version of these programs: after an update of the commander the page needs another. */
function scripts(page: Document): string {
  return [...page.querySelectorAll("script")].map(({ src }) => new URL(src, location.href).pathname).join();
}

function adopt(page: Document): void {
  setTitle(page.title);
  for (const name of ["live", "seq"]) {
    const value = page.body.dataset[name];
    if (value === undefined) delete document.body.dataset[name];
    else document.body.dataset[name] = value;
  }
}

/** Where focus goes when the element that had it is gone. */
export function focusHeading(): void {
  document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
}
