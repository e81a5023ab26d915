/**
 * Live page: one WebSocket brings HTML; every element replaces the one with the same id.
 *
 * A frame is "<stamp>\n<html>". The stamp says what this page has seen; the socket opens with the last one, and the
 * commander sends all parts that differ by now. Frames without a stamp belong to no view: the number of open incidents. Top-level elements of the html are applied in order:
 *   <div id="rig-7">…                                      morph the element with that id
 *   <div id="rig-9" data-in="rows" data-before="rig-12">…  insert it, or move it, before that one (or last)
 *   <div id="rig-9" data-in="rows" … data-same>            move it; its content has not changed
 *   <div id="rig-7" data-gone>                             remove it
 *   <span id="rename-7" data-rename="7">rig-07             write this name wherever the page shows the name of rig 7
 *   <a id="leave" data-go="/cpu-gpu">                      go to that page
 * An empty html means "start again": fetch this page and morph <main>.
 */
import { wantsLogIn } from "./away";
import { enter, focusHeading, leave, merge, morph, parse } from "./page";
import { clockText } from "./clock";
import { localise } from "./times";
import { badgeText, markTab, setTitle, titleText } from "./title";

const CONNECT_AGAIN = 1012; // at once: a reverse proxy says who it is, or the commander starts again
const SESSION_ENDED = 4401;
const NOT_SPOKEN_HERE = 4404;
const RETRY_MS = 800;
const ASLEEP_MS = 15_000;
/** After so many failures, and then about once a minute, it asks whether a proxy wants a log-in. */
const [ASK_AT, ASK_EVERY] = [3, 100];
const LOG_IN_ENDED = "Your log-in has ended. Reload the page.";
const frames: string[] = [];
const template = document.createElement("template");
let socket: WebSocket | undefined;
let refreshedAt = 0;
let failures = 0;
let rightAt = new Date();

/** Applies one element of a frame; false if the page is not what the commander takes it for. */
function apply(next: HTMLElement): boolean {
  const current = document.getElementById(next.id);
  const { go, gone, same, rename, in: parentId, before } = next.dataset;
  if (go !== undefined) leave(go);
  else if (gone !== undefined) remove(current);
  else if (rename !== undefined) write(rename, next.textContent ?? "");
  else if (parentId) return place(current, next, parentId, before ?? "", same !== undefined);
  else if (current) morph(current, next);
  if (next.dataset.title) setTitle(next.dataset.title);
  return true;
}

function remove(current: HTMLElement | null): void {
  const focused = current?.contains(document.activeElement);
  current?.remove();
  if (focused) focusHeading();
}

/** Writes the name of a rig into the page. Links have the rig's number and need no change. */
function write(rig: string, name: string): void {
  for (const place of document.querySelectorAll<HTMLElement>(`[data-rig="${rig}"]`)) {
    const heading = place.closest("h1")?.textContent?.trim();
    place.textContent = name;
    if (heading && titleText().startsWith(heading)) {
      setTitle(titleText().replace(heading, place.closest("h1")?.textContent?.trim() ?? ""));
    }
  }
}

function place(current: HTMLElement | null, next: HTMLElement, parentId: string, before: string, same: boolean): boolean {
  const parent = document.getElementById(parentId);
  if (!parent || (same && !current)) return false;
  for (const name of ["in", "before", "same"]) delete next.dataset[name];
  const focused = current?.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(current ?? next, document.getElementById(before));
  if (current && !same) morph(current, next);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true }); // moving an element takes its focus
  return true;
}

function flush(): void {
  for (const frame of frames.splice(0)) {
    const cut = frame.indexOf("\n");
    if (cut && document.body.dataset.seq) document.body.dataset.seq = frame.slice(0, cut); // a page without one keeps none
    template.innerHTML = frame.slice(cut + 1);
    localise(template.content);
    const parts = [...template.content.children] as HTMLElement[];
    if (!parts.length || !parts.map(apply).every(Boolean)) return void refresh();
    markTab();
  }
}

