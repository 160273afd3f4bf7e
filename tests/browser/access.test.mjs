/*
 * The pages of a node with an access list: the token from the address, kept for its tab, and what is
 * said to those who may not.
 */
import assert from "node:assert/strict";
import {createHash} from "node:crypto";
import {mkdtempSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {after, before, beforeEach, test} from "node:test";

import {Browser, Node, freeBase, until} from "./rig.mjs";
import {ScriptedNode} from "./scripted.mjs";

const TOKEN = "rt1_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const SIGNED = `Bearer ${TOKEN}`;

let node = null;
let browser = null;

before(async () => {
    node = new ScriptedNode();
    node.token = TOKEN;
    await node.start();
    browser = await Browser.open();
});

after(async () => {
    await browser?.close();
    await node?.stop();
});

beforeEach(() => {
    node.asked.length = 0;
});

const status = (tab) => tab.locator("#status");
const isLive = (tab) => tab.locator("#status[data-state=live]").waitFor();
const isRefused = (tab) => tab.locator("#status[data-state=refused]").waitFor();

/* All that was asked for and is no page. */
const asked = () => node.asked.filter(({url}) => !url.startsWith("/fade/"));

test("without a token both pages say that they may not, and what to do", async () => {
    for (const page of ["", "network"]) {
        await browser.visit(`${node.url}/fade/${page}`);
        await isRefused(browser.page);
        assert.equal(await status(browser.page).textContent(),
                     "No access. This needs a token. With a token, open this page as /fade/#token=TOKEN.");
    }
    assert.ok(asked().length > 0);
    assert.deepEqual(asked().filter(({by}) => by !== ""), []);
});

test("the token of the address opens both pages and leaves the address at once", async () => {
    await browser.visit(`${node.url}/fade/#token=${TOKEN}`);
    await isLive(browser.page);
    assert.equal(browser.page.url(), `${node.url}/fade/`);
    await browser.page.locator("nav a", {hasText: "Network"}).click();
    await browser.page.locator("#facts dd").first().waitFor();
    await isLive(browser.page);
    for (const path of ["/watch", "/status", "/peers", "/metrics"]) {
        assert.ok(asked().some(({url}) => url.startsWith(path)), path);
    }
    assert.deepEqual(asked().filter(({by}) => by !== SIGNED), []);
    assert.deepEqual(node.asked.filter(({url}) => url.includes("rt1_")), []);
});

test("a message is sent and a key is looked up with it", async () => {
    await browser.page.goto(`${node.url}/fade/`);
    await isLive(browser.page);
    await browser.page.locator("#text").fill("hello");
    await browser.page.locator("#send").click();
    await browser.page.locator("#outcome", {hasText: "Sent as"}).waitFor();
    await browser.page.goto(`${node.url}/fade/#nobody`);
    await until(() => asked().some(({url}) => url === "/data/nobody"), "the key is looked up");
    assert.deepEqual(asked().filter(({by}) => by !== SIGNED), []);
});

test("it is this tab's: another one has none, nor its stream", async () => {
    const other = await browser.tab();
    await other.goto(`${node.url}/fade/`);
    await isRefused(other);
    await isLive(browser.page);
    await other.close();
});

test("one that may not is told so; the next one in the address takes its place, an empty one forgets it", async () => {
    await browser.page.evaluate(() => (location.hash = "#token=rt1_other"));
    await isRefused(browser.page);
    assert.equal(await status(browser.page).textContent(), "No access. This token may not do that. The token of " +
                 "this tab does not allow it; another one is taken from #token=.");
    await browser.page.evaluate((token) => (location.hash = `#token=${token}`), TOKEN);
    await isLive(browser.page);
    await browser.page.evaluate(() => (location.hash = "#token="));
    await isRefused(browser.page);
    assert.match(await status(browser.page).textContent(), /This needs a token\./);
    assert.deepEqual(node.asked.filter(({url}) => url.includes("token")), []);
});

/* A node whose list knows this token, which may do so much. */
async function nodeWith(t, ...rules) {
    const folder = mkdtempSync(join(tmpdir(), "fade-acl-"));
    const file = join(folder, "acl");
    writeFileSync(file, [`user somebody sha256:${createHash("sha256").update(TOKEN).digest("hex")}`, ...rules, ""]
        .join("\n"));
    const real = new Node(await freeBase(1), {REPRAM_BIND: "127.0.0.1", REPRAM_ACL_FILE: file});
    t.after(async () => {
        await real.kill();
        rmSync(folder, {recursive: true});
    });
    await real.start();
    return real;
}

test("on a real node the board and the network work with a token that may do what they need", async (t) => {
    const real = await nodeWith(t, "allow watch,read,write msg-", "allow watch,status,metrics");
    await browser.visit(`${real.url}/fade/`);
    await isRefused(browser.page);
    await browser.page.evaluate((token) => (location.hash = `#token=${token}`), TOKEN);
    await browser.page.locator("#status", {hasText: "Live on"}).waitFor();
    await browser.page.locator("#text").fill("over the list");
    await browser.page.locator("#send").click();
    await browser.page.locator("#messages .text", {hasText: "over the list"}).waitFor();
    await browser.page.locator("nav a", {hasText: "Network"}).click();
    await browser.page.locator("#facts dd").first().waitFor();
    await isLive(browser.page);
});

test("on a real node a reader reads, and is told that he may not write", async (t) => {
    const real = await nodeWith(t, "allow watch,read msg-");
    await browser.visit(`${real.url}/fade/#token=${TOKEN}`);
    await isLive(browser.page);
    await browser.page.locator("#text").fill("not for me");
    await browser.page.locator("#send").click();
    await browser.page.locator("#outcome", {hasText: "Not sent."}).waitFor();
});

test("no script failed, and nothing was asked of others", () => {
    assert.deepEqual(browser.faults, []);
    assert.deepEqual(browser.strangers(), []);
});
