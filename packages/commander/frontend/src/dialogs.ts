/**
 * Dialogs without leaving the page: a link with `data-dialog` leads to a page with an open dialog; here that dialog is
 * fetched and shown modal, and its form is sent in the background. Without this script both work as link and form.
 */
import { isPlain, sayAway, wantsLogIn } from "./away";
import { arrive, refresh } from "./live";
import { focusHeading, leave, parse } from "./page";

const FAILED = "The commander does not answer; nothing was changed. Try again.";
const LOG_IN_ENDED = "Your log-in has ended; nothing was changed. Reload the page.";

async function open(link: HTMLAnchorElement): Promise<void> {
  const response = await fetch(link.href, { redirect: "manual" }).catch(() => undefined);
  if (!response || response.status === 502) return sayAway();
  const isElsewhere = response.type === "opaqueredirect"; // to another page, or to a proxy's log-in
  const dialog = !isElsewhere && parse(await response.text()).querySelector("dialog");
  if (!dialog) return leave(link.href);
  openDialog(dialog);
}

/** Shows a dialog of a page that was fetched. */
export function openDialog(dialog: HTMLDialogElement): void {
  if (document.querySelector("dialog")) return;
  dialog.open = false;
  document.body.append(dialog);
  showModal(dialog);
}

function showModal(dialog: HTMLDialogElement): void {
  dialog.addEventListener("close", () => closed(dialog));
  dialog.showModal();
  focusField(dialog);
}

function focusField(dialog: HTMLDialogElement): void {
  const field = dialog.querySelector<HTMLElement>("[aria-invalid], [autofocus]");
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
}

function closed(dialog: HTMLDialogElement): void {
  const back = dialog.querySelector<HTMLAnchorElement>("a[data-close]");
  if (back && location.search.includes("dialog=")) history.replaceState(null, "", back.href);
  dialog.remove();
  if (document.activeElement === document.body) focusHeading();
}

async function send(dialog: HTMLDialogElement, form: HTMLFormElement, button: HTMLElement | null): Promise<void> {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form, button)) fields.append(name, String(value));
  form.ariaBusy = "true";
  try {
    await answered(dialog, await fetch(form.action, { method: "POST", body: fields }));
  } catch {
    tellFailure(form, (await wantsLogIn()) ? LOG_IN_ENDED : FAILED);
  } finally {
    form.ariaBusy = null;
  }
}

async function answered(dialog: HTMLDialogElement, response: Response): Promise<void> {
  if (response.redirected) return settled(dialog, response.url);
  if (response.status >= 500) throw new Error(response.statusText);
  const page = parse(await response.text());
  const again = page.querySelector("dialog"); // with errors, or with the result of a preview
  if (again) {
    dialog.replaceChildren(...again.childNodes);
    return focusField(dialog);
  }
  dialog.close();
  arrive(page);
}

async function settled(dialog: HTMLDialogElement, url: string): Promise<void> {
  dialog.close();
  if (new URL(url).pathname !== location.pathname) return leave(url);
  await refresh();
}

function tellFailure(form: HTMLFormElement, text: string): void {
  const note = form.querySelector<HTMLElement>("[data-failure]");
  if (note) note.textContent = text;
}

/** A link in a dialog leads to another dialog, as between its tabs, or closes it. */
function clicked(event: MouseEvent): void {
  const link = event.target instanceof Element && event.target.closest<HTMLAnchorElement>("a[data-dialog], a[data-close]");
  if (!link || !isPlain(event)) return;
  const dialog = link.closest("dialog");
  if ("close" in link.dataset && !dialog?.matches(":modal")) return;
  event.preventDefault();
  dialog?.close();
  if ("dialog" in link.dataset) void open(link);
}

function submitted(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const dialog = form.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") void send(dialog, form, event.submitter);
}

export function startDialogs(): void {
  document.addEventListener("click", clicked);
  document.addEventListener("submit", submitted);
  const dialog = document.querySelector("dialog");
  if (!dialog) return;
  dialog.open = false;
  showModal(dialog);
}
