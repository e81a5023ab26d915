// Live updates: each event brings elements that replace those with the same id. Without this script the page still works.
"use strict";
const template = document.createElement("template");

// A form that someone is at, or that came back with an error, stays as it is.
function inUse(element) {
  const focused = document.activeElement;
  const typed = (input) => input.value !== input.defaultValue || input.checked !== input.defaultChecked;
  return "keep" in element.dataset || (element.contains(focused) && focused.matches("input, select"))
    || [...element.querySelectorAll("input")].some(typed);
}

function replace(next) {
  const current = document.getElementById(next.id);
  if (!current || current.isEqualNode(next) || inUse(current)) return;
  const focused = current.contains(document.activeElement) ? document.activeElement.id : "";
  for (const open of current.querySelectorAll("details[open][id]")) next.querySelector(`#${open.id}`)?.setAttribute("open", "");
  current.replaceWith(next);
  if (focused) document.getElementById(focused)?.focus();
}

// Elements that a page shows in part only are fetched again, as this page shows them.
async function refresh(marker) {
  const current = document.getElementById(marker.id);
  if (!current || current.isEqualNode(marker)) return;
  current.replaceWith(marker);
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of marker.dataset.refresh.split(" ")) {
    const next = page.getElementById(id);
    if (next) replace(document.adoptNode(next));
  }
  ages();
}

// "7 s ago" moves on by itself; without this script the time of day stands there.
function ages() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
    const [number, unit] = seconds < 100 ? [seconds, "s"] : seconds < 6000 ? [seconds / 60, "min"]
      : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
    time.textContent = `${Math.floor(number)} ${unit} ago`;
  }
}
ages();
setInterval(ages, 1000);

const events = new EventSource("/events");
events.onopen = () => { document.body.dataset.live = "yes"; };
events.onerror = () => { document.body.dataset.live = "no"; };
events.onmessage = (event) => {
  template.innerHTML = event.data;
  for (const next of [...template.content.children]) {
    if ("refresh" in next.dataset) refresh(next);
    else if (next.matches("table:not([id])")) [...next.rows].forEach(replace); // a row alone would not survive parsing
    else replace(next);
  }
  ages();
};
