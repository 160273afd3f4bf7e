/* The board in two browsers on different nodes, as visitors meet it. */
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import {Browser, startNodes, until} from "./rig.mjs";

/* The operator chooses a node's name, and the pages show it: it must stay text as well. */
const NODE_NAME = "<img/src=x/onerror=alert(1)>";

let nodes = [];
let a = null;
let b = null;

before(async () => {
    nodes = await startNodes(3, (i) => (i === 1 ? {REPRAM_NODE_ID: NODE_NAME} : {}));
    [a, b] = await Promise.all([Browser.open(),
                                Browser.open({viewport: {width: 390, height: 844}})]);
});

after(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await Promise.all(nodes.map((node) => node.kill()));
});

// ---- What the tests ask of a page ----

const escape = (text) => text.replace(/[^\w\s]/g, "\\$&");
const row = (browser, text) => browser.page.locator("#messages .message").filter(
    {has: browser.page.locator(".text", {hasText: new RegExp(`^${escape(text)}`)})});
const status = (browser) => browser.page.locator("#status");

async function open(browser, node, rest = "") {
    await browser.visit("about:blank"); // so that an address that differs in its fragment is loaded
    await browser.visit(`${node.url}/fade/${rest}`);
    await status(browser).and(browser.page.locator("[data-state=live]")).waitFor();
    await browser.page.locator("#send:enabled").waitFor();
}

async function transmit(browser, {text, callsign = "", location = ""}) {
    await browser.page.getByLabel("Callsign").fill(callsign);
    await browser.page.getByLabel("Location").fill(location);
    await browser.page.getByLabel("Message", {exact: true}).fill(text);
    await browser.page.getByRole("button", {name: "Transmit"}).click();
}

async function texts(browser) {
    return browser.page.locator("#messages .text").allTextContents();
}

async function waitForText(locator, pattern) {
    await until(async () => pattern.test(await locator.textContent()), `a text like ${pattern}`);
}

/* A row on the screen of a browser, from its text. */
async function seen(browser, text) {
    await row(browser, text).waitFor();
    return row(browser, text);
}

// ---- Reading and writing ----

test("a message that is sent on one node is on the screen at another, with callsign and place",
    async () => {
        await Promise.all([open(a, nodes[0]), open(b, nodes[1])]);
        await transmit(a, {text: "first light", callsign: "KESTREL", location: "Ridge 4"});
        for (const browser of [a, b]) {
            const shown = await seen(browser, "first light");
            assert.equal(await shown.locator(".from").textContent(), "KESTREL @ Ridge 4");
            assert.match(await shown.locator(".left").textContent(), /^(1h 00m|5\dm \d\ds) left$/);
        }
        await waitForText(a.page.locator("#outcome"), /^Sent as msg-\S+, held by [23] of 3 nodes\. Gone at/);
        assert.equal(await a.page.getByLabel("Message", {exact: true}).inputValue(), "");
        await waitForText(b.page.locator("#announce"), /^New message from KESTREL: first light$/);
    });

test("messages show after the page, two scripts, and the stream", async () => {
    a.requests.length = 0;
    await a.visit("about:blank");
    await a.page.addInitScript(() => {
        new MutationObserver((_, observer) => {
            if (document.querySelector("#messages .message")) {
                globalThis.firstShownAt = performance.now();
                observer.disconnect();
            }
        }).observe(document, {childList: true, subtree: true});
    });
    await open(a, nodes[0]);
    await seen(a, "first light");
    await until(() => a.requests.some((url) => url.endsWith("/news.js")), "everything is asked for");
    const early = await a.page.evaluate(() => performance.getEntriesByType("resource")
        .filter((entry) => entry.startTime < globalThis.firstShownAt)
        .map((entry) => new URL(entry.name).pathname));
    // The browser asks for the picture in the tab by itself; no message waits for it. The stream is
    // the worker's. So is its script, which is asked for once more and answered without a body.
    assert.deepEqual(early.filter((path) => !path.endsWith("favicon.svg")).sort(),
                     ["/fade/board.js", "/fade/stream.js"]);
    const asked = a.requests.filter((url) => url.startsWith("http")).map((url) => new URL(url).pathname);
    assert.deepEqual([...new Set(asked.filter((path) => !path.endsWith("favicon.svg")))].slice(0, 3).sort(),
                     ["/fade/", "/fade/board.js", "/fade/stream.js"]);
    assert.notEqual(await a.page.locator("h2").first().evaluate(
        (title) => getComputedStyle(title).letterSpacing), "normal"); // the style inside is allowed
});

