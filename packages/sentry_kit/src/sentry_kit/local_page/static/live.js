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
  current.replaceWith(next);
  if (focused) document.getElementById(focused)?.focus();
}

const events = new EventSource("/events");
events.onopen = () => { document.body.dataset.live = "yes"; };
events.onerror = () => { document.body.dataset.live = "no"; };
events.onmessage = (event) => {
  template.innerHTML = event.data;
  for (const next of [...template.content.children]) replace(next);
};
