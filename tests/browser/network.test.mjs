/* The picture of the cluster, while members come and go. */
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import {Browser, startNodes, until} from "./rig.mjs";

let nodes = [];
let browser = null;

before(async () => {
    nodes = await startNodes(3);
    browser = await Browser.open();
    await browser.visit(`${nodes[0].url}/fade/network`);
});

after(async () => {
    await browser?.close();
    await Promise.all(nodes.map((node) => node.kill()));
});

const stateOf = (name) => browser.page.locator("#members tr", {hasText: name}).locator("td").nth(1);

async function waitForState(name, state) {
    await until(async () => (await stateOf(name).textContent()) === state, `${name} is ${state}`);
}

test("every other member is in the picture and in the table, with state, round trip and link", async () => {
    await waitForState("node-2", "alive");
    await waitForState("node-3", "alive");
    assert.equal(await browser.page.locator("#members tr").count(), 2);
    await browser.page.locator("#picture text", {hasText: "node-2"}).waitFor();
    assert.equal(await browser.page.locator("#picture .link").count(), 2);
    await until(async () => /^\d+\.\d\d ms$/.test(await browser.page.locator(
        "#members tr td").nth(2).textContent()), "a round trip was measured");
    assert.equal(await browser.page.locator("#picture-text").textContent(),
                 "node-1 and 2 other members: 2 alive; linked to 2.");
    assert.equal(await browser.page.locator("#status").textContent(), "Live on node-1");
});

test("a write and its expiry show as they happen, and who took the write", async () => {
    await nodes[1].put("seen/from-afar", "12345", 2);
    const write = browser.page.locator("#events .put", {hasText: "seen/from-afar"});
    await write.waitFor();
    assert.match(await write.textContent(), /write.*5 B for [12]s, by node-2$/);
    await browser.page.locator("#events .expire", {hasText: "seen/from-afar"}).waitFor();
});

test("figures become lines in the plots", async () => {
    await until(async () => (await browser.page.locator(".plot .line").evaluateAll((lines) =>
        lines.filter((line) => line.getAttribute("d").includes("L")).length)) === 6, "six lines");
    assert.match(await browser.page.locator(".plot", {hasText: "Requests"}).locator(".figure")
        .textContent(), /^[\d.]+ \/s$/);
});

test("script stays text in keys here too", async () => {
    await nodes[1].put("<img src=x onerror=alert(1)>", "x");
    await browser.page.locator("#events .key", {hasText: "<img src=x"}).waitFor();
    assert.equal(await browser.page.locator("img").count(), 0);
});

test("a member that dies is dead in the picture, and lives again when it is back", async () => {
    await nodes[2].kill();
    await waitForState("node-3", "dead");
    await browser.page.locator("#picture .mark.dead").waitFor();
    await nodes[2].start();
    await until(async () => (await browser.page.locator("#members tr", {hasText: "alive"}).count()) === 2,
                "two are alive");
});

test("the page says that its own node is away, and goes on when it is back", async () => {
    const status = browser.page.locator("#status");
    await nodes[0].kill();
    await until(async () => /^Offline/.test(await status.textContent()), "it says so");
    await nodes[0].start();
    await until(async () => /^Live on node-1/.test(await status.textContent()), "it is live again");
    assert.equal(await browser.page.locator("#members tr", {hasText: "alive"}).count(), 2);
});

test("thirty members are all in the picture with their names; one leaves, one dies", async () => {
    const many = await startNodes(30, () => ({REPRAM_LOG_LEVEL: "error"}));
    try {
        await browser.visit(`${many[0].url}/fade/network`);
        const texts = browser.page.locator("#picture text");
        await until(async () => new Set(await texts.allTextContents()).size === 30, "thirty names");
        assert.equal(await browser.page.locator("#members tr").count(), 29);
        await many[28].stop();
        await many[29].kill();
        await browser.page.locator("#picture .mark.left").waitFor();
        await browser.page.locator("#picture .mark.dead").waitFor();
        await browser.page.locator("#facts", {hasText: "28 alive, 1 dead, 1 left"}).waitFor();
        assert.equal(await texts.count(), 30);
    } finally {
        await Promise.all(many.map((node) => node.kill()));
    }
});

test("no width makes it scroll sideways, nothing left the origin, no script failed", async () => {
    for (const width of [320, 390, 768, 1280]) {
        await browser.page.setViewportSize({width, height: 800});
        assert.equal(await browser.page.evaluate(() => document.documentElement.scrollWidth), width);
    }
    assert.deepEqual(browser.strangers(), []);
    assert.deepEqual(browser.faults, []);
});
