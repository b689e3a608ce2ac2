// A hook's page: Try it, and what callers lose when another version goes live.
import { base, clear, fields, read, show, tell } from "./manager.js";

const form = document.getElementById("try");

/** A time as a field of the kind datetime-local writes it: by the reader's own clock. */
function local(text) {
  const at = new Date(text);
  if (Number.isNaN(at.valueOf())) return "";
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

/** Where the form has the field of what the answer calls `name`. */
function named(error) {
  for (const one of error.problem?.errors ?? []) {
    const [name] = one.name.split(/[.[]/);
    if (one.name !== name) one.message = `${one.name} ${one.message}`;
    one.name = `params.${name}`;
  }
  return error;
}

async function run(body) {
  const response = await fetch(form.dataset.place, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: "respond-async" },
    body: JSON.stringify(body),
    credentials: "omit", // as whoever knows the URL, not as who is signed in
  });
  const id = response.headers.get("x-nbhook-run");
  await read(response);
  return id;
}

for (const input of form?.querySelectorAll("[data-at]") ?? []) input.value = local(input.dataset.at);

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear(form);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const given = fields(form);
    const id = await run(given.body ?? given.params ?? {}).catch((error) => Promise.reject(named(error)));
    location.assign(`${base}/runs/${id}`);
  } catch (error) {
    show(form, error);
    tell(error.message, "bad");
  } finally {
    button.disabled = false;
  }
});

document.addEventListener("nbhook:sent", (event) => {
  const lost = event.detail?.breaking ?? [];
  if (!lost.length) return;
  event.preventDefault();
  const box = document.createElement("div");
  box.className = "note warn";
  const list = document.createElement("ul");
  list.append(...lost.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "Show the versions" });
  box.append("It is live. What callers of the version before lose:", list, link);
  document.querySelector("[data-told]").replaceChildren(box);
  link.focus();
});