test("what clients of before wrote shows, whole where it is not in the format", async () => {
    await nodes[2].put("msg-old-client-1", "only a text");
    await nodes[2].put("msg-old-client-2", "a text|CALL|Place");
    await nodes[2].put("msg-old-client-3", "one|two");
    await nodes[2].put("other-key", "not on this board");
    await nodes[2].put("msg-old-client-4", new Uint8Array([0xff, 0, 1]));
    assert.equal(await (await seen(a, "only a text")).locator(".from").textContent(), "ANONYMOUS");
    assert.equal(await (await seen(a, "a text")).locator(".from").textContent(), "CALL @ Place");
    await seen(a, "one|two");
    await seen(a, "(3 bytes, not text)");
    assert.equal(await row(a, "not on this board").count(), 0);
    assert.deepEqual((await texts(a)).slice(0, 2), ["(3 bytes, not text)", "one|two"]);
});

test("another prefix is another board", async () => {
    await open(a, nodes[0], "?prefix=other-");
    await seen(a, "not on this board");
    assert.equal(await a.page.locator("#messages .message").count(), 1);
    assert.match(await a.page.locator("#key").textContent(), /^other-[a-z]+-[a-z]+-\d{4}$/);
    await open(a, nodes[0]);
});

test("a message counts down, fades, and is gone from every screen when its time is over", async () => {
    await Promise.all([open(a, nodes[0]), open(b, nodes[1])]);
    await nodes[0].put("msg-brief-one-1", "soon gone", 10);
    const [shown] = await Promise.all([seen(b, "soon gone"), seen(a, "soon gone")]);
    // Written down where it is drawn: whoever asks from outside may come when the row is gone.
    const drawn = await shown.evaluateHandle((message) => {
        const states = [];
        const note = () => states.push({
            left: message.querySelector(".left").textContent,
            life: Number(message.style.getPropertyValue("--life")),
            ink: Number(message.style.getPropertyValue("--ink")),
            colour: getComputedStyle(message.querySelector(".text")).color});
        note();
        new MutationObserver(() => message.isConnected && note()).observe(
            message, {attributes: true, childList: true, characterData: true, subtree: true});
        return states;
    });
    await until(async () => (await nodes[1].get("msg-brief-one-1")) === null, "the node has let go of it");
    for (const browser of [a, b]) {
        await row(browser, "soon gone").waitFor({state: "detached"});
    }
    const states = await drawn.jsonValue();
    const first = states[0];
    const last = states.at(-1);
    assert.ok(states.every(({left}) => /^(10|\d)s left$/.test(left)), JSON.stringify(states));
    assert.ok(parseInt(last.left, 10) < parseInt(first.left, 10), `${first.left}, ${last.left}`);
    assert.ok(last.life < first.life && last.ink < 1, JSON.stringify(last));
    assert.notEqual(last.colour, first.colour);
});

test("a key that is written again shows its newest message, once", async () => {
    await nodes[0].put("msg-again-1", "before");
    await seen(a, "before");
    await nodes[1].put("msg-again-1", "afterwards");
    await seen(a, "afterwards");
    await row(a, "before").waitFor({state: "detached"});
    assert.equal((await texts(a))[0], "afterwards");
});

// ---- The composer ----

test("the composer refuses a bar in any field and says why", async () => {
    const problem = a.page.locator("#problem");
    for (const label of ["Message", "Callsign", "Location"]) {
        const field = a.page.getByRole("textbox", {name: new RegExp(`^${label}`)});
        await field.fill("a|b");
        assert.match(await problem.textContent(),
                     new RegExp(`The ${label.toLowerCase()} has a “|”.*separates message`));
        assert.equal(await field.getAttribute("aria-invalid"), "true");
        await a.page.getByRole("button", {name: "Transmit"}).click();
        await field.fill("");
        assert.equal(await problem.textContent(), "");
    }
    assert.equal(await row(a, "a|b").count(), 0);
});

test("the counter counts characters, and too many are not sent", async () => {
    const field = a.page.getByLabel("Message", {exact: true});
    const counter = a.page.locator("#count");
    await field.fill("😀".repeat(280));
    assert.equal(await counter.textContent(), "280 / 280");
    assert.equal(await a.page.locator("#problem").textContent(), "");
    await field.fill("😀".repeat(281));
    assert.equal(await counter.textContent(), "281 / 280");
    await a.page.getByRole("button", {name: "Transmit"}).click();
    await waitForText(a.page.locator("#problem"), /1 character too long/);
    await field.fill("");
    await a.page.getByRole("button", {name: "Transmit"}).click();
    await waitForText(a.page.locator("#problem"), /no message yet/);
});

