// Notebooks that are dropped on the list of hooks, or chosen, become hooks.
import { onDrop } from "./dropping.js";
import { api, base, clear, fields, show, tell } from "./manager.js";

const dialog = document.querySelector("dialog.deploy");
const form = document.getElementById("deploy");
const input = document.getElementById("files");
const told = dialog.querySelector("[data-told]");
const existing = dialog.querySelector("[data-existing]");
const { path, params } = form.elements;
let notebook = null;
let beside = []; // files that the notebook needs
let before = null; // the hook that is at the path already

/** Asks how the notebook among the files is to be called. */
function take(files) {
  const all = [...files];
  notebook = all.find((file) => file.name.endsWith(".ipynb"));
  if (!notebook) return tell("there is no notebook among these files: drop one that ends in .ipynb", "bad");
  beside = all.filter((file) => file !== notebook);
  const names = beside.map((file) => file.name).join(", ");
  dialog.querySelector("[data-file]").textContent = names ? `${notebook.name}, with ${names}` : notebook.name;
  form.reset();
  clear(form);
  told.replaceChildren();
  path.value = notebook.name;
  dialog.showModal();
  path.select();
  look();
}

/** Looks whether there is a hook at the path: it gets a new version, and keeps its settings. */
async function look() {
  const asked = path.value.trim();
  before = null;
  existing.hidden = true;
  if (!asked) return;
  const query = new URLSearchParams({ path: asked, owner: dialog.dataset.owner });
  const found = await api("GET", `/v1/hooks?${query}`).catch(() => null); // it may be no path yet
  if (asked !== path.value.trim() || !found?.items.length) return;
  before = found.items[0];
  existing.textContent = "There is a hook at this path. It gets a new version, which is live at once; its URL and its settings stay.";
  existing.hidden = false;
}

/** What the hook before has that a deploy would otherwise set anew. */
async function kept() {
  if (!before) return {};
  const { callbacks } = await api("GET", `/v1/hooks/${before.id}/callbacks`);
  return { params: before.params, callbacks };
}

/** Says what the author should know; goes on to the hook if there is nothing. */
function done(hook) {
  const place = `${base}/hooks/${hook.id}`;
  const breaking = hook.breaking ?? []; // also among the warnings
  const others = (hook.warnings ?? []).filter((note) => !breaking.includes(note));
  const notes = [...breaking.map((note) => `For callers of the version before: ${note}`), ...others];
  if (!notes.length) return location.assign(place);
  const box = document.createElement("div");
  box.className = "note warn";
  const list = document.createElement("ul");
  list.append(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  box.append("It is deployed. What you should know:", list);
  const link = Object.assign(document.createElement("a"), { className: "button main", href: place, textContent: "Go to the hook" });
  told.replaceChildren(box, link);
  for (const part of form.querySelectorAll(".field, details, [data-existing], [type=submit], [data-close]")) part.hidden = true;
  dialog.addEventListener("close", () => location.reload());
  link.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear(form);
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    await look();
    const meta = { ...(await kept()), ...fields(form) };
    const body = new FormData();
    body.append("meta", JSON.stringify(meta));
    body.append("notebook", notebook, notebook.name);
    for (const file of beside) body.append("dependency", file, file.name);
    done(await api("POST", "/v1/hooks", body));
  } catch (error) {
    const at = error.problem?.errors?.[0]?.name ?? "";
    if (at.startsWith("params")) params.closest("details").open = true;
    show(form, error);
    tell(error.message, "bad");
  } finally {
    button.disabled = false;
  }
});

path.addEventListener("change", look);
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
for (const button of document.querySelectorAll("[data-choose]")) button.addEventListener("click", () => input.click());
input.addEventListener("change", () => {
  if (input.files.length) take(input.files);
  input.value = ""; // so that the same file can be chosen again
});

onDrop((transfer) => {
  if (!dialog.open) take(transfer.files);
});
