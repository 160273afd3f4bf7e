/*
 * EventSources, npm's and chromium's own, over restarts of the node that they watch: all of them
 * come back by themselves, and none misses a change without a `reset`.
 *
 * Environment: RESTARTS (2), SOURCES of npm's (9) and PAGE_SOURCES of chromium's (3, of the six
 * connections to one server that it has).
 */
import assert from "node:assert/strict";
import {createRequire} from "node:module";
import {after, before, test} from "node:test";

import {Browser, BUILT, Node, freeBase, startNodes, until} from "./rig.mjs";

const {EventSource} = createRequire(BUILT)("eventsource");

const RESTARTS = Number(process.env.RESTARTS ?? 2);
const SOURCES = Number(process.env.SOURCES ?? 9);
const PAGE_SOURCES = Number(process.env.PAGE_SOURCES ?? 3);
const KEYS = 20; // written in each part of a round
const SHORT_S = 2;

/*
 * A client of the stream, in the page or here: what it holds by what it was told, and what of that
 * was wrong. A change that was missed stays wrong, as it is not told again without a `reset`.
 */
function follow(Source, url) {
    const held = new Map();
    const told = {opened: 0, resets: 0, live: false, ends: [], wrong: []};
    const source = new Source(url);
    const on = (name, take) =>
        source.addEventListener(name, (event) => take(JSON.parse(event.data)));
    source.addEventListener("open", () => {
        told.opened++;
        told.live = false;
    });
    on("reset", () => {
        told.resets++;
        held.clear();
    });
    on("put", ({key, etag}) => {
        if (held.get(key) === etag) {
            told.wrong.push(`${key} came twice`);
        }
        held.set(key, etag);
    });
    on("expire", ({key}) => {
        if (!held.delete(key)) {
            told.wrong.push(`${key} ended, which was never told`);
        }
    });
    on("live", () => (told.live = true));
    on("end", ({code}) => told.ends.push(code));
    return {
        report: () => ({...told, ends: [...told.ends], keys: [...held.keys()].sort(),
                        isClosed: source.readyState === 2}),
        close: () => source.close()};
}

/* A page of some node, and EventSources of npm and in that page, all of them followed. */
class Followers {
    #local;
    #browser;

    static async open(browser, url, sources, pageSources) {
        const opened = new Followers();
        opened.#browser = browser;
        opened.#local = Array.from({length: sources}, () => follow(EventSource, url));
        await browser.page.evaluate(([code, at, count]) => {
            const made = new Function(`return ${code}`)();
            window.sources = Array.from({length: count}, () => made(EventSource, at));
        }, [follow.toString(), url, pageSources]);
        return opened;
    }

    async reports() {
        const there = await this.#browser.page.evaluate(
            () => window.sources.map((source) => source.report()));
        return [...this.#local.map((source) => source.report()), ...there];
    }

    async close() {
        this.#local.forEach((source) => source.close());
        await this.#browser.page.evaluate(
            () => window.sources.forEach((source) => source.close()));
    }
}

/* Until all are live and hold what the node lists. Returns what they were told. */
async function untilAllHold(followers, node, what) {
    let wanted = [], found = [];
    try {
        await until(async () => {
            const listed = await (await fetch(`${node.url}/keys?prefix=round`)).json();
            wanted = listed.keys.sort();
            found = await followers.reports();
            return found.every(({live, keys}) =>
                live && keys.length === wanted.length && keys.every((key, i) => key === wanted[i]));
        }, `all hold everything ${what}`);
    } catch (error) {
        console.error(`wanted ${wanted.length} keys:`,
                      found.map((one) => ({...one, keys: one.keys.length})));
        throw error;
    }
    for (const {isClosed, wrong} of found) {
        assert.equal(isClosed, false, "an EventSource is closed for good");
        assert.deepEqual(wrong, []);
    }
    return found;
}

async function write(node, part, ttl) {
    for (let i = 0; i < KEYS; i++) {
        await node.put(`${part}-${i}`, "x", ttl);
    }
}

let nodes, browser;

before(async () => {
    nodes = await startNodes(3);
    browser = await Browser.open();
    await browser.visit(`${nodes[1].url}/livez`);
});

after(async () => {
    await browser?.close();
    await Promise.all((nodes ?? []).map((node) => node.kill()));
});

test(`${SOURCES} of npm and ${PAGE_SOURCES} of chromium survive ${RESTARTS} restarts`, async () => {
    const [watched, writer] = nodes;
    const followers = await Followers.open(browser, `${watched.url}/watch?prefix=round`, SOURCES,
                                           PAGE_SOURCES);
    await untilAllHold(followers, writer, "at first");
    for (let round = 0; round < RESTARTS; round++) {
        const isStopped = round % 2 === 0; // else killed
        await write(writer, `round-${round}-before`, 600);
        const earlier = await untilAllHold(followers, writer, `before restart ${round}`);
        const meanwhile = write(writer, `round-${round}-short`, SHORT_S);
        await (isStopped ? watched.stop() : watched.kill());
        await write(writer, `round-${round}-away`, 600);
        await Promise.all([watched.start(), meanwhile,
                           write(writer, `round-${round}-joining`, 600)]);
        const later = await untilAllHold(followers, writer, `after restart ${round}`);
        later.forEach(({opened, resets, ends}, i) => {
            assert.ok(opened > earlier[i].opened, "it has not come back");
            assert.ok(resets > earlier[i].resets, "it went on at another start of the node");
            assert.equal(ends.slice(earlier[i].ends.length).includes("draining"), isStopped,
                         `its stream ended with ${ends}`);
        });
    }
    await followers.close();
});

test("who meets a node that does not hold everything yet waits for it", async () => {
    const base = await freeBase(2);
    const pair = [0, 1].map((i) => new Node(base + i, {BASE_PORT: base, MAX_PORTS: 2,
                                                       REPRAM_EXPECT_MEMBERS: 2}));
    pair[0].launch();
    await until(async () => (await fetch(`${pair[0].url}/livez`)).ok, "it listens");
    const followers = await Followers.open(browser, `${pair[0].url}/watch?prefix=round`, 3, 3);
    try {
        await until(async () => (await followers.reports()).every(
            ({opened, isClosed}) => opened === 1 || isClosed), "all are answered");
        assert.ok((await followers.reports()).every(({isClosed}) => !isClosed),
                  "an EventSource is closed for good");
        assert.equal((await fetch(`${pair[0].url}/readyz`)).ok, false);
        await pair[1].start();
        await write(pair[1], "round-first", 600);
        for (const {opened, resets} of await untilAllHold(followers, pair[0], "in the end")) {
            assert.deepEqual([opened, resets], [1, 1]);
        }
    } finally {
        await followers.close();
        await Promise.all(pair.map((node) => node.kill()));
    }
});

test("who is one too many is told so, and comes back until there is room", async () => {
    const base = await freeBase(1);
    const node = new Node(base, {REPRAM_MAX_WATCHERS: 1});
    await node.start();
    const first = follow(EventSource, `${node.url}/watch?prefix=round`);
    let followers = null;
    try {
        await until(() => first.report().live, "the first is live");
        followers = await Followers.open(browser, `${node.url}/watch?prefix=round`, 0, 1);
        await until(async () => (await followers.reports())[0].ends.includes("overloaded"),
                    "the second is told");
        first.close();
        await untilAllHold(followers, node, "once there is room");
    } finally {
        first.close();
        await followers?.close();
        await node.kill();
    }
});