test("times to live are the node's own, callsign and location are remembered", async () => {
    const offered = await a.page.locator("#ttl option").allTextContents();
    assert.deepEqual(offered, ["1 minute", "5 minutes", "30 minutes", "1 hour", "6 hours", "1 day"]);
    assert.equal(await a.page.locator("#ttl").inputValue(), "3600");
    await a.page.getByLabel("Gone after").selectOption("5 minutes");
    await transmit(a, {text: "for five minutes", callsign: "VEGA", location: "Deck 2"});
    assert.match(await (await seen(a, "for five minutes")).locator(".left").textContent(),
                 /^(5m 00s|4m \d\ds) left$/);
    await open(a, nodes[0]);
    assert.equal(await a.page.getByLabel("Callsign").inputValue(), "VEGA");
    assert.equal(await a.page.getByLabel("Location").inputValue(), "Deck 2");
});

test("the key that is shown is the one that is used, and another can be had", async () => {
    const key = a.page.locator("#key");
    const first = await key.textContent();
    await a.page.getByRole("button", {name: "Another key"}).click();
    const second = await key.textContent();
    assert.notEqual(first, second);
    await a.page.getByRole("button", {name: "Copy key"}).click();
    await waitForText(a.page.locator("#copy"), /Copied|Selected/);
    await transmit(a, {text: "under this key"});
    assert.equal(await (await seen(a, "under this key")).locator(".key").textContent(), second);
    await until(async () => /^under this key/.test(await nodes[2].get(second)), "it is stored there");
});

test("keyboard alone writes a message: fields in order, and Ctrl+Enter sends", async () => {
    await a.page.getByLabel("Message", {exact: true}).focus();
    const order = [];
    for (let i = 0; i < 7; i++) {
        order.push(await a.page.evaluate(() => document.activeElement.id));
        await a.page.keyboard.press("Tab");
    }
    assert.deepEqual(order, ["text", "callsign", "location", "ttl", "send", "copy", "another"]);
    await a.page.getByLabel("Message", {exact: true}).focus();
    await a.page.keyboard.type("typed only");
    await a.page.keyboard.press("Control+Enter");
    await seen(b, "typed only");
});

// ---- Finding ----

test("a message is retrieved by its key: on the board, beside it, or not at all", async () => {
    const find = async (key) => {
        await a.page.getByLabel("Key of the message").fill(key);
        await a.page.getByRole("button", {name: "Retrieve"}).click();
    };
    await find("msg-old-client-2");
    await a.page.locator("#messages .is-linked", {hasText: "a text"}).waitFor();
    await find("other-key");
    await a.page.locator("#found .message", {hasText: "not on this board"}).waitFor();
    assert.match(await a.page.locator("#found .left").textContent(), /^[1-9]m \d\ds left$/);
    await find("msg-never-written-0");
    await waitForText(a.page.locator("#finding"), /nothing under this key/);
});

test("a link leads to its message, also far down and on another node", async () => {
    for (let i = 0; i < 120; i++) {
        await nodes[i % 3].put(`msg-filler-${i}`, `filler ${i}`);
    }
    await open(b, nodes[2], "#msg-old-client-1");
    await b.page.locator("#messages .is-linked", {hasText: "only a text"}).waitFor();
    assert.equal(await b.page.evaluate(() => document.activeElement.querySelector(".key").textContent),
                 "msg-old-client-1");
});

test("a hundred messages stand on the board at first, older ones on demand", async () => {
    await open(b, nodes[1]);
    const all = Number(await b.page.locator("#total").textContent());
    assert.ok(all > 120);
    assert.equal(await b.page.locator("#messages .message").count(), 100);
    await b.page.getByRole("button", {name: `Older (${all - 100} more)`}).click();
    assert.equal(await b.page.locator("#messages .message").count(), all);
    assert.equal(await b.page.locator("#older").isVisible(), false);
});

test("who has scrolled down is told of new messages and can go to them", async () => {
    await b.page.evaluate(() => scrollTo(0, 3000));
    await nodes[0].put("msg-while-away-1", "while you were reading");
    await b.page.getByRole("button", {name: "1 new"}).click();
    await until(() => b.page.evaluate(() => scrollY === 0), "it is at the top");
    await seen(b, "while you were reading");
});

// ---- Trouble ----

