// What the API tells once only: a secret, a token. An element with data-reveal="<name in the answer>" shows it, and goes on as its
// data-then says once its reader is done; data-reveal-title and data-reveal-text say what it is.
import { go } from "./manager.js";

document.addEventListener("nbhook:sent", (event) => {
  const element = event.target;
  const secret = event.detail?.[element.dataset.reveal];
  if (!secret) return; // a topic, or a change, has none
  event.preventDefault();
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "once-title");
  const add = (parent, name, text, more = {}) => {
    const made = Object.assign(document.createElement(name), more);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  add(dialog, "h2", element.dataset.revealTitle, { id: "once-title" });
  add(dialog, "p", element.dataset.revealText);
  add(dialog, "code", secret, { className: "once" });
  const row = add(dialog, "div", "", { className: "row" });
  const copy = add(row, "button", "Copy", { type: "button", className: "main" });
  copy.dataset.copy = secret;
  copy.autofocus = true;
  add(row, "button", "Done", { type: "button" }).addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    go(element, event.detail);
  });
  document.body.append(dialog);
  dialog.showModal();
});
