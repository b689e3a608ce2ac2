// Before the page is painted: the theme that its reader has chosen, if not the system's.
try {
  const theme = localStorage.getItem("nbhook-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's theme holds.
}
