/** What every page of the commander runs. */
import { startCopying } from "./copy";
import { startDialogs } from "./dialogs";
import { startLive } from "./live";
import { keepTimes } from "./times";

const { url } = document.body.dataset;
// The answer to a form has its own address: a reload asks for the page instead of sending the form again.
if (url) history.replaceState(null, "", url);
addEventListener("popstate", () => {
  if (!location.hash) location.reload();
});
document.documentElement.dataset.script = "";
keepTimes();
startCopying();
startDialogs();
startLive();
