/* Screenshots of both pages, as a visitor's phone and desk show them: pictures.mjs FOLDER. */
import {join} from "node:path";

import {Browser, startNodes, until} from "./rig.mjs";

const [folder] = process.argv.slice(2);
const SIZES = {phone: {viewport: {width: 390, height: 844}, deviceScaleFactor: 1, colorScheme: "dark"},
               desktop: {viewport: {width: 1280, height: 800}, colorScheme: "dark"}};

/* Lives of very different length, so that every stage of fading is in the picture. */
const MESSAGES = [
    ["Storm front from the west, two hours out. Moor what you want to keep.|OSPREY|Harbor wall", 7200],
    ["Found a red mitten on the ridge path. It will be on the fence until dark, and so will this.|" +
     "KESTREL|Ridge 4", 21600],
    ["is anybody reading this?", 26],
    ["Coffee on deck four, first come first served.|VEGA|Lower deck", 75],
    ["Three of us at the old pier. Bring nothing.|MOTHBALL|59.9N 10.7E", 300],
    ["The uplink is back. Anyone else on the ridge?|KESTREL|Ridge 4", 40],
    ["Left the key under the third stone.\nIt will not be there tomorrow.|ANON-7|", 86400],
    ["Telling you here because nothing here stays.|NULLPTR|Sector 7", 3600],
];

async function fill(nodes) {
    for (const [i, [text, ttl]] of MESSAGES.entries()) {
        await nodes[i % nodes.length].put(`msg-${["quiet-harbor", "amber-relay", "static-meadow",
            "velvet-orbit", "distant-pier", "copper-signal", "hollow-stone", "silver-echo"][i]}-` +
            `${1000 + ((i * 2749) % 9000)}`, text, ttl);
    }
}

async function keepWriting(nodes, isOver) {
    for (let i = 0; !isOver(); i++) {
        await nodes[i % nodes.length].put(`log/${i}`, "x".repeat(50 + (i * 37) % 400), 3 + (i % 20));
        await new Promise((resolve) => setTimeout(resolve, 60 + 50 * (1 + Math.sin(i / 40))));
    }
}

const nodes = await startNodes(5);
const browsers = {};
for (const [name, options] of Object.entries(SIZES)) {
    browsers[name] = await Browser.open(options);
    await browsers[name].visit(`${nodes[0].url}/fade/`);
}
await fill(nodes);
const brief = browsers.desktop.page.locator(".message", {hasText: "is anybody reading"});
for (const [name, browser] of Object.entries(browsers)) {
    await until(async () => parseInt(await brief.locator(".left").textContent(), 10) <= 9, "it has faded", 40);
    await browser.page.screenshot({path: join(folder, `board-${name}.png`)});
}
let isOver = false;
const writing = keepWriting(nodes.slice(0, 4), () => isOver);
for (const browser of Object.values(browsers)) {
    await browser.visit(`${nodes[0].url}/fade/network`);
}
await nodes[4].kill();
for (const [name, browser] of Object.entries(browsers)) {
    await until(async () => ((await browser.page.locator(".plot .line").first().getAttribute("d"))
        .match(/L/g) ?? []).length > 40, "the plots have something to show", 120);
    await browser.page.screenshot({path: join(folder, `network-${name}.png`), fullPage: name === "phone"});
}
isOver = true;
await writing;
await Promise.all(Object.values(browsers).map((browser) => browser.close()));
await Promise.all(nodes.map((node) => node.kill()));
