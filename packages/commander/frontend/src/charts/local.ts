/** Fields for times are in UTC for browsers without script, and in the viewer's own time with it. */
import { zoneText } from "../clock";

const done = new WeakSet<HTMLFormElement>();

export function localiseForm(form: HTMLFormElement | null): void {
  if (!form || done.has(form)) return;
  done.add(form);
  const fields = [...form.querySelectorAll<HTMLInputElement>("input[data-utc]")];
  for (const field of fields) field.defaultValue = localText(field.defaultValue);
  for (const zone of form.querySelectorAll("[data-zone]")) zone.textContent = zoneText(new Date());
  form.addEventListener("formdata", ({ formData }) => {
    for (const { name, value } of fields) formData.set(name, utcText(value));
  });
}

/** "2026-11-20T18:30" in UTC, as this place's clocks say it. */
function localText(text: string): string {
  const moment = new Date(`${text}Z`);
  if (Number.isNaN(moment.getTime())) return text;
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function utcText(text: string): string {
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? text : moment.toISOString().replace(/\.\d+/, "");
}
