/**
 * Rigs that are ticked on an index page, and the bar with what can be done to them. Shift ticks all rows between two.
 * A button of the bar asks the commander what it would do: the dialog that comes names the rigs and their number.
 */
import { sayAway } from "./away";
import { openDialog } from "./dialogs";
import { parse } from "./page";

const ROWS = "#rows .tick input, #waiting-rows .tick input";
const chosen = new Set<string>();
let every = false; // all that the page lists, also on its other pages
let last: HTMLInputElement | undefined;

function boxes(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>(ROWS)];
}

function listed(): number {
  return Number(document.getElementById("matches")?.dataset.listed ?? 0);
}

function count(): number {
  return every ? listed() : chosen.size;
}

function tick(box: HTMLInputElement, ticked: boolean): void {
  box.checked = ticked;
  if (ticked) chosen.add(box.value);
  else chosen.delete(box.value);
}

function tickBetween(first: HTMLInputElement, second: HTMLInputElement): void {
  const all = boxes();
  const [from, to] = [all.indexOf(first), all.indexOf(second)].sort((a, b) => a - b);
  if (from === undefined || to === undefined || from < 0) return;
  for (const box of all.slice(from, to + 1)) tick(box, second.checked);
}

function clicked(event: MouseEvent): void {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return;
  if (target instanceof HTMLInputElement && target.matches(ROWS)) {
    leaveEvery();
    if (event.shiftKey && last?.isConnected) tickBetween(last, target);
    tick(target, target.checked);
    last = target;
  } else if (target instanceof HTMLInputElement && target.id === "tick-all") {
    leaveEvery();
    for (const box of boxes()) tick(box, target.checked);
  } else if (target.id === "choose-matching") every = true;
  else if (target.id === "choose-none") chooseNone();
  else if (target.dataset.chosen) return void ask(target.dataset.chosen);
  else return;
  show();
}

/** Who takes one of all away means those that are on the page. */
function leaveEvery(): void {
  if (every) for (const box of boxes()) chosen.add(box.value);
  every = false;
}

function chooseNone(): void {
  const focused = document.activeElement?.closest("#chosen");
  every = false;
  chosen.clear();
  for (const box of boxes()) box.checked = false;
  if (focused) document.getElementById("tick-all")?.focus();
}

function show(): void {
  const bar = document.getElementById("chosen");
  const [text, more] = [document.getElementById("chosen-count"), document.getElementById("choose-matching")];
  if (!bar || !text || !more) return;
  const all = boxes();
  if (every) for (const box of all) box.checked = true;
  const [number, many] = [count(), bar.dataset.many ?? ""];
  bar.hidden = !number;
  const words = `${number.toLocaleString("en")} ${number === 1 ? bar.dataset.one : many} chosen`;
  if (text.textContent !== words) text.textContent = words;
  more.hidden = every || listed() <= number || !all.every(({ checked }) => checked);
  more.textContent = `Choose all ${listed().toLocaleString("en")} that match`;
  showWhole(all);
}

/** The box above the rows: ticked, empty, or neither. */
function showWhole(all: HTMLInputElement[]): void {
  const whole = document.getElementById("tick-all");
  if (!(whole instanceof HTMLInputElement)) return;
  const ticked = all.filter(({ checked }) => checked).length;
  whole.checked = ticked > 0 && ticked === all.length;
  whole.indeterminate = ticked > 0 && ticked < all.length;
}

/** Rows come and go while others are ticked: what is not on the page is not chosen, new rows are if all are. */
function follow(): void {
  if (!document.getElementById("chosen") || (!chosen.size && !every)) return;
  const there = new Set(boxes().map(({ value }) => value));
  for (const id of chosen) if (!there.has(id)) chosen.delete(id);
  for (const box of boxes()) box.checked = every || chosen.has(box.value);
  show();
}

async function ask(path: string): Promise<void> {
  const fields = new URLSearchParams({ back: location.search, rigs: ranges([...chosen].map(Number)) });
  if (every) fields.set("every", "yes");
  const response = await fetch(path, { method: "POST", body: fields }).catch(() => undefined);
  const dialog = response?.ok && parse(await response.text()).querySelector("dialog");
  if (dialog) openDialog(dialog);
  else if (response?.redirected) location.assign(response.url);
  else sayAway();
}

/** "1-50,52": thousands of ids are short like this. */
function ranges(ids: number[]): string {
  const found: [number, number][] = [];
  for (const id of ids.sort((a, b) => a - b)) {
    const open = found.at(-1);
    if (open && id === open[1] + 1) open[1] = id;
    else found.push([id, id]);
  }
  return found.map(([first, end]) => (first === end ? `${first}` : `${first}-${end}`)).join();
}

export function startChoosing(): void {
  document.addEventListener("click", clicked);
  for (const id of ["rows", "waiting-rows", "matches"]) watch(document.getElementById(id));
  for (const box of boxes()) box.checked = false; // a browser that comes back would keep them ticked
  show();
}

function watch(place: HTMLElement | null): void {
  if (place) new MutationObserver(follow).observe(place, { childList: true, attributes: place.id === "matches" });
}
