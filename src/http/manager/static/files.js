// Files and folders that are dropped on a page of assets or dependencies, or chosen, are added.
import { onDrop } from "./dropping.js";
import { api, base, clear, show, tell } from "./manager.js";

const dialog = document.querySelector("dialog.deploy");
const form = document.getElementById("add");
const existing = dialog.querySelector("[data-existing]");
const submit = form.querySelector("[type=submit]");
const { path, into, inline } = form.elements;
const { resource, one, owner, user, fixed } = dialog.dataset;
const takesFolders = "folders" in dialog.dataset;
const MOST = 999; // files of a folder, as the server takes them
let things = []; // {name, files: [[place in the folder or none, File]]}

const isHidden = (place) => place.split("/").some((part) => part.startsWith(".") || part === "__pycache__");
const file = (file) => ({ name: file.name, files: [["", file]] });

/** A folder without what is hidden in it. */
function folder(name, files) {
  return { name, files: files.filter(([place]) => !isHidden(place)).map(([place, file]) => [`./${place}`, file]) };
}

/** Asks how what was chosen is to be called. */
function take(chosen) {
  things = chosen;
  const empty = things.find((thing) => !thing.files.length);
  const large = things.find((thing) => thing.files.length > MOST);
  if (!things.length) return;
  if (empty) return tell(`there is no file in ${empty.name}`, "bad");
  if (large) return tell(`${large.name} has more than ${MOST} files: send them as one archive`, "bad");
  if (things.some((thing) => thing.files[0][0]) && !takesFolders) return tell(`an ${one} is one file: a folder has no URL`, "bad");
  if (fixed && things.length > 1) return tell("choose one file: it becomes the new version", "bad");
  form.reset();
  clear(form);
  const isOne = things.length === 1;
  path.closest(".field").hidden = !isOne;
  path.disabled = !isOne;
  form.querySelector("[data-into]").hidden = isOne;
  path.value = fixed || things[0].name;
  const told = ({ name, files }) => (files[0][0] ? `${name}, ${files.length} file${files.length === 1 ? "" : "s"}` : name);
  dialog.querySelector("[data-file]").textContent = things.map(told).join(", ");
  dialog.showModal();
  if (fixed) submit.focus();
  else (isOne ? path : into).select();
  look();
}

/** Tells if there is one at the path already. */
async function look() {
  const asked = path.disabled ? "" : path.value.trim();
  existing.hidden = true;
  if (!asked || fixed) return;
  const query = new URLSearchParams({ path: asked, owner });
  const found = await api("GET", `/v1/${resource}?${query}`).catch(() => null); // it may be no path yet
  if (asked !== path.value.trim()) return;
  existing.hidden = !found?.items.length;
  if (found?.items.length && inline) inline.checked = found.items[0].params.inline;
}

async function add(thing, place) {
  const meta = { path: place, ...(inline ? { params: { inline: inline.checked } } : {}), ...(owner === user ? {} : { owner }) };
  const body = new FormData();
  body.append("meta", JSON.stringify(meta));
  for (const [inner, file] of thing.files) body.append("file", file, inner || file.name);
  return api("POST", `/v1/${resource}`, body);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear(form);
  submit.disabled = true;
  submit.textContent = "Adding…";
  const prefix = into.value.trim().replace(/\/+$/, "");
  let added = null;
  let at = "";
  try {
    for (const thing of things) {
      at = things.length === 1 ? path.value.trim() : [prefix, thing.name].filter(Boolean).join("/");
      added = await add(thing, at);
    }
    const place = `${base}/${resource}`;
    location.assign(things.length === 1 ? `${place}/${added.id}` : place);
  } catch (error) {
    const beside = things.length === 1 ? "path" : "into";
    for (const told of error.problem?.errors ?? []) if (told.name === "path") told.name = beside;
    show(form, error);
    tell(things.length === 1 ? error.message : `${at}: ${error.message}`, "bad");
  } finally {
    submit.disabled = false;
    submit.textContent = "Add";
  }
});

path.addEventListener("change", look);
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());

for (const button of document.querySelectorAll("[data-choose]")) {
  button.addEventListener("click", () => document.querySelector(`[data-input=${button.dataset.choose}]`).click());
}
for (const input of document.querySelectorAll("[data-input]")) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same can be chosen again
    if (input.dataset.input === "files") return take(files.map(file));
    const [name] = files[0]?.webkitRelativePath.split("/") ?? [];
    if (!files.length) return tell("there is no file in this folder", "bad");
    take([folder(name, files.map((file) => [file.webkitRelativePath.slice(name.length + 1), file]))]);
  });
}

/** The files below an entry of what was dropped, by their places in it. */
async function below(entry, place = "") {
  if (entry.isFile) return [[place, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const inner of some) {
      const at = place ? `${place}/${inner.name}` : inner.name;
      if (!isHidden(at) && found.length <= MOST) found.push(...(await below(inner, at)));
    }
  }
}

async function dropped(entries) {
  const all = entries.map(async (entry) => (entry.isFile ? file((await below(entry))[0][1]) : folder(entry.name, await below(entry))));
  take(await Promise.all(all));
}

onDrop(({ items, files }) => {
  if (dialog.open) return;
  // What is dropped is only there during this event: entries are taken now and read later.
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length) dropped(entries).catch(() => tell("what was dropped cannot be read", "bad"));
  else take([...files].map(file));
});
