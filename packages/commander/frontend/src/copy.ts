/** Buttons that copy the text of the element that they name in `data-copy`. */

async function copy(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent?.trim() ?? "");
    return true;
  } catch {
    // Plain HTTP has no clipboard: the text is selected, so that one key copies it.
    getSelection()?.selectAllChildren(source);
    return false;
  }
}

async function clicked(event: MouseEvent): Promise<void> {
  const button = event.target instanceof Element && event.target.closest<HTMLButtonElement>("button[data-copy]");
  const source = button && document.getElementById(button.dataset.copy ?? "");
  if (!source) return;
  const label = button.dataset.label ?? (button.dataset.label = button.textContent ?? "");
  button.textContent = (await copy(source)) ? "Copied" : "Press Ctrl+C";
  setTimeout(() => (button.textContent = label), 2000);
}

export function startCopying(): void {
  document.addEventListener("click", (event) => void clicked(event));
}
