// A part of a page that is looked at again, as long as what it shows goes on: <div id="…" data-live="seconds">. What its reader
// has opened, selected or holds the focus of is left alone.
import { times } from "./manager.js";

async function look(part) {
  const isUsed = part.contains(document.activeElement) || !getSelection().isCollapsed || part.querySelector("details[open]");
  if (!document.hidden && !isUsed) {
    const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null); // the server may be restarting
    if (answer?.ok && !answer.redirected) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.dataset.seen) {
        part.replaceWith(fresh);
        fresh.dataset.seen = fresh.innerHTML;
        times(fresh);
        part = fresh;
      }
    }
  }
  if (part.dataset.live) setTimeout(look, Number(part.dataset.live) * 1000, part);
}

for (const part of document.querySelectorAll("[data-live]")) setTimeout(look, Number(part.dataset.live) * 1000, part);
