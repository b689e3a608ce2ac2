// What all pages of the manager share. A template says with attributes what an element does:
//
//   <button data-send="POST /v1/runs/…/cancel" data-confirm="Really?" data-then="reload | <path> | none">
//       sends a request to the API when pressed; data-body='{"json": 1}' is sent along
//   <form data-send="PUT /v1/secrets/{name}" data-then="…">
//       sends its fields as JSON: a name with dots is nested, data-type="number | json | list | bool | time" says what a text is,
//       an empty field is left out unless data-empty="null | text"; {name} in the path is taken from the field of that name;
//       with data-as="multipart" it is sent as a form with files. What the API refuses is told beside the field.
//   <button data-copy="text">            puts a text into the clipboard
//   <time datetime="RFC 3339">           is shown in the reader's own time
//   <tr data-href="path">                is a row that can be pressed as a whole
//
// Before "nbhook:sent" (a DOM event with the answer as its detail) reaches an element, nothing else happens: a page may prevent
// what data-then says.

const page = document.documentElement.dataset;
export const base = page.base; // of the manager, e.g. /manager
export const root = page.root; // of the server, mostly empty

/** Sends a request to the API as who is signed in; gives the JSON of the answer, or throws an Error with `problem`. */
export async function api(method, path, body, headers = {}) {
  const isForm = body instanceof FormData;
  const response = await fetch(base + path, {
    method,
    headers: { "X-CSRF-Token": page.csrf, ...(body && !isForm ? { "Content-Type": "application/json" } : {}), ...headers },
    body: isForm ? body : body && JSON.stringify(body),
    credentials: "same-origin",
  });
  return read(response);
}

/** The JSON of an answer; throws an Error with `problem` if it is one. */
export async function read(response) {
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    value = text;
  }
  if (!response.ok) {
    if (response.status === 401) location.reload(); // the session is over
    const error = new Error(value?.detail ?? `the server answered ${response.status}`);
    error.problem = value;
    error.status = response.status;
    throw error;
  }
  return value;
}

/** Tells the reader something, also those who listen. */
export function tell(text, kind = "good") {
  const box = document.querySelector(".toasts");
  const note = document.createElement("div");
  note.className = `note ${kind}`;
  note.textContent = text;
  box.append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 12000 : 5000);
}

function then(element, answer) {
  const event = new CustomEvent("nbhook:sent", { detail: answer, bubbles: true, cancelable: true });
  if (element.dispatchEvent(event)) go(element, answer);
}

/** Goes on as an element's data-then says. */
export function go(element, answer) {
  const next = element.dataset.then ?? "reload";
  if (next === "reload") location.reload();
  else if (next !== "none") location.assign(next.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer?.[name] ?? "")));
  else if (element.dataset.done) tell(element.dataset.done);
}

async function send(element, path, body) {
  const [method, target] = path.split(" ");
  const buttons = element.matches("form") ? [...element.querySelectorAll("button")] : [element];
  for (const button of buttons) button.disabled = true;
  try {
    then(element, await api(method, target, body));
  } catch (error) {
    if (element.matches("form")) show(element, error);
    tell(error.message, "bad");
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

/** The field of a name, or else the one that the named is a part of: `config.headers` for `config.headers[0].value`. */
function named(form, name) {
  for (let part = name; part; part = part.replace(/(^|[.[])[^.[]*$/, "")) {
    if (form.elements[part]) return form.elements[part];
  }
  return null;
}

/** Tells beside the fields of a form what the API did not take. */
export function show(form, error) {
  for (const { name, message } of error.problem?.errors ?? []) {
    const field = named(form, name);
    const input = field instanceof RadioNodeList ? field[0] : field;
    if (!input) continue;
    input.setAttribute("aria-invalid", "true");
    const note = document.createElement("p");
    note.className = "wrong";
    note.id = `wrong-${name}`;
    note.textContent = message;
    input.setAttribute("aria-describedby", note.id);
    input.after(note);
    input.focus();
  }
}

export function clear(form) {
  for (const note of form.querySelectorAll(".wrong")) note.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function value(input) {
  const text = input.value;
  if (input.type === "checkbox") return input.checked;
  if (text === "" && input.dataset.empty !== "text") return input.dataset.empty === "null" ? null : undefined;
  switch (input.dataset.type) {
    case "number": return Number(text);
    case "json": return JSON.parse(text);
    case "bool": return text === "true";
    case "time": return new Date(text).toISOString();
    case "list": return text.split(/[\n,]/).map((item) => item.trim()).filter(Boolean);
    default: return text;
  }
}

/** The fields of a form as an object. */
export function fields(form) {
  const body = {};
  for (const input of form.elements) {
    if (!input.name || input.disabled || (input.type === "radio" && !input.checked)) continue;
    let given;
    try {
      given = value(input);
    } catch {
      const error = new Error(`${input.name} is not JSON`);
      error.problem = { errors: [{ name: input.name, message: "is not JSON" }] };
      throw error;
    }
    if (given === undefined) continue;
    const names = input.name.split(".");
    const last = names.pop();
    names.reduce((object, name) => (object[name] ??= {}), body)[last] = given;
  }
  return body;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.send) return;
  event.preventDefault();
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return;
  clear(form);
  try {
    const isForm = form.dataset.as === "multipart";
    const body = isForm ? new FormData(form) : fields(form);
    const path = form.dataset.send.replaceAll(/\{(\w+)\}/g, (_, name) => {
      const taken = isForm ? body.get(name) : body[name];
      isForm ? body.delete(name) : delete body[name];
      return encodeURIComponent(taken ?? "");
    });
    send(form, path, body);
  } catch (error) {
    show(form, error);
    tell(error.message, "bad");
  }
});

document.addEventListener("click", async (event) => {
  const sends = event.target.closest("button[data-send]");
  if (sends) {
    if (sends.dataset.confirm && !confirm(sends.dataset.confirm)) return;
    send(sends, sends.dataset.send, sends.dataset.body && JSON.parse(sends.dataset.body));
  }
  const copies = event.target.closest("[data-copy]");
  if (copies) copy(copies);
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input, select, label") && !getSelection().toString()) location.assign(row.dataset.href);
});

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not allowed, or not by TLS: the old way.
    const area = document.createElement("textarea");
    area.value = text;
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  tell("copied");
  if (button.textContent.trim() !== "Copy") return;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Shows times as the reader reads them; the exact one on hover. */
export function times(within = document) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const seconds = (at - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
    const isNear = Math.abs(seconds) < 7 * 86400;
    element.textContent = isNear && !("exact" in element.dataset) ? relative.format(Math.round(seconds / size), unit) : at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    element.title = `${at.toLocaleString()} (${element.dateTime})`;
  }
}
times();
setInterval(times, 30000);

document.querySelector("[data-menu]")?.addEventListener("click", ({ currentTarget }) => {
  const isOpen = currentTarget.closest("nav").classList.toggle("open");
  currentTarget.setAttribute("aria-expanded", isOpen);
});

document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const isDark = page.theme ? page.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  page.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("nbhook-theme", page.theme);
  } catch {
    // Holds for this page only.
  }
});
