/** The search box of an index page: rows follow while somebody types, and the address says what is selected. */
import { show } from "./live";

const TYPING_MS = 180;

let waiting: ReturnType<typeof setTimeout> | undefined;

function box(): HTMLInputElement | null {
  return document.querySelector<HTMLInputElement>("#search [name=select]");
}

/** The address that the form would lead to; a selection begins on the first page. */
function address(form: HTMLFormElement): string {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (String(value).trim()) fields.append(name, String(value).trim());
  const query = String(fields);
  return query ? `${form.action}?${query}` : form.action;
}

async function search(form: HTMLFormElement): Promise<void> {
  clearTimeout(waiting);
  const page = await show(address(form), (answer) => answer.status !== 422);
  const [note, next] = [document.getElementById("select-error"), page?.getElementById("select-error")];
  if (!note || !next) return;
  note.textContent = next.textContent;
  if (next.textContent) box()?.setAttribute("aria-invalid", "true");
  else box()?.removeAttribute("aria-invalid");
}

function typed(event: Event): void {
  const form = event.target === box() && box()?.form;
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => void search(form), TYPING_MS);
}

function submitted(event: SubmitEvent): void {
  if (event.target !== box()?.form) return;
  event.preventDefault();
  void search(event.target as HTMLFormElement);
}

/** `/` goes to the search box, unless somebody writes a slash. */
function pressed(event: KeyboardEvent): void {
  const field = box();
  const writes = event.target instanceof HTMLElement && event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (event.key !== "/" || !field || writes || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  field.focus();
  field.select();
}

export function startSearching(): void {
  document.addEventListener("input", typed);
  document.addEventListener("submit", submitted);
  document.addEventListener("keydown", pressed);
}
