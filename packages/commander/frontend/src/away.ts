/** Clicks while the commander is away: the page stays as it is and says why. */
import { leave } from "./page";

const AWAY = "The commander does not answer; nothing was changed.";
const ANSWERS_WITHIN_MS = 4_000;
const SHOWN_MS = 8_000;
/** Statuses of a proxy while the commander behind it is away. */
const BY_PROXY = [502, 504];

const sent = new WeakSet<HTMLFormElement>();
let hiding: ReturnType<typeof setTimeout> | undefined;

export function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

/** Whether the commander can be reached now. A live page knows without asking. */
async function answers(): Promise<boolean> {
  if (isSure()) return true;
  try {
    const response = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
    return !BY_PROXY.includes(response.status);
  } catch {
    return false;
  }
}

function isSure(): boolean {
  return document.body.dataset.state === "live" && navigator.onLine;
}

/**
 * Returns whether a proxy asks for its log-in in place of this page. It answers with a redirect, often to another host, which
 * a script may not follow.
 */
export async function wantsLogIn(): Promise<boolean> {
  const response = await fetch(location.href, { cache: "no-store", redirect: "manual" }).catch(() => undefined);
  return response?.type === "opaqueredirect" || response?.status === 401;
}

export function sayAway(): void {
  const note = document.getElementById("away") ?? document.body.appendChild(noteElement());
  note.textContent = AWAY;
  clearTimeout(hiding);
  hiding = setTimeout(() => note.remove(), SHOWN_MS);
}

function noteElement(): HTMLElement {
  const note = document.createElement("p");
  note.id = "away";
  note.role = "alert";
  return note;
}

async function clicked(event: MouseEvent): Promise<void> {
  const link = event.target instanceof Element && event.target.closest<HTMLAnchorElement>("a[href]");
  if (!link || event.defaultPrevented || !isPlain(event) || isSure() || !leadsAway(link)) return;
  event.preventDefault();
  if (await answers()) leave(link.href);
  else sayAway();
}

function leadsAway({ origin, pathname, search, hash }: HTMLAnchorElement): boolean {
  const isHere = pathname === location.pathname && search === location.search;
  return origin === location.origin && !(isHere && hash);
}

async function submitted(event: SubmitEvent): Promise<void> {
  const form = event.target as HTMLFormElement;
  if (event.defaultPrevented || sent.delete(form) || isSure()) return;
  event.preventDefault();
  if (!(await answers())) return sayAway();
  sent.add(form);
  form.requestSubmit(event.submitter);
}

export async function reload(): Promise<void> {
  if (await answers()) location.reload();
  else sayAway();
}

/** Start this after other click handlers: a click that they have prevented is ignored here. */
export function startStaying(): void {
  document.addEventListener("click", (event) => void clicked(event));
  document.addEventListener("submit", (event) => void submitted(event));
}
