// Walks through the manager in a real Chromium, as a person does, and fails if anything goes wrong on the way: an error in the
// console, a request that fails or leaves the server, a page that cannot be used without a mouse or eyes.
//
// usage: node walk.mjs '{"url", "token", "out", "gates", "theme", "width", "browser", "modules", "notebook", "receiver"}'
// Prints what it has seen as one line of JSON. `tests/browser.rs` starts it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pages } from "./pages.mjs";
import { steps } from "./steps.mjs";

const setup = JSON.parse(process.argv[2]);
const require = createRequire(join(setup.modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20_000;

const seen = { requests: 0, elsewhere: [], problems: [], pages: 0 };
const { origin } = new URL(setup.url);

/** Notes all that should not happen. */
function watch(page) {
  page.setDefaultTimeout(PATIENCE);
  page.on("dialog", (dialog) => dialog.accept());
  page.on("pageerror", (error) => seen.problems.push(`error on ${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.problems.push(`console on ${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (["data:", "blob:", "about:"].includes(url.protocol)) return;
    seen.requests += 1;
    if (url.origin !== origin) seen.elsewhere.push(request.url());
  });
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // What a page was still reading when it was left: its stream of events, itself.
    if (why !== "net::ERR_ABORTED") seen.problems.push(`${request.method()} ${request.url()}: ${why}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) seen.problems.push(`${response.request().method()} ${response.url()}: ${response.status()}`);
  });
}

/** What of a page is not for everybody (axe-core's rules), and whether it is wider than the screen. */
async function look(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: tags, iframes: false, resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
  for (const problem of found) seen.problems.push(`${name}: ${problem}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) seen.problems.push(`${name} is ${over} px wider than the screen`);
  seen.pages += 1;
}

const browser = await chromium.launch({ executablePath: setup.browser, args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({
    viewport: { width: setup.width, height: 900 },
    colorScheme: setup.theme,
    reducedMotion: "reduce", // an animation would be caught at any of its colours
  });
  const page = await context.newPage();
  watch(page);
  let number = 0;
  const step = async (name, act) => {
    try {
      const given = await act();
      await page.waitForLoadState("load");
      await look(page, name);
      return given;
    } catch (error) {
      throw new Error(`${name} at ${page.url()}: ${error.message}\n${seen.problems.join("\n")}`);
    } finally {
      number += 1;
      const file = `${setup.theme}-${setup.width}-${String(number).padStart(2, "0")}-${name.replaceAll(/\W+/g, "-")}.png`;
      await page.screenshot({ path: join(setup.out, file), fullPage: true }).catch(() => {});
    }
  };
  const notebook = (path) => ({ name: basename(path), text: readFileSync(path, "utf8") });
  const scene = { ...setup, base: `${setup.url}/manager`, notebook: notebook(setup.notebook) };
  await steps(page, step, scene);
  await pages(page, step, scene);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exitCode = seen.problems.length || seen.elsewhere.length ? 1 : 0;
