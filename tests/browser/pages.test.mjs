// Tests of the page in Chromium: without scripts, by keyboard, on a phone, in dark mode, and for screen readers.
//
// `tests/integration/browser.rs` starts brokers and exporter and runs this file with
//   PAGE_URL     the URL of the page
//   BROWSER_DIR  the directory with playwright-core and axe-core, to which screenshots are written
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const { PAGE_URL, BROWSER_DIR } = process.env;
const installed = createRequire(`${BROWSER_DIR}/`);
const { chromium } = installed("playwright-core");

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
});
after(() => browser.close());

/** Opens the page and records its requests and its console messages, errors and dialogs. */
async function open(options = {}, query = "") {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const requested = [];
  const complaints = [];
  page.on("request", (request) => requested.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  await page.goto(PAGE_URL + query);
  return { page, requested, complaints };
}

/** The names in the first column of a broker's table. */
const table = (page, broker) => page.getByRole("region", { name: `watched clients of ${broker}` });
const names = (page, broker) =>
  table(page, broker).getByRole("rowheader").getByRole("link").allInnerTexts();

test("it works without scripts, loads nothing and follows its own security policy", async () => {
  const { page, requested, complaints } = await open({ javaScriptEnabled: false });
  assert.deepEqual(await page.getByRole("heading", { level: 2 }).allInnerTexts(), ["LocalEMQX", "FactoryEMQX"]);
  await page.getByLabel("Name").fill("pump");
  await page.getByRole("combobox", { name: "State" }).selectOption("absent");
  await page.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/filter=pump/);
  assert.deepEqual(await names(page, "LocalEMQX"), ["GardenPump"]);
  await page.getByRole("main").getByRole("link", { name: "Show all" }).first().click();
  await page.waitForURL(`${PAGE_URL}#broker-1`);
  assert.ok((await names(page, "LocalEMQX")).length > 3);
  const elsewhere = requested.filter((url) => !url.startsWith(PAGE_URL) && !url.startsWith("data:"));
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
});

test("names with markup are shown as text", async () => {
  const { page, complaints } = await open();
  assert.equal(await page.locator("script, img, iframe, object, embed, svg").count(), 0);
  assert.ok((await names(page, "LocalEMQX")).includes("<script>alert(1)</script>"));
  assert.ok(await page.getByText("'\"><img src=x onerror=alert(2)>").first().isVisible());
  assert.equal(await page.evaluate(() => window.attacked), undefined);
  assert.equal(await page.title(), "2 probes failed, 1 overdue, 3 of 7 connected · EMQX clients");
  assert.deepEqual(complaints, []);
});

test("marks stacked on a letter cover no other client", async () => {
  const { page } = await open();
  const cells = table(page, "LocalEMQX").locator(".name, td.text > bdi");
  assert.ok((await cells.count()) > 6);
  for (const cell of await cells.all()) {
    assert.equal(await cell.evaluate((node) => getComputedStyle(node).overflow), "clip", await cell.innerText());
  }
});

test("the states are distinguishable without colour", async () => {
  const { page } = await open();
  const region = table(page, "LocalEMQX");
  const shown = {};
  for (const name of ["HumidifierWaterRefTerm", "QingpingCO2_Room2", "GardenPump", "DoorSensor"]) {
    shown[name] = await region.getByRole("row", { name }).locator(".state").innerText();
  }
  assert.deepEqual(shown, {
    HumidifierWaterRefTerm: "● connected",
    QingpingCO2_Room2: "○ offline",
    GardenPump: "✕ absent",
    DoorSensor: "? unknown",
  });
});

test("screen readers get table headers, states without symbols, and landmarks", async () => {
  const { page } = await open();
  const snapshot = await page.locator("body").ariaSnapshot();
  for (const words of [
    'banner:', 'main:', 'contentinfo:', 'search "Clients"', 'heading "EMQX clients" [level=1]',
    'navigation "Brokers"', 'region "LocalEMQX"', 'columnheader "State"', 'rowheader "GardenPump garden-pump"',
    'cell "absent"', 'cell "connected"', 'link "Debug view of FactoryEMQX"', 'list "Clients by state"',
  ]) {
    assert.ok(snapshot.includes(words), `${words} in\n${snapshot}`);
  }
  const sorted = table(page, "LocalEMQX").locator("[aria-sort]");
  assert.deepEqual(await sorted.allInnerTexts(), ["State"]);
});

test("everything is reachable by keyboard, with a visible focus", async () => {
  const { page } = await open({ viewport: PHONE });
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().x >= 0));

  const seen = new Set();
  for (let steps = 0; steps < 200; steps += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const at = document.activeElement;
      const outline = getComputedStyle(at).outlineStyle;
      return { what: at.name || at.innerText || at.id, isBody: at === document.body, outline, tag: at.tagName };
    });
    if (now.isBody) break;
    assert.notEqual(now.outline, "none", `${now.tag} ${now.what} shows the focus`);
    seen.add(now.tag === "DIV" ? "the table" : now.what);
  }
  for (const what of ["filter", "state", "Show", "debug view", "the table", "State", "GardenPump"]) {
    assert.ok([...seen].some((one) => one.includes(what)), `${what} is reached: ${[...seen]}`);
  }

  const region = table(page, "LocalEMQX");
  await region.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((node) => node.scrollLeft > 0, await region.elementHandle());

  await page.getByLabel("Name").focus();
  await page.keyboard.type("qingping");
  await page.keyboard.press("Enter");
  await page.waitForURL(/filter=qingping/);
  assert.deepEqual(await names(page, "LocalEMQX"), ["QingpingCO2_Room2", "QingpingCO2_Room1"]);
  await table(page, "LocalEMQX").getByRole("link", { name: "Alias" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/sort=alias/);
  assert.match(page.url(), /filter=qingping/);
  assert.deepEqual(await names(page, "LocalEMQX"), ["QingpingCO2_Room1", "QingpingCO2_Room2"]);
});

