/* Many tabs of one browser: they share a stream, and tabs that nobody looks at let go of it. */
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import {Browser, startNodes, until} from "./rig.mjs";

/* Twice what a browser connects to a host at a time. */
const TABS = 12;
/* A message is in all of them so soon on a quiet machine; ten times that is allowed. */
const SOON_MS = 300;

let nodes = [];
let browser = null;
let tabs = [];

before(async () => {
    nodes = await startNodes(3);
    browser = await Browser.open();
    for (const page of [browser.page, ...Array.from({length: TABS - 1}, () => null)]) {
        const tab = page ?? await browser.tab();
        await tab.addInitScript(noteTimes);
        await tab.goto(`${nodes[0].url}/fade/`);
        tabs.push(tab);
    }
});

after(async () => {
    await browser?.close();
    await Promise.all(nodes.map((node) => node.kill()));
});

// ---- What the tests ask of a tab ----

/* Runs in the page: when each text was first in the list, on the machine's clock. */
function noteTimes() {
    globalThis.shownAt = {};
    new MutationObserver(() => {
        for (const text of document.querySelectorAll("#messages .text")) {
            globalThis.shownAt[text.textContent] ??= performance.timeOrigin + performance.now();
        }
    }).observe(document, {childList: true, subtree: true});
}

function shown(tab, text) {
    return until(() => tab.evaluate((wanted) => globalThis.shownAt[wanted], text), `a tab shows ${text}`);
}

async function isLive(tab) {
    await tab.locator("#status[data-state=live]").waitFor();
}

const texts = (tab) => tab.locator("#messages .text").allTextContents();
const watchers = (node) => node.figure("repram_watchers");

/* What the browser says when somebody turns to another tab or comes back. The driver keeps every tab
 * in front, so the page is told so. */
function turn(tab, isHidden) {
    return tab.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
        document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
}

/* The worker that reads the stream ends as if it had crashed. */
async function crashWorker() {
    const session = await browser.context.newCDPSession(tabs[0]);
    const {targetInfos} = await session.send("Target.getTargets");
    const workers = targetInfos.filter(({type}) => type === "shared_worker");
    assert.equal(workers.length, 1);
    await session.send("Target.closeTarget", {targetId: workers[0].targetId});
}

// ---- Tests ----

test("twelve tabs are live on one stream, and a message is in all of them at once", async (t) => {
    await Promise.all(tabs.map(isLive));
    assert.equal(await watchers(nodes[0]), 1);
    const times = [];
    for (let i = 0; i < 5; i++) {
        await nodes[1].put(`msg-to-all-${i}`, `to all ${i}`);
        const answered = Date.now();
        const each = await Promise.all(tabs.map((tab) => shown(tab, `to all ${i}`)));
        times.push(...each.map((at) => at - answered));
    }
    times.sort((x, y) => x - y);
    t.diagnostic(`after the PUT's answer at another node: median ${Math.round(times[times.length >> 1])} ms, ` +
                 `latest ${Math.round(times.at(-1))} ms of ${times.length}`);
    assert.equal(times.length, 5 * TABS);
    assert.ok(times.at(-1) < 10 * SOON_MS, `a tab had a message after ${Math.round(times.at(-1))} ms`);
});

test("in the twelfth tab one can write, retrieve and read", async () => {
    const tab = tabs.at(-1);
    await tab.locator("#send:enabled").waitFor();
    await tab.getByLabel("Message", {exact: true}).fill("from the twelfth");
    await tab.getByRole("button", {name: "Transmit"}).click();
    await until(async () => /^Sent as/.test(await tab.locator("#outcome").textContent()), "it is sent");
    await Promise.all(tabs.map((each) => shown(each, "from the twelfth")));
    await nodes[1].put("elsewhere", "not on the board");
    await tab.getByLabel("Key of the message").fill("elsewhere");
    await tab.getByRole("button", {name: "Retrieve"}).click();
    await tab.locator("#found .message", {hasText: "not on the board"}).waitFor();
});

