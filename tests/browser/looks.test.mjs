/*
 * Both pages as they look, in both themes, on a phone, a tablet and a desk: what axe-core finds,
 * whether every text and mark stands out from what is behind it, and whether anything is cut off.
 */
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {after, before, test} from "node:test";

import {faintShapes, faintTexts} from "./contrast.mjs";
import {BUILT, Browser, startNodes, until} from "./rig.mjs";
import {ScriptedNode, makePeers} from "./scripted.mjs";

const AXE = readFileSync(createRequire(BUILT).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [390, 768, 1280];
const THEMES = ["dark", "light"];
/* Each theme at each width, and for those who ask for more contrast; and what is enough for a page
 * that differs from such a one in a part. */
const ALL = [...THEMES.flatMap((theme) => WIDTHS.map((width) => ({theme, width, contrast: "no-preference"}))),
             ...THEMES.map((theme) => ({theme, width: 1280, contrast: "more"}))];
const SOME = [ALL[0], ALL[5]];
/* So high that every row is laid out; a photograph shows all of the page. */
const HEIGHT = 2400;

let browser = null;
let helper = null;
let nodes = [];
let scripted = null;

before(async () => {
    nodes = await startNodes(1);
    scripted = new ScriptedNode();
    await scripted.start();
    browser = await Browser.open({reducedMotion: "reduce"});
    helper = await browser.context.newPage();
    await browser.page.bringToFront(); // one behind another is drawn once a second
});

after(async () => {
    await browser?.close();
    await scripted?.stop();
    await Promise.all(nodes.map((node) => node.kill()));
});

// ---- What is asked of a look ----

async function axeFinds(page) {
    const violations = await page.evaluate(async () =>
        (await globalThis.axe.run(document, {resultTypes: ["violations"]})).violations);
    return violations.map(({id, nodes: places}) => `${id}: ${places.map((place) => place.target).join(", ")}`);
}

/* Runs in the page: what sticks out at the right of it. */
function overhanging() {
    const width = document.documentElement.clientWidth;
    return [...document.querySelectorAll("body *:not(.unseen, .unseen *, thead *, .scroll *)")].filter((element) =>
        element.checkVisibility() && element.getBoundingClientRect().right > width + 1)
        .map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 20)}`);
}

/* Runs in the page: the texts of the picture that its edge cuts off. */
function cutNames() {
    const box = document.getElementById("picture")?.getBoundingClientRect();
    return [...document.querySelectorAll("#picture text")].filter((text) => {
        const {left, right, top, bottom} = text.getBoundingClientRect();
        return left < box.left || right > box.right || top < box.top || bottom > box.bottom;
    }).map((text) => text.textContent);
}

async function judge(page, what, looks) {
    await page.evaluate(AXE);
    await page.evaluate(() => document.activeElement.blur()); // its outline goes over its label's edge
    for (const {theme, width, contrast} of looks) {
        const look = `${what}, ${theme}, ${width} px, contrast ${contrast}`;
        await page.emulateMedia({colorScheme: theme, contrast});
        await page.setViewportSize({width, height: HEIGHT});
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        assert.deepEqual(await axeFinds(page), [], look);
        const {faint, count} = await faintTexts(page, helper);
        assert.deepEqual(faint, [], look);
        assert.ok(count > 10, look);
        assert.deepEqual(await faintShapes(page), [], look);
        assert.deepEqual(await page.evaluate(overhanging), [], look);
        assert.deepEqual(await page.evaluate(cutNames), [], look);
    }
}

// ---- The board ----

const LONG = "a-key-that-somebody-made-very-long-".repeat(8);

async function openBoard(rest = "") {
    await browser.visit("about:blank");
    await browser.visit(`${nodes[0].url}/fade/${rest}`);
    await browser.page.locator("#send:enabled").waitFor();
}

test("the board: nothing to find on it, and everything that can be read stands out", async () => {
    const {page} = browser;
    await openBoard();
    await page.locator("#empty").waitFor();
    await judge(page, "an empty board", SOME);
    await nodes[0].put("msg-plain-text-1", "A message|KESTREL|Ridge 4");
    await nodes[0].put(`msg-${LONG}`, `${"w".repeat(280)}|${"c".repeat(20)}|${"l".repeat(30)}`);
    await nodes[0].put("msg-no-text-1", new Uint8Array([0xff, 0, 1]));
    await nodes[0].put("elsewhere", "not on the board");
    await openBoard("#elsewhere");
    await page.locator("#found .message").waitFor();
    await openBoard("#msg-plain-text-1");
    await page.locator(".is-linked").waitFor();
    await page.getByLabel("Callsign").fill("a|b");
    await page.getByLabel("Message", {exact: true}).fill("x".repeat(281));
    // As in the last part of a long life, and then in its last second, which goes on.
    await page.evaluate(() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(".message { --life: 0 !important; --ink: 0 !important; }");
        document.adoptedStyleSheets.push(sheet);
    });
    await judge(page, "a board with everything on it", ALL);
    await page.evaluate(() => document.querySelectorAll(".message").forEach(({classList}) => {
        classList.add("is-ending");
        classList.toggle = () => true;
    }));
    await judge(page, "a board whose messages are about to go", ALL);
    assert.equal(await page.locator(".message:not(.is-ending)").count(), 0);
});

test("the board, when its node is away", async () => {
    await nodes[0].kill();
    await browser.page.locator("#status[data-state=offline]").waitFor();
    await judge(browser.page, "a board without a node", SOME);
    await nodes[0].start();
});

// ---- The network ----

async function openNetwork(count, options, links) {
    scripted.peers = makePeers(count, options);
    scripted.links = links;
    await browser.visit("about:blank");
    await browser.visit(`${scripted.url}/fade/network`);
    await browser.page.locator("#picture-text", {hasText: `and ${count} other members`})
        .waitFor({state: "attached"});
    const etag = `${"0".repeat(16)}${scripted.peers[0].uuid}`;
    await browser.page.locator("#status[data-state=live]").waitFor();
    scripted.tell("put", {key: LONG, ttl_ms: 40000, size: 1234, etag});
    scripted.tell("expire", {key: "rooms/1", ttl_ms: 0, size: 5, etag});
    await browser.page.locator("#events .expire").waitFor();
}

test("the network with three members", async () => {
    await openNetwork(2, {}, 2);
    await judge(browser.page, "three members", SOME);
});

test("the network with thirty members, some in trouble and some gone, with long names", async () => {
    const states = ["suspect", "dead", "left"];
    await openNetwork(30, {stateOf: (i) => states[i - 20] ?? "alive", heardOf: () => 3000,
                           nameOf: (i) => `a-deployment-of-repram-5d4f8-node-${i}`}, 7);
    await judge(browser.page, "thirty members", ALL);
});

test("the network with three hundred members", async () => {
    await openNetwork(299, {stateOf: (i) => (i === 7 ? "suspect" : "alive")}, 11);
    await judge(browser.page, "three hundred members", SOME);
    assert.equal(await browser.page.locator("#picture .mark").count(), 300);
    assert.equal(await browser.page.locator("#picture .link").count(), 11);
    assert.equal(await browser.page.locator("#picture text").count(), 1);
    const overlaps = await browser.page.evaluate(() => {
        const discs = [...document.querySelectorAll("#picture .mark circle")].map((disc) => {
            const {x, y, width} = disc.getBoundingClientRect();
            return {x: x + width / 2, y: y + width / 2, r: width / 2};
        });
        return discs.filter((a, i) => discs.some((b, k) => k > i &&
            Math.hypot(a.x - b.x, a.y - b.y) < a.r + b.r)).length;
    });
    assert.equal(overlaps, 0);
});

test("those who have gone are few in the picture, and all are counted", async () => {
    await openNetwork(60, {stateOf: (i) => (i < 5 ? "alive" : i % 2 === 0 ? "left" : "dead"),
                           heardOf: (i) => i * 10000}, 5);
    const {page} = browser;
    assert.equal(await page.locator("#picture .mark.dead, #picture .mark.left").count(), 12);
    assert.match(await page.locator("#facts").textContent(), /6 alive, 28 dead, 27 left/);
    assert.match(await page.locator("#legend").textContent(), /6 alive.*28 dead.*27 left/);
    assert.match(await page.locator("#picture-text").textContent(), /5 alive, 28 dead, 27 left/);
});

test("on a phone no column of the table is out of sight", async () => {
    const {page} = browser;
    await page.setViewportSize({width: 390, height: HEIGHT});
    const cut = await page.evaluate(() => [...document.querySelectorAll("#members th, #members td")].filter(
        (cell) => cell.textContent !== "" && (!cell.checkVisibility() ||
            cell.getBoundingClientRect().right > innerWidth - 16)).map((cell) => cell.textContent));
    assert.deepEqual(cut, []);
    assert.equal(await page.getByRole("table", {name: "Other members"}).getByRole("row").count(), 51);
    assert.equal(await page.getByRole("rowheader", {name: "node-2", exact: true}).count(), 1);
});

test("a table that is wider than its place says so, and scrolls by keyboard", async () => {
    const {page} = browser;
    await openNetwork(3, {nameOf: (i) => `a-deployment-of-repram-5d4f8-node-${i}`}, 3);
    await page.setViewportSize({width: 700, height: 800});
    const scroll = page.locator(".scroll");
    assert.ok(await scroll.evaluate((box) => box.scrollWidth > box.clientWidth));
    assert.match(await scroll.evaluate((box) => getComputedStyle(box).backgroundAttachment), /local.*scroll/);
    await scroll.focus();
    await page.keyboard.press("ArrowRight");
    await until(() => scroll.evaluate((box) => box.scrollLeft > 0), "it scrolls");
});

test("plots have a baseline and a time axis before there is a second figure", async () => {
    const {page} = browser;
    const first = page.locator(".plot").first();
    scripted.isSilent = true;
    await browser.visit("about:blank");
    await browser.visit(`${scripted.url}/fade/network`);
    await first.locator(".axis", {hasText: /^−1 min.*now$/}).waitFor();
    const shape = (name) => first.locator(`.${name}`).getAttribute("d");
    assert.match(await shape("before"), /^M0 [\d.]+H/);
    assert.equal((await shape("ticks")).split("M").length - 1, 7);
    assert.equal(await shape("line"), "");
    scripted.isSilent = false;
    await until(async () => /h0$/.test(await shape("head")), "the first figure is a dot");
    await until(async () => /L/.test(await shape("line")), "the second one makes a line");
    assert.match(await shape("base"), /^M[\d.]+ [\d.]+H240$/);
});

test("no script has failed or been stopped", () => assert.deepEqual(browser.faults, []));