/** Fetches this page again. The socket opens again afterwards: its frames would be about the page before. */
export async function refresh(): Promise<void> {
  hangUp();
  await pause(refreshedAt + RETRY_MS / 2 - Date.now());
  refreshedAt = Date.now();
  try {
    const response = await fetch(location.href);
    if (response.redirected) return leave(response.url);
    if (response.status < 500) merge(parse(await response.text()));
  } catch {
    // The commander is away; the socket's own attempts go on and ask for this again.
  }
  connect();
}

let shows = 0;

/**
 * Shows another address in place of this page, if `isGood` says so of the answer; returns the page that came, or nothing
 * if a newer call has begun meanwhile.
 */
export async function show(address: string, isGood: (answer: Response) => boolean): Promise<Document | undefined> {
  const number = ++shows;
  const response = await fetch(address).catch(() => undefined);
  if (!response) return;
  if (response.redirected) return void leave(response.url);
  const page = parse(await response.text());
  if (number !== shows) return;
  if (!isGood(response)) return page;
  hangUp();
  history.replaceState(null, "", address);
  merge(page);
  connect();
  return page;
}

/** Shows the page that a form was answered with, and listens to its figures. */
export function arrive(page: Document): void {
  hangUp();
  enter(page);
  connect();
}

function hangUp(): void {
  const open = socket;
  socket = undefined;
  frames.length = 0;
  open?.close();
}

function rest(): void {
  hangUp();
  if (document.body.dataset.live) tellState("paused");
}

function lost(code: number): void {
  if (code === SESSION_ENDED) return location.reload();
  if (code === CONNECT_AGAIN) return connect();
  if (code === NOT_SPOKEN_HERE) return void refresh(); // the commander is another version than this page
  tellState("offline");
  failures += 1;
  if (failures % ASK_EVERY === ASK_AT) void askForLogIn();
  void pause(RETRY_MS * (0.25 + 0.75 * Math.random())).then(connect);
}

async function askForLogIn(): Promise<void> {
  const banner = document.getElementById("connection");
  if (banner && (await wantsLogIn()) && document.body.dataset.state === "offline") banner.textContent = LOG_IN_ENDED;
}

export function connect(): void {
  const address = document.body.dataset.live;
  if (document.hidden || socket || !address) return;
  const url = new URL(address, location.href.replace(/^http/, "ws"));
  if (document.body.dataset.seq) url.searchParams.set("seq", document.body.dataset.seq);
  if (badgeText()) url.searchParams.set("badge", badgeText());
  const opened = (socket = new WebSocket(url));
  opened.onopen = () => {
    failures = 0;
    tellState("live");
  };
  opened.onmessage = (event: MessageEvent<string>) => {
    if (socket === opened && frames.push(event.data) === 1) requestAnimationFrame(flush);
  };
  opened.onclose = (event) => {
    if (socket !== opened) return;
    socket = undefined;
    if (!document.hidden) lost(event.code);
  };
}

/** `paused`: the page is not visible, so nothing is asked for. What is shown was right as long as the page was live. */
function tellState(state: "live" | "offline" | "paused"): void {
  const before = document.body.dataset.state;
  if (before === state) return;
  if (before === "live") rightAt = new Date();
  document.body.dataset.state = state;
  const banner = document.getElementById("connection");
  if (banner) banner.textContent = state === "offline" ? `Connection lost. Reconnecting… Figures are from ${clockText(rightAt)}.` : "";
}

function pause(duration_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, duration_ms)));
}

/** A machine that slept, or lost its network, may hold a socket that is dead and does not know it. */
function watchSleep(): void {
  let tickedAt = Date.now();
  setInterval(() => {
    if (Date.now() - tickedAt > ASLEEP_MS) socket?.close();
    tickedAt = Date.now();
  }, 1000);
  addEventListener("offline", () => socket?.close());
}

export function startLive(): void {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : connect()));
  watchSleep();
  connect();
}
