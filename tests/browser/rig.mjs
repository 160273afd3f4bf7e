/*
 * What the browser tests share: nodes, browsers, and waiting. Everything ends with the process that
 * started it.
 */
import {spawn} from "node:child_process";
import {mkdtempSync, rmSync} from "node:fs";
import {createRequire} from "node:module";
import {createServer} from "node:net";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

import {WAIT_S, until} from "./until.mjs";

const TOP = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const BINARY = process.env.REPRAM_BINARY;
const CHROMIUM = "/usr/bin/chromium";
const SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-dev-shm-usage", // a container's is too small
                  "--disable-background-networking", "--disable-component-update",
                  "--disable-sync", "--lang=en-US"];

/* Where what npm has fetched is found from. */
export const BUILT = join(TOP, "build/browser/");

const {chromium} = createRequire(BUILT)("playwright-core");

export {until};

// ---- Nodes ----

function isFree(port) {
    return new Promise((resolve) => {
        const server = createServer();
        server.once("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
}

export async function freeBase(count) {
    for (let base = 8081; base < 30000; base += 100) {
        const ports = Array.from({length: count}, (_, i) => base + i);
        if ((await Promise.all(ports.map(isFree))).every(Boolean)) {
            return base;
        }
    }
    throw new Error("no range of ports is free");
}

export class Node {
    #process = null;
    #env;
    log = "";

    constructor(port, env) {
        this.port = port;
        this.url = `http://127.0.0.1:${port}`;
        this.#env = {PATH: process.env.PATH, REPRAM_HTTP_PORT: port, REPRAM_MIN_TTL: 1, REPRAM_DRAIN_GRACE: 0,
                     ...env};
    }

    async start() {
        this.launch();
        await until(async () => (await fetch(`${this.url}/readyz`)).ok, `port ${this.port} is ready`);
    }

    /* Without waiting for it. */
    launch() {
        this.#process = spawn(BINARY, ["node"], {env: this.#env, stdio: ["ignore", "pipe", "pipe"]});
        for (const stream of [this.#process.stdout, this.#process.stderr]) {
            stream.on("data", (text) => (this.log += text));
        }
    }

    async #end(signal) {
        if (this.#process === null) {
            return;
        }
        const ended = new Promise((resolve) => this.#process.once("exit", resolve));
        if (this.#process.exitCode === null && this.#process.signalCode === null) {
            this.#process.kill(signal);
            await ended;
        }
    }

    /* As a crash would end it. */
    async kill() {
        await this.#end("SIGKILL");
    }

    /* As an operator would: it says that it leaves. */
    async stop() {
        await this.#end("SIGTERM");
    }

    async put(key, value, ttl = 600) {
        const answer = await fetch(`${this.url}/data/${encodeURIComponent(key)}?ttl=${ttl}`,
                                   {method: "PUT", body: value});
        if (answer.status !== 201) {
            throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
        }
    }

    async get(key) {
        const answer = await fetch(`${this.url}/data/${encodeURIComponent(key)}`);
        return answer.ok ? answer.text() : null;
    }

    /* The sum of a metric's samples on the node's own page of figures. */
    async figure(name) {
        const lines = (await (await fetch(`${this.url}/metrics`)).text()).split("\n");
        return lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
            .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    }

    async peers() {
        return (await (await fetch(`${this.url}/peers`)).json()).peers;
    }
}

/* Nodes on neighbouring ports that know each other. The environment may differ by node. */
export async function startNodes(count, envOf = () => ({})) {
    const base = await freeBase(count);
    const nodes = Array.from({length: count}, (_, i) => new Node(base + i, {
        BASE_PORT: base, MAX_PORTS: count, REPRAM_NODE_ID: `node-${i + 1}`, ...envOf(i)}));
    try {
        await Promise.all(nodes.map((node) => node.start()));
        for (const node of nodes) {
            await until(async () => (await node.peers()).filter((p) => p.state === "alive").length ===
                                    count - 1, `port ${node.port} sees the others`);
        }
    } catch (error) {
        console.error(nodes.map((node) => node.log).join(""));
        await Promise.all(nodes.map((node) => node.kill()));
        throw error;
    }
    return nodes;
}

// ---- Browsers ----

/*
 * A browser with a profile of its own and a page, and further ones on demand. It notes what must
 * never happen: requests to another origin, errors of scripts, and anything that the pages' policy
 * had to stop.
 */
export class Browser {
    faults = [];
    requests = [];

    static async open(options = {}) {
        const opened = new Browser();
        opened.profile = mkdtempSync(join(tmpdir(), "fade-browser-"));
        opened.context = await chromium.launchPersistentContext(opened.profile, {
            executablePath: CHROMIUM, args: SWITCHES, viewport: {width: 1280, height: 800},
            locale: "en-GB", ...options});
        opened.context.setDefaultTimeout(WAIT_S * 1000);
        opened.context.on("request", (request) => opened.requests.push(request.url()));
        opened.page = opened.context.pages()[0] ?? await opened.context.newPage();
        opened.#listen(opened.page);
        return opened;
    }

    #listen(page) {
        page.on("pageerror", (error) => this.faults.push(error.stack));
        page.on("console", (message) => {
            // The browser also reports that a node is away, which is what some tests are about.
            if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) {
                this.faults.push(message.text());
            }
        });
        page.on("dialog", (dialog) => {
            this.faults.push(`dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
    }

    /* Another tab of the same browser. */
    async tab() {
        const page = await this.context.newPage();
        this.#listen(page);
        return page;
    }

    async visit(url) {
        this.origins = (this.origins ?? new Set()).add(new URL(url).origin);
        await this.page.goto(url);
    }

    /* Every request to another origin than that of the visited pages. */
    strangers() {
        return this.requests.filter((url) => !this.origins.has(new URL(url).origin));
    }

    async close() {
        await this.context.close();
        rmSync(this.profile, {recursive: true, force: true});
    }
}
