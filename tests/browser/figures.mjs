/*
 * What the pages cost and how quick they are: prints lines for docs/performance.md. Times are of
 * this machine with all its other work; the tests do not judge them.
 */
import {Browser, startNodes, until} from "./rig.mjs";

const MESSAGES = 300;
const BOARD_SIZE = 1000;
const SCROLL_STEPS = 300;
/* 6,000 px a second: as fast as one can just about follow. */
const SCROLL_PX = 100;

function share(sorted, part) {
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function quantiles(numbers) {
    const sorted = [...numbers].sort((x, y) => x - y);
    return `median ${share(sorted, 0.5).toFixed(1)}, p95 ${share(sorted, 0.95).toFixed(1)}, ` +
        `p99 ${share(sorted, 0.99).toFixed(1)}, longest ${sorted.at(-1).toFixed(1)} ms`;
}

/* What a first visit transfers, and what the page asks for before a message is on the screen. */
async function weigh(node) {
    const browser = await Browser.open();
    const bodies = [];
    browser.page.on("response", (response) => {
        if (new URL(response.url()).pathname.startsWith("/fade/")) {
            bodies.push(Promise.all([response.url(), response.body(), response.request().sizes()]));
        }
    });
    await browser.visit(`${node.url}/fade/`);
    await browser.page.locator("#send:enabled").waitFor();
    const seen = await Promise.all(bodies);
    const plain = seen.reduce((sum, [, body]) => sum + body.length, 0);
    const sent = seen.reduce((sum, [, , sizes]) => sum + sizes.responseBodySize, 0);
    console.log(`weight of the board: ${seen.length} files, ${plain} bytes, ${sent} transferred`);
    await browser.close();
}

/* From the click that sends on one node's page to the frame that shows it on another's. */
async function timeMessages(nodes) {
    const [writer, reader] = [await Browser.open(), await Browser.open()];
    await writer.visit(`${nodes[0].url}/fade/`);
    await reader.visit(`${nodes[1].url}/fade/`);
    await writer.page.locator("#send:enabled").waitFor();
    await reader.page.locator("#send:enabled").waitFor();
    await reader.page.evaluate(() => {
        globalThis.shownAt = {};
        new MutationObserver(() => requestAnimationFrame(() => {
            for (const text of document.querySelectorAll("#messages .text")) {
                globalThis.shownAt[text.textContent] ??= performance.timeOrigin + performance.now();
            }
        })).observe(document.getElementById("messages"), {childList: true});
    });
    const times = [];
    for (let i = 0; i < MESSAGES; i++) {
        const sentAt = await writer.page.evaluate((text) => {
            document.getElementById("text").value = text;
            document.getElementById("send").click();
            return performance.timeOrigin + performance.now();
        }, `timed ${i}`);
        const shownAt = await until(() => reader.page.evaluate(
            (text) => globalThis.shownAt[text], `timed ${i}`), `message ${i}`);
        times.push(shownAt - sentAt);
        await until(() => writer.page.evaluate(() => document.getElementById("text").value === ""),
                    "the writer has its answer");
    }
    console.log(`from sending to another browser's next frame, ${MESSAGES} messages: ${quantiles(times)}`);
    await Promise.all([writer.close(), reader.close()]);
}

/* Seconds of processor time of the page's main thread so far, which other programs do not change. */
async function mainThread(browser) {
    const session = await browser.context.newCDPSession(browser.page);
    await session.send("Performance.enable", {timeDomain: "threadTicks"});
    return async () => {
        const {metrics} = await session.send("Performance.getMetrics");
        return Object.fromEntries(metrics.map(({name, value}) => [name, value]));
    };
}

/* Frame times while a page is scrolled by so much each frame, and what its thread did meanwhile. */
async function scroll(browser, what, step_px) {
    const work = await mainThread(browser);
    const before = await work();
    const {times, at} = await browser.page.evaluate(async ([steps, px]) => {
        const frame = () => new Promise(requestAnimationFrame);
        const times = [];
        scrollTo(0, 0);
        await frame();
        let last = await frame();
        for (let i = 0; i < steps; i++) {
            scrollBy(0, px);
            const now = await frame();
            times.push(now - last);
            last = now;
        }
        return {times, at: scrollY};
    }, [SCROLL_STEPS, step_px]);
    const after = await work();
    const each = (name) => (1000 * (after[name] - before[name]) / SCROLL_STEPS).toFixed(1);
    console.log(`${what}, scrolled ${at} px in ${SCROLL_STEPS} frames: ${quantiles(times)}; processor time ` +
                `of the page's thread a frame: ${each("TaskDuration")} ms, of it script ` +
                `${each("ScriptDuration")}, style and layout ` +
                `${(Number(each("RecalcStyleDuration")) + Number(each("LayoutDuration"))).toFixed(1)}`);
}

/* A thousand messages, all counting down, and beside them the same texts on a page without anything. */
async function timeScrolling(node) {
    const browser = await Browser.open();
    const texts = Array.from({length: BOARD_SIZE}, (_, i) => `message ${i} `.repeat(1 + (i % 20)));
    for (const [i, text] of texts.entries()) {
        await node.put(`msg-scroll-${i}`, `${text}|CALL|Place`, 600);
    }
    await browser.visit(`${node.url}/fade/?prefix=msg-scroll-`);
    await browser.page.locator("#send:enabled").waitFor();
    const older = browser.page.locator("#older");
    while (await older.isVisible()) {
        await older.click();
    }
    const shown = await browser.page.locator("#messages .message").count();
    await scroll(browser, `${shown} messages`, 0);
    await scroll(browser, `${shown} messages`, SCROLL_PX);
    await browser.visit(`${node.url}/status`);
    await browser.page.evaluate((lines) => document.body.replaceChildren(...lines.map((line) => {
        const made = document.createElement("p");
        made.textContent = line;
        return made;
    })), texts);
    await scroll(browser, `${shown} bare paragraphs`, SCROLL_PX);
    await browser.close();
}

const nodes = await startNodes(3);
await weigh(nodes[0]);
await timeMessages(nodes);
await timeScrolling(nodes[0]);
await Promise.all(nodes.map((node) => node.kill()));
