// Every page that a link leads to from the navigation, as it is at the end of the walk.

/** Those of the navigation, the forms for something new, and one thing of each list. */
export async function pages(page, step, { base }) {
  await step("page overview", () => page.goto(base));
  const menu = page.getByRole("button", { name: "Menu" });
  if (await menu.isVisible()) {
    await step("the menu", async () => {
      await menu.click();
      await page.getByRole("link", { name: "Deliveries" }).waitFor();
    });
  }
  const links = () => page.$$eval("nav.side a", (all) => all.map(({ pathname }) => pathname));
  const { origin } = new URL(base);
  const all = [...new Set(await links())].filter((path) => path.startsWith(new URL(base).pathname));
  for (const path of all) {
    if (path === new URL(base).pathname) continue;
    await step(`page ${path.split("/").pop()}`, () => page.goto(origin + path));
    const further = await page.$$eval("main a[href]", (found) => found.map(({ pathname }) => pathname));
    const inner = [...new Set(further)].filter((one) => one.startsWith(`${path}/`));
    const form = inner.find((one) => /\/\+?new$/.test(one));
    const thing = inner.find((one) => one !== form);
    for (const one of [form, thing]) {
      if (one) await step(`page ${path.split("/").pop()} ${one === form ? "new" : "one"}`, () => page.goto(origin + one));
    }
  }
}
