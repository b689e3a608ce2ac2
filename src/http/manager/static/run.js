// Shows a run as it goes on, from its events: its cells change in place. When it begins, and when it has ended, what the page shows is
// fetched once more, with what is known then.
import { base, tell, times } from "./manager.js";

const MOST = 100_000; // characters of what is printed
const FINAL = ["succeeded", "failed", "timed_out", "cancelled", "interrupted"];
const KINDS = { running: "busy live", ok: "good", failed: "bad" }; // as in run_cell.html
const main = document.querySelector("main");
const find = (what) => main.querySelector(what);

/** Puts what the server shows now in place of what is shown. */
async function renew() {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null); // the server may be restarting
  if (!answer?.ok || answer.redirected) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const hadFocus = main.contains(document.activeElement);
  main.replaceChildren(...fresh.querySelector("main").childNodes);
  document.title = fresh.title;
  times(main);
  if (hadFocus) main.focus({ preventScroll: true });
}

/** Milliseconds as src/templates/manager.rs shows them, up to an hour. */
function duration(ms) {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

function show(step, state, took = "") {
  if (!step) return;
  const tag = step.querySelector(".tag");
  tag.className = `tag ${KINDS[state] ?? ""}`;
  tag.textContent = state;
  step.querySelector(".took").textContent = took;
  if (state === "running") step.setAttribute("aria-current", "step");
  else step.removeAttribute("aria-current");
}

function watch(run) {
  const events = new EventSource(`${base}/v1/runs/${run}/events`);
  const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
  const cells = new Map(); // what is known of those of this attempt
  const count = () => {
    const ended = [...cells.values()].filter(({ state }) => state !== "running").length;
    find("#cells").value = ended;
    find("#told").textContent = `${ended} of ${find("#cells").max} cells`;
  };
  const step = (cell) => find(`[data-cell="${cell}"]`);

  on("state", async ({ state }) => {
    if (FINAL.includes(state)) {
      events.close();
      await renew();
      tell(`The run has ended: ${state.replace("_", " ")}.`, state === "succeeded" ? "good" : "bad");
      return;
    }
    for (const cell of cells.keys()) show(step(cell), "waiting");
    cells.clear(); // a further attempt begins with the first cell
    count();
    if (state === "queued" || find("[data-run]").dataset.state !== "queued") return;
    await renew(); // with the parameters; what happened meanwhile is newer
    for (const [cell, { state, took }] of cells) show(step(cell), state, took);
    count();
  });
  on("cell", ({ cell, status, at }) => {
    const time = Date.parse(at);
    const now = { state: "running", took: "", began: time };
    if (status !== "started") {
      now.state = status === "ok" ? "ok" : "failed";
      now.took = duration(time - (cells.get(cell)?.began ?? time));
    }
    cells.set(cell, now);
    show(step(cell), now.state, now.took);
    count();
  });
  on("progress", ({ done, total, message }) => {
    find("#says").textContent = [message, total === null ? `${done}` : `${done} of ${total}`].filter(Boolean).join(": ");
  });
  on("stream", ({ text }) => {
    const printed = find("#printed");
    const plain = text.replaceAll(/\u001b\[[0-9;]*m/g, "").replaceAll(/[^\n]*\r(?!\n)/g, "");
    printed.hidden = false;
    printed.textContent = (printed.textContent + plain).slice(-MOST);
    printed.scrollTop = printed.scrollHeight;
  });
}

// A link to a cell of the output leads into the frame below.
main.addEventListener("click", (event) => {
  const frame = event.target.closest('a[target="made"]') && find('iframe[name="made"]');
  if (!frame) return;
  frame.scrollIntoView({ block: "nearest" });
  frame.focus({ preventScroll: true });
});

const going = find("[data-run]");
if (going) watch(going.dataset.run);
