// Files that are dropped anywhere on a page.

/** Calls `take` with the DataTransfer of what was dropped, if that is files. */
export function onDrop(take) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (is) => document.body.classList.toggle("dropping", is);
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(false);
    take(event.dataTransfer);
  });
}
