/** A file that somebody chooses in `<input type=file data-into>` is read into the text field of that id. */

async function chosen(event: Event): Promise<void> {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || !field.dataset.into) return;
  const [file] = field.files ?? [];
  const text = document.getElementById(field.dataset.into);
  if (file && text instanceof HTMLTextAreaElement) text.value = await file.text();
}

export function startReadingFiles(): void {
  document.addEventListener("change", (event) => void chosen(event));
}
