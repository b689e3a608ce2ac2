// Forms of parts that are added and left out. When the form is sent, [data-rows] makes one JSON list of its rows, in its hidden
// field; [data-tags] makes sets of tags of what is chosen; [data-switch] shows the [data-case] that is chosen, and sends no other.

const text = (value) => {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

const READ = {
  /** A secret that was left empty is kept: true stands for it. */
  headers: ({ name, value }, kept) => name && { name, value: value === "" && kept ? true : value },
  filters({ field, test, value }) {
    if (!field) return null;
    const name = test.replace("!", "");
    const wanted = { eq: text, in: (list) => list.split(",").map((item) => text(item.trim())), match: String }[name](value);
    return { field, [name]: wanted, ...(test.endsWith("!") ? { not: true } : {}) };
  },
};

function list(rows) {
  return [...rows.querySelectorAll("[data-list] [data-row]")].map((row) => {
    const parts = [...row.querySelectorAll("[data-part]")];
    const values = Object.fromEntries(parts.map((part) => [part.dataset.part, part.value.trim()]));
    return READ[rows.dataset.rows](values, row.querySelector("[data-kept]") !== null);
  }).filter(Boolean);
}

function tags(within) {
  const further = within.querySelector("[data-further]").value.split(",").map((tag) => tag.trim());
  const about = [within.querySelector("[data-about]").value, ...further].filter(Boolean);
  const chosen = [...within.querySelectorAll("[data-subject]:checked")].map(({ dataset }) => [dataset.subject, dataset.what, ...about]);
  return chosen.length || !about.length ? chosen : [about];
}

for (const form of document.querySelectorAll("form[data-send]")) {
  const write = (within, items) => {
    within.querySelector("input[type=hidden]").value = items.length ? JSON.stringify(items) : "";
  };
  // Before manager.js, which listens at the document, reads the fields.
  form.addEventListener("submit", () => {
    for (const rows of form.querySelectorAll("[data-rows]")) write(rows, list(rows));
    for (const within of form.querySelectorAll("[data-tags]")) write(within, tags(within));
  });
  form.addEventListener("click", ({ target }) => {
    if (target.closest("[data-less]")) target.closest("[data-row]").remove();
    const rows = target.closest("[data-more]")?.closest("[data-rows]");
    if (!rows) return;
    rows.querySelector("[data-list]").append(rows.querySelector("template").content.cloneNode(true));
    rows.querySelector("[data-list] [data-row]:last-child [data-part]").focus();
  });
}

for (const choice of document.querySelectorAll("[data-switch]")) {
  const show = () => {
    for (const part of choice.form.querySelectorAll("[data-case]")) {
      part.hidden = part.dataset.case !== choice.value;
      for (const input of part.querySelectorAll("input, select, textarea")) input.disabled = part.hidden;
    }
  };
  choice.addEventListener("change", show);
  show();
}
