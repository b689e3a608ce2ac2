// The walk: from signing in, by way of notebooks, to a delivery that failed and was sent again.
import { notebooks } from "./notebooks.mjs";

/** What is told once; goes on. */
async function once(page) {
  const secret = await page.locator("dialog code.once").innerText();
  await page.locator("dialog").getByRole("button", { name: "Done" }).click();
  return secret;
}

export async function steps(page, step, scene) {
  const { base, receiver } = scene;
  await step("sign in", async () => {
    await page.goto(`${base}/callbacks`);
    await page.getByLabel("API token").fill(scene.token);
  });
  await step("no callback yet", async () => {
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Callbacks" }).waitFor();
  });
  await notebooks(page, step, scene);
  const mark = `${scene.theme} ${scene.width}`; // of this walk, as others come before and after
  const name = `billing ${mark}`;
  await step("a callback is made", async () => {
    await page.goto(`${base}/callbacks/new`);
    await page.getByLabel("URL", { exact: true }).fill(receiver);
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByRole("button", { name: "Add a header" }).click();
    await page.getByLabel("Name of a header").fill("X-Api-Key");
    await page.getByLabel("Value of the header").fill("hush-hush");
  });
  await step("its secret is told once", async () => {
    await page.getByRole("button", { name: "Make the callback" }).click();
    await page.locator("dialog code.once").waitFor();
  });
  const secret = await once(page);
  await step("the callback", async () => {
    await page.getByRole("heading", { name }).waitFor();
    const text = await page.locator("main").innerText();
    if (text.includes(secret) || text.includes("hush-hush")) throw new Error("a secret is on the page");
  });
  await step("a subscription is made", async () => {
    await page.goto(`${base}/subscriptions/new`);
    await page.getByLabel("inbox.received").check();
    await page.getByRole("button", { name: "Add a filter" }).click();
    await page.getByLabel("Field of the event").fill("data.result.n");
    await page.getByLabel("With what").fill(mark);
    await page.getByLabel("Where they go").selectOption("callback");
    await page.getByLabel("Callback", { exact: true }).selectOption({ label: name });
  });
  await step("the subscription", async () => {
    await page.getByRole("button", { name: "Subscribe" }).click();
    await page.getByRole("heading", { name: "Subscription", exact: true }).waitFor();
  });
  await step("an inbox that waits", async () => {
    await page.goto(`${base}/inboxes/+new`);
    await page.getByRole("checkbox", { name: /Delete it once/ }).uncheck();
    await page.getByRole("button", { name: "Make the inbox" }).click();
    await page.getByText("Nothing was sent yet.").waitFor();
  });
  await step("what was sent to it shows by itself", async () => {
    const inbox = await page.locator("dd code").first().innerText();
    await fetch(inbox, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ n: mark }) });
    await page.getByText(`"n": "${mark}"`).waitFor();
  });
  await step("a delivery that failed", async () => {
    const failed = page.locator("main tbody tr").filter({ hasText: "dead" }).filter({ hasText: name });
    for (let look = 0; look < 50 && !(await failed.count()); look += 1) await page.goto(`${base}/deliveries`);
    await failed.first().getByRole("link").first().click();
    await page.getByRole("button", { name: "Retry" }).waitFor();
  });
  await step("it is delivered", async () => {
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("button", { name: "Send again" }).waitFor();
    await page.locator(".tag.good", { hasText: "200" }).waitFor();
  });
  const laptop = `laptop ${mark}`;
  await step("a token is told once", async () => {
    await page.goto(`${base}/tokens`);
    await page.getByLabel("What it is for").fill(laptop);
    await page.getByRole("button", { name: "Issue the token" }).click();
    await page.locator("dialog code.once").waitFor();
  });
  const token = await once(page);
  await step("the token is there, but not told", async () => {
    await page.getByRole("cell", { name: laptop, exact: true }).waitFor();
    if ((await page.content()).includes(token)) throw new Error("a token is on the page");
  });
}
