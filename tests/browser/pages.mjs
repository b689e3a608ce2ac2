// Every page that a link leads to from the navigation, as it is at the end of the walk.

/** Linked, and perhaps not there yet. */
const AWAITED = ["runs", "schedules", "assets", "dependencies", "secrets"];

/** Those of the navigation, the forms for something new, and one thing of each list. */
export async function pages(page, step, { base }) {
  await page.goto(base);
  const links = () => page.$$eval("nav.side a", (all) => all.map(({ pathname }) => pathname));
  const { origin } = new URL(base);
  const all = [...new Set(await links())].filter((path) => path.startsWith(new URL(base).pathname));
  for (const path of all) {
    if (path === new URL(base).pathname) continue;
    if (AWAITED.includes(path.split("/").pop()) && !(await page.request.get(origin + path)).ok()) continue;
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