test("a failing broker is explained", async () => {
  const { page } = await open();
  const section = page.getByRole("region", { name: "FactoryEMQX" }).first();
  assert.ok(await section.getByText("probe failed").isVisible());
  assert.ok(await section.getByText("The broker rejected the API key (401).").isVisible());
  assert.ok(await section.getByText("System > API Key").isVisible());
});

test("at 1280 px the queue and the drops are in sight, and a shadow says that there is more", async () => {
  const { page } = await open();
  const region = table(page, "LocalEMQX");
  const right = await region.evaluate((node) => node.getBoundingClientRect().right);
  for (const name of ["State", "Queued", "Received, dropped", "Sent, dropped"]) {
    const box = await region.getByRole("columnheader", { name, exact: true }).boundingBox();
    assert.ok(box.x + box.width <= right, `${name} ends at ${box.x + box.width} of ${right}`);
  }
  assert.ok(await region.evaluate((node) => node.scrollWidth > node.clientWidth), "the details are beyond");
  assert.match(await region.evaluate((node) => getComputedStyle(node).backgroundImage), /linear-gradient/);
});

test("from a client to its own page, its metrics and back", async () => {
  const { page, requested, complaints } = await open({ javaScriptEnabled: false });
  await table(page, "LocalEMQX").getByRole("link", { name: "QingpingCO2_Room1" }).click();
  await page.waitForURL(/client\?broker=LocalEMQX&client=QingpingCO2_Room1/);
  assert.equal(await page.title(), "QingpingCO2_Room1 connected · LocalEMQX · EMQX clients");
  const snapshot = await page.locator("body").ariaSnapshot();
  for (const words of [
    'heading "QingpingCO2_Room1" [level=2]', 'region "Ask Prometheus"', 'region "Time series"', 'term: Queued',
    'definition: "12"', 'rowheader "emqx_mqtt_client_connected', 'navigation "Brokers"',
  ]) {
    assert.ok(snapshot.includes(words), `${words} in\n${snapshot}`);
  }
  await page.getByRole("link", { name: "every 10s" }).click();
  await page.waitForURL(/refresh=10/);
  await page.getByRole("link", { name: "Stop" }).click();
  await page.waitForURL((url) => !url.href.includes("refresh"));
  const probe = await page.getByRole("link", { name: "probe of this client" }).getAttribute("href");
  const metrics = await page.request.get(new URL(probe, page.url()).href);
  assert.match(await metrics.text(), /emqx_mqtt_client_connected\{.*"QingpingCO2_Room1"/);
  await page.getByRole("link", { name: "LocalEMQX" }).click();
  await page.waitForURL(/\?broker=LocalEMQX$/);
  const elsewhere = requested.filter((url) => !url.startsWith(PAGE_URL) && !url.startsWith("data:"));
  assert.deepEqual([elsewhere, complaints], [[], []]);
});

test("a chosen refresh loads the page again, without a script", async () => {
  const { page, requested } = await open({ javaScriptEnabled: false }, "?broker=LocalEMQX&refresh=5");
  const loads = () => requested.filter((url) => url.includes("refresh=5")).length;
  await page.waitForRequest(/refresh=5/);
  assert.ok(loads() >= 2);
});

test("an alert's link opens its section of the runbook", async () => {
  const { page, complaints } = await open({}, "runbook#emqxclientsilent");
  const heading = page.getByRole("heading", { name: "EmqxClientSilent", level: 3 });
  assert.ok(await heading.evaluate((node) => node.matches(":target") && node.getBoundingClientRect().top < 200));
  await page.getByRole("link", { name: "EmqxClientFlapping" }).first().click();
  await page.waitForURL(/#emqxclientflapping$/);
  await page.getByRole("link", { name: "All alerts" }).click();
  await page.waitForURL(/#runbook$/);
  await page.getByRole("link", { name: "State of all clients" }).click();
  await page.waitForURL(PAGE_URL);
  await table(page, "LocalEMQX").getByRole("link", { name: "GardenPump" }).click();
  assert.deepEqual(complaints, []);
  await page.getByRole("link", { name: "debug view" }).click();
  await page.waitForURL(/probe\?broker=LocalEMQX&client=GardenPump&debug=true/);
});

const PAGES = { overview: "", client: "client?broker=LocalEMQX&client=QingpingCO2_Room1", runbook: "runbook" };
const DEVICES = { desktop: DESKTOP, phone: PHONE };
for (const [name, query] of Object.entries(PAGES)) {
  for (const [device, viewport] of Object.entries(DEVICES)) {
    for (const colorScheme of ["light", "dark"]) {
      test(`the ${name} on a ${device} in ${colorScheme} mode fits and is accessible`, async () => {
        // axe is a script, which the page's security policy forbids.
        const { page } = await open({ viewport, colorScheme, bypassCSP: true }, query);
        await page.screenshot({ path: `${BROWSER_DIR}/${name}-${device}-${colorScheme}.png`, fullPage: true });
        const [width, ground] = await page.evaluate(() => [
          document.scrollingElement.scrollWidth,
          getComputedStyle(document.documentElement).backgroundColor,
        ]);
        assert.ok(width <= viewport.width, `the page is ${width} wide`);
        const lightness = ground.match(/\d+/g).map(Number)[0];
        assert.equal(lightness < 128, colorScheme === "dark", ground);
        await page.addScriptTag({ path: installed.resolve("axe-core/axe.min.js") });
        const { violations } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html)}`), []);
      });
    }
  }
}
