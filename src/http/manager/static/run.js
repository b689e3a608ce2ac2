// Shows a run as it goes on, from its events; when it has ended, the page is loaded once more, with what came of it.
import { base } from "./manager.js";

const MOST = 100_000; // characters of what is printed
const FINAL = ["succeeded", "failed", "timed_out", "cancelled", "interrupted"];
const bar = document.querySelector("#cells");
const [told, says, printed] = ["#told", "#says", "#printed"].map((id) => document.querySelector(id));
const events = new EventSource(`${base}/v1/runs/${document.querySelector("[data-run]").dataset.run}/events`);
const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
const ended = new Set();

on("state", ({ state }) => {
  if (state === "running") {
    ended.clear(); // a further attempt begins with the first cell
    bar.value = 0;
  }
  if (FINAL.includes(state)) {
    events.close();
    location.reload();
  }
});
on("cell", ({ cell, status }) => {
  if (status === "started") return;
  ended.add(cell);
  bar.value = ended.size;
  told.textContent = `${ended.size} of ${bar.max} cells`;
});
on("progress", ({ done, total, message }) => {
  says.textContent = [message, total === null ? `${done}` : `${done} of ${total}`].filter(Boolean).join(": ");
});
on("stream", ({ text }) => {
  printed.hidden = false;
  const plain = text.replaceAll(/\u001b\[[0-9;]*m/g, "").replaceAll(/[^\n]*\r(?!\n)/g, "");
  printed.textContent = (printed.textContent + plain).slice(-MOST);
  printed.scrollTop = printed.scrollHeight;
});
