/** What every page of the commander runs. */
import { reload, startStaying } from "./away";
import { startChoosing } from "./chosen";
import { startCopying } from "./copy";
import { startDialogs } from "./dialogs";
import { startLive } from "./live";
import { startMenus } from "./menu";
import { startSearching } from "./search";
import { keepTimes } from "./times";
import { startReadingFiles } from "./uploads";

const { url } = document.body.dataset;
// The answer to a form has its own address: a reload asks for the page instead of sending the form again.
if (url) history.replaceState(null, "", url);
addEventListener("popstate", () => {
  if (!location.hash) void reload();
});
document.documentElement.dataset.script = "";
keepTimes();
startCopying();
startSearching();
startChoosing();
startMenus();
startReadingFiles();
startDialogs();
startStaying();
// On a phone, navigation and filters are wider than the screen.
for (const link of document.querySelectorAll(".side nav [aria-current], #healths [aria-current]")) {
  link.scrollIntoView({ block: "nearest", inline: "center" });
}
startLive();