test("a node that is killed takes nothing from the screen, and what was missed comes with it back",
    async () => {
        await open(a, nodes[0]);
        const kept = await texts(a);
        await a.page.evaluate(() => (document.querySelector(".message").isTheSame = true));
        await nodes[0].kill();
        await waitForText(status(a), /^Offline\. .* keeps trying\.$/);
        assert.deepEqual(await texts(a), kept);
        await transmit(a, {text: "into the void"});
        await waitForText(a.page.locator("#outcome"), /^Not sent\. .*still here/);
        assert.equal(await a.page.getByLabel("Message", {exact: true}).inputValue(), "into the void");
        await nodes[1].put("msg-missed-1", "written meanwhile");
        await nodes[0].start();
        await waitForText(status(a), /^Back\. The board was offline for/);
        await seen(a, "written meanwhile");
        assert.deepEqual((await texts(a)).slice(1), kept.slice(0, 99));
        assert.equal(await a.page.evaluate(() =>
            [...document.querySelectorAll(".message")].some((message) => message.isTheSame)), true);
    });

test("what ends while the node is away ends on the screen all the same", async () => {
    await nodes[0].put("msg-lonely-1", "ends alone", 5);
    await seen(a, "ends alone");
    await nodes[0].kill();
    await waitForText(status(a), /^Offline/);
    await row(a, "ends alone").waitFor({state: "detached"});
    await nodes[0].start();
    await waitForText(status(a), /^(Back|Live)/);
});

test("script stays text in message, callsign, location, key, address and node name", async () => {
    const image = "<img src=x onerror=alert(1)>";
    const script = "<script>alert(1)</script>";
    const key = `msg-${image}`;
    await nodes[0].put(key, `${script}${image}|<b>X</b>|<svg/onload=alert(1)>`);
    await nodes[0].put(`out-${image}`, script);
    for (const rest of ["", `#${encodeURIComponent(key)}`, `#${encodeURIComponent(`out-${image}`)}`,
                        `?prefix=${encodeURIComponent(`out-${image}`)}`, `#${encodeURIComponent(image)}`]) {
        await open(b, nodes[1], rest); // the node whose name looks like one too
        await waitForText(status(b), /^Live on <img\/src=x/);
        await b.page.locator(".message .text", {hasText: script}).first().waitFor();
        assert.equal(await b.page.locator("img, svg, .message script, .message b").count(), 0);
    }
    await open(b, nodes[1]);
    const shown = await seen(b, script);
    assert.equal(await shown.locator(".text").textContent(), script + image);
    assert.equal(await shown.locator(".from").textContent(), "<b>X</b> @ <svg/onload=alert(1)>");
    assert.equal(await shown.locator(".key").textContent(), key);
});

// ---- Everybody ----

test("no width makes the page scroll sideways, from a small phone on", async () => {
    await nodes[0].put("msg-wide-1", `${"w".repeat(280)}|${"c".repeat(20)}|${"l".repeat(30)}`);
    await seen(b, "wwww");
    for (const width of [320, 390, 768, 1280]) {
        await b.page.setViewportSize({width, height: 800});
        assert.equal(await b.page.evaluate(() => document.documentElement.scrollWidth), width);
    }
});

test("whoever asks for less motion gets none", async () => {
    await nodes[0].put("msg-going-1", "going", 15);
    const moving = async () => (await seen(b, "going")).evaluate((row) => getComputedStyle(row).transitionDuration);
    assert.equal(await moving(), "1s");
    await b.page.emulateMedia({reducedMotion: "reduce"});
    assert.equal(await moving(), "0s");
});

test("every field and button has a name, and the list and the status are announced as such", async () => {
    const nameless = await b.page.evaluate(() =>
        [...document.querySelectorAll("input, textarea, select, button:not([hidden])")].filter((field) =>
            (field.labels?.length ?? 0) === 0 && field.textContent.trim() === "").map((field) => field.id));
    assert.deepEqual(nameless, []);
    await b.page.getByRole("list", {name: "Messages, newest first"}).waitFor();
    assert.equal(await b.page.locator("[role=status]").first().getAttribute("id"), "status");
    assert.equal(await b.page.locator("#announce").getAttribute("aria-live"), "polite");
});

test("nothing has left the origin, and no script has failed or been stopped", () => {
    for (const browser of [a, b]) {
        assert.deepEqual(browser.strangers(), []);
        assert.deepEqual(browser.faults, []);
        assert.ok(browser.requests.length > 10);
    }
});
