// What a hook's own page (its URL with /docs) shows of an answer that a browser would save, or that is an error:
// node answers.mjs MODULES PICTURE URL. MODULES is where playwright-core is (target/browser-modules).
import { createRequire } from "node:module";

const [modules, picture, url] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 720, height: 900 } });
  page.setDefaultTimeout(20000);
  await page.goto(`${url}/docs`);
  await page.locator(".opblock-get .opblock-summary-control").first().click();
  await page.getByRole("button", { name: "Try it out" }).first().click();
  await page.getByRole("button", { name: "Execute" }).first().click();
  const answer = page.locator(".live-responses-table").first();
  await answer.waitFor();
  await page.mouse.move(0, 0);
  await answer.screenshot({ path: picture, animations: "disabled" });
} finally {
  await browser.close();
}