test("the first tab closes while messages come, and the others miss none", async () => {
    const wanted = Array.from({length: 60}, (_, i) => `numbered ${i}`);
    for (const [i, text] of wanted.entries()) {
        await nodes[i % 2].put(`msg-numbered-${i}`, text);
        if (i === 20) {
            await tabs.shift().close();
        }
    }
    for (const tab of tabs) {
        await until(async () => (await texts(tab)).filter((text) => text.startsWith("numbered ")).length ===
                                wanted.length, "all of them are there");
    }
    assert.equal(await watchers(nodes[0]), 1);
});

test("a worker that has crashed is replaced, and nothing is missing", async () => {
    await crashWorker();
    await until(async () => (await watchers(nodes[0])) === 0, "the stream is over");
    await nodes[1].put("msg-without-worker", "nobody listened");
    await Promise.all(tabs.map((tab) => shown(tab, "nobody listened")));
    assert.equal(await watchers(nodes[0]), 1);
});

test("their node restarts, and all of them come back", async () => {
    await nodes[0].kill();
    for (const tab of tabs) {
        await tab.locator("#status[data-state=offline]").waitFor();
    }
    await nodes[1].put("msg-while-away", "written meanwhile");
    await nodes[0].start();
    await Promise.all(tabs.map(async (tab) => {
        await isLive(tab);
        await shown(tab, "written meanwhile");
        await tab.locator("#announce", {hasText: "written meanwhile"}).waitFor({state: "attached"});
    }));
    assert.equal(await watchers(nodes[0]), 1);
});

test("while nobody looks at any tab there is no stream, and whoever comes back misses nothing", async () => {
    const [kept, ...others] = tabs;
    await Promise.all(others.map((tab) => turn(tab, true)));
    await nodes[1].put("msg-one-looks", "one looks");
    await Promise.all(tabs.map((tab) => shown(tab, "one looks"))); // the one has it for all
    await turn(kept, true);
    await until(async () => (await watchers(nodes[0])) === 0, "the stream is let go");
    await nodes[1].put("msg-brief-hidden", "over before anybody looked", 1);
    await nodes[1].put("msg-nobody-looks", "nobody looked");
    await until(async () => (await nodes[1].get("msg-brief-hidden")) === null, "the brief one is over");
    assert.equal(await kept.evaluate(() => document.querySelector("#status").dataset.state), "live");
    const before = await texts(kept);
    await turn(kept, false);
    await shown(kept, "nobody looked");
    assert.deepEqual(await texts(kept), ["nobody looked", ...before]);
    await Promise.all(others.map((tab) => turn(tab, false)));
    await Promise.all(tabs.map((tab) => shown(tab, "nobody looked")));
    assert.equal(await watchers(nodes[0]), 1);
});

test("tabs with the picture of the network share a stream too", async () => {
    await Promise.all(tabs.map((tab) => tab.goto(`${nodes[0].url}/fade/network`)));
    await Promise.all(tabs.map(isLive));
    await until(async () => (await watchers(nodes[0])) === 1, "there is one stream");
    await nodes[1].put("any/key", "x");
    await Promise.all(tabs.map((tab) => tab.locator("#events .put", {hasText: "any/key"}).waitFor()));
});

test("a browser without shared workers has a stream for each tab that somebody looks at", async () => {
    const old = await Browser.open();
    try {
        await old.context.addInitScript(() => delete globalThis.SharedWorker);
        const both = [old.page, await old.tab()];
        for (const tab of both) {
            await tab.addInitScript(noteTimes);
            await tab.goto(`${nodes[1].url}/fade/`);
            await isLive(tab);
        }
        assert.equal(await watchers(nodes[1]), 2);
        await turn(both[0], true);
        await until(async () => (await watchers(nodes[1])) === 1, "one lets go");
        await nodes[0].put("msg-old-browser", "for an old browser");
        await shown(both[1], "for an old browser");
        await turn(both[0], false);
        await shown(both[0], "for an old browser");
        assert.deepEqual(old.faults, []);
    } finally {
        await old.close();
    }
});

test("no script has failed or been stopped", () => assert.deepEqual(browser.faults, []));
