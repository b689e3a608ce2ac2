// The first half of the walk: a notebook is dropped, becomes a hook, is tried, watched, gone back to, and scheduled.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Drops a file onto the page, as a browser does it. */
async function drop(page, { name, text }) {
  const files = await page.evaluateHandle(({ name, text }) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name, { type: "application/x-ipynb+json" }));
    return files;
  }, { name, text });
  for (const kind of ["dragenter", "dragover", "drop"]) await page.dispatchEvent("main", kind, { dataTransfer: files });
}

/** The notebook with a cell that waits until there is something at a path. */
function waiting({ text }, gate) {
  const notebook = JSON.parse(text);
  const source = `import os, time\nprint("waits at the gate")\nwhile not os.path.exists(${JSON.stringify(gate)}):\n    time.sleep(0.02)\n`;
  const at = notebook.cells.findIndex(({ metadata }) => metadata.tags?.includes("parameters")) + 1;
  notebook.cells.splice(at, 0, { cell_type: "code", id: "gate", metadata: {}, source, outputs: [], execution_count: null });
  return JSON.stringify(notebook);
}

/** What is sure to be so soon. */
async function soon(what, isSo) {
  for (let look = 0; look < 400; look += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`never happened: ${what}`);
}

export async function notebooks(page, step, scene) {
  const { base } = scene;
  const path = `reports/${scene.theme}-${scene.width}/${scene.notebook.name}`; // of this walk, as others come before and after
  const gate = join(scene.gates, `${scene.theme}-${scene.width}`);
  /** The executed notebook, once its picture is there. It is read when it is looked at. */
  const report = async () => {
    await page.locator("iframe.made").scrollIntoViewIfNeeded();
    const frame = page.frameLocator("iframe.made");
    await frame.locator("img").first().waitFor();
    return frame.locator("body").innerText();
  };
  const deploy = async (text) => {
    await page.goto(`${base}/hooks`);
    await drop(page, { name: scene.notebook.name, text });
    await page.getByRole("textbox", { name: "Path" }).fill(path);
    await page.keyboard.press("Tab");
  };

  await step("no notebook is there yet, or those of other walks", () => page.goto(`${base}/hooks`));
  await step("a notebook is dropped", () => deploy(scene.notebook.text));
  await step("it is a hook", async () => {
    await page.getByRole("button", { name: "Deploy", exact: true }).click();
    await page.getByRole("heading", { name: path }).waitFor();
  });
  const hook = page.url().split("?")[0];

  await step("try it, with what the notebook takes", async () => {
    await page.getByLabel("region").fill("North");
    if ((await page.getByLabel("year").inputValue()) !== "2025") throw new Error("a default is not in the form");
  });
  await step("its output is rendered", async () => {
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    if (!/region:?\s*=\s*['"]North/.test(await report())) throw new Error("it ran with other parameters");
  });

  await step("a cell is wrong", async () => {
    await page.goto(hook);
    await page.getByLabel("region").fill("Nowhere");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("unknown region 'Nowhere'").first().waitFor();
    await page.getByText("Traceback").first().waitFor();
  });

  await step("a notebook at a path that is taken", async () => {
    await deploy(waiting(scene.notebook, gate));
    await page.getByText("There is a hook at this path").waitFor();
  });
  await step("it is the hook's new version", async () => {
    await page.getByRole("button", { name: "Deploy", exact: true }).click();
    await page.waitForURL(hook);
  });
  await step("a run is watched", async () => {
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    await page.getByText("waits at the gate", { exact: true }).waitFor();
    const bar = page.getByRole("progressbar");
    await soon("the cells before the gate have run", async () => (await bar.getAttribute("value")) === "2"); // the parameters, and those given
  });
  await step("it ends before one's eyes", async () => {
    mkdirSync(gate);
    await report();
    await page.getByText("succeeded").first().waitFor();
  });

  await step("the versions", async () => {
    await page.goto(`${hook}?tab=versions`);
    await page.getByRole("link", { name: "What changed last?" }).waitFor();
  });
  await step("what changed", async () => {
    await page.getByRole("link", { name: "What changed last?" }).click();
    await page.getByText("waits at the gate").waitFor();
  });
  await step("the older version is live again", async () => {
    await page.goto(`${hook}?tab=versions`);
    const live = page.locator("tbody th").filter({ hasText: "live" });
    const older = await page.locator("tbody tr").nth(1).locator("th .mono").innerText();
    await page.getByRole("button", { name: `Promote ${older}` }).click();
    await live.filter({ hasText: older }).waitFor();
  });

  await step("a schedule is made", async () => {
    await page.goto(`${base}/schedules`);
    await page.getByLabel("Notebook").selectOption({ label: `${path} (${await owner(page)})` });
    await page.getByLabel("When").fill("30 6 * * mon-fri");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByLabel("Parameters").fill('{"region": "South"}');
  });
  const row = page.locator("tbody tr").filter({ hasText: path });
  await step("the schedule, with its next times", async () => {
    await page.getByRole("button", { name: "Schedule it" }).click();
    await row.waitFor();
    if ((await row.locator("time").count()) < 5) throw new Error("the next five times are not shown");
  });
  await step("it is run now", async () => {
    await row.getByRole("button", { name: "Run now" }).click();
    await page.waitForURL(/\/runs\//);
    if (!/region:?\s*=\s*['"]South/.test(await report())) throw new Error("it ran with other parameters");
  });
}

/** Who owns what is made here. */
async function owner(page) {
  return (await page.getByLabel("Notebook").locator("option").first().innerText()).match(/\((.+)\)$/)[1];
}
