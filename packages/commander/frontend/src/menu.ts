/** The menu of a row: one element for all rows, placed beside the button that opened it. */
import { isPlain } from "./away";

function menu(): HTMLElement | null {
  return document.getElementById("row-menu");
}

function items(): HTMLElement[] {
  return [...(menu()?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
}

function open(button: HTMLElement): void {
  const here = menu();
  if (!here) return;
  for (const item of items()) {
    if (item instanceof HTMLAnchorElement) item.href = (item.dataset.to ?? "").replaceAll("{id}", button.dataset.menu ?? "");
  }
  button.focus();
  here.showPopover();
  place(here, button.getBoundingClientRect());
  items()[0]?.focus();
}

/** Below the button, or above it where the window ends. */
function place(here: HTMLElement, button: DOMRect): void {
  const { width, height } = here.getBoundingClientRect();
  const below = button.bottom + height < innerHeight;
  here.style.top = `${Math.max(0, below ? button.bottom : button.top - height)}px`;
  here.style.left = `${Math.max(4, button.right - width)}px`;
}

function clicked(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-menu], #row-menu a") : null;
  if (!link || !isPlain(event)) return;
  if (link.dataset.menu === undefined) return menu()?.hidePopover();
  event.preventDefault();
  open(link);
}

function pressed(event: KeyboardEvent): void {
  const at = items().indexOf(document.activeElement as HTMLElement);
  if (at < 0) return;
  const last = items().length - 1;
  const to = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
  if (event.key === "Tab") menu()?.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items()[to]?.focus();
}

export function startMenus(): void {
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  addEventListener("scroll", () => menu()?.matches(":popover-open") && menu()?.hidePopover(), { passive: true });
}
