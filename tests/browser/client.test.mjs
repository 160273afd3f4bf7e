/* clients/javascript/repram.js in a page of one node, which asks others first; two are killed meanwhile. */
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {after, before, test} from "node:test";

import {Browser, startNodes, until} from "./rig.mjs";

const SOURCE = readFileSync(new URL("../../clients/javascript/repram.js", import.meta.url), "utf8");

let nodes = [];
let browser = null;

before(async () => {
    nodes = await startNodes(3);
    browser = await Browser.open();
    await browser.page.goto(`${nodes[2].url}/health`);
    await browser.page.evaluate(begin, {source: SOURCE, servers: nodes.map((node) => `127.0.0.1:${node.port}`)});
});

after(async () => {
    await browser?.close();
    await Promise.all(nodes.map((node) => node.kill()));
});

/* Runs in the page: a client, and what a watch holds. */
async function begin({source, servers}) {
    const file = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const {Client, text} = await import(file);
    globalThis.client = new Client(servers);
    globalThis.held = {};
    globalThis.textOf = text;
    (async () => {
        for await (const {kind, key, value} of globalThis.client.watch("", {values: true})) {
            if (kind === "reset") {
                globalThis.held = {};
            } else if (kind === "put") {
                globalThis.held[key] = text(value);
            }
        }
    })();
}

/* Runs in the page. */
async function putAndGet(keys) {
    for (const key of keys) {
        await globalThis.client.put(key, `value of ${key}`, {ttl: 600});
    }
    const values = [];
    for (const key of keys) {
        values.push(globalThis.textOf((await globalThis.client.get(key)).value));
    }
    return values;
}

function holds(keys) {
    return until(async () => {
        const held = await browser.page.evaluate(() => globalThis.held);
        return keys.every((key) => held[key] === `value of ${key}`);
    }, `the page holds ${keys}`);
}

test("keys of any kind, also those that URLs have no words for", async () => {
    const keys = [".", "..", "a/../b", "a//b", "+ %?#", "ü"];
    assert.deepEqual(await browser.page.evaluate(putAndGet, keys), keys.map((key) => `value of ${key}`));
    await holds(keys);
});

test("a node that is killed is done without, by requests and by the watch", async () => {
    for (const [i, node] of nodes.slice(0, 2).entries()) {
        await node.kill();
        const keys = [`first-${i}`, `second-${i}`];
        assert.deepEqual(await browser.page.evaluate(putAndGet, keys), keys.map((key) => `value of ${key}`));
        await holds([...keys, "."]);
    }
});
