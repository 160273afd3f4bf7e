/*
 * A server in the place of a node: it serves the pages of fade/web and says of its cluster what a
 * test wants. It is for pictures of more members than a machine can run, and of states that last too
 * short on a real node.
 */
import {readFile} from "node:fs/promises";
import {createServer} from "node:http";
import {join} from "node:path";
import {fileURLToPath} from "node:url";

import {until} from "./until.mjs";

const WEB = fileURLToPath(new URL("../../fade/web/", import.meta.url));
const TYPES = {html: "text/html; charset=utf-8", css: "text/css; charset=utf-8",
               js: "text/javascript; charset=utf-8", svg: "image/svg+xml"};
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const hex = (number) => number.toString(16).padStart(32, "0");

/* Members as /peers lists them; `stateOf(i)` is what the i-th one is, heard `heardOf(i)` ms ago. */
export function makePeers(count, {stateOf = () => "alive", heardOf = () => 0,
                                  nameOf = (i) => `node-${i + 2}`} = {}) {
    return Array.from({length: count}, (_, i) => ({
        id: nameOf(i), uuid: hex(i + 2), address: `10.0.${i >> 8}.${i & 255}`, port: 8081, state: stateOf(i),
        enclave: "default", incarnation: 1, rtt_ms: 0.2 + (i % 7) / 3, clock_conflict: false,
        clock_difference_ms: 0, heard_ms: heardOf(i)}));
}

export class ScriptedNode {
    #server = createServer((request, response) => this.#answer(request, response));
    #watchers = new Set();
    #begun = Date.now();
    peers = [];
    /* Whether it makes those wait who ask for more than pages. */
    isSilent = false;
    /* Answers, pages excepted, only requests with this token; "": all. Another one is known, and may do
     * nothing. */
    token = "";
    /* What was asked for, with the token that came along. */
    asked = [];
    /* How many members this node has a link to, the first ones. */
    links = 10;
    figures = {repram_puts_total: 0, repram_records_applied_total: 0, repram_entries_expired_total: 0,
               repram_http_requests_total: 0, process_cpu_seconds_total: 0};
    storage = {keys: 0, bytes: 0, bytes_max: 1 << 30};

    async start() {
        await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
        this.url = `http://127.0.0.1:${this.#server.address().port}`;
    }

    async stop() {
        this.#server.closeAllConnections();
        await new Promise((resolve) => this.#server.close(resolve));
    }

    /* An event for all who watch. */
    tell(type, data) {
        for (const watcher of this.#watchers) {
            watcher.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
        }
    }

    async #answer(request, response) {
        const path = new URL(request.url, "http://node").pathname;
        if (!path.startsWith("/fade/")) {
            await until(() => !this.isSilent, "the test wants an answer");
        }
        const by = request.headers.authorization ?? "";
        this.asked.push({url: request.url, by});
        if (!path.startsWith("/fade/") && this.token !== "" && by !== `Bearer ${this.token}`) {
            this.#refuse(response, by === "" ? 401 : 403);
            return;
        }
        const answers = {"/status": () => this.#status(),
                         "/peers": () => ({peers: this.#listed(), claimed_ports: [8081],
                                           last_updated: new Date().toISOString()})};
        if (path === "/watch") {
            response.writeHead(200, {"Content-Type": "text/event-stream"});
            this.#watchers.add(response);
            response.on("close", () => this.#watchers.delete(response));
            response.write("event: reset\ndata: {}\n\nid: 1-1\nevent: live\ndata: {}\n\n");
        } else if (path.startsWith("/data/") && request.method === "PUT") {
            response.writeHead(201, {"X-Original-TTL": "600", "X-Replicas": "1/1"}).end();
        } else if (path === "/metrics") {
            response.end(Object.entries(this.figures).map((figure) => `${figure.join(" ")}\n`).join(""));
        } else if (path in answers) {
            response.writeHead(200, {"Content-Type": "application/json"});
            response.end(JSON.stringify(answers[path]()));
        } else {
            await this.#page(path, response);
        }
    }

    #refuse(response, status) {
        response.writeHead(status, {"Content-Type": "application/problem+json"});
        response.end(JSON.stringify(status === 401 ? {code: "unauthorized", detail: "This needs a token."}
                                                   : {code: "forbidden", detail: "This token may not do that."}));
    }

    async #page(path, response) {
        const name = path === "/fade/" ? "index.html" : path.replace("/fade/", "");
        const file = name.includes(".") ? name : `${name}.html`;
        try {
            const body = await readFile(join(WEB, file));
            response.writeHead(200, {"Content-Type": TYPES[file.split(".").at(-1)], "Cache-Control": "no-cache",
                                     "Content-Security-Policy": POLICY});
            response.end(body);
        } catch {
            response.writeHead(404).end();
        }
    }

    #listed() {
        return this.peers.map(({heard_ms, ...peer}) => ({
            ...peer, last_seen: new Date(Date.now() - heard_ms).toISOString()}));
    }

    #status() {
        const count = (state) => this.peers.filter((peer) => peer.state === state).length;
        const now = Date.now();
        const members = count("alive") + count("suspect") + 1;
        return {
            version: "0.1.0", uuid: hex(1), node_id: "node-1", enclave: "default", network: "private",
            state: "ready", reasons: [], uptime: "1h2m3s", uptime_s: 3723, memory: {rss: 5791744},
            storage: {...this.storage, shadows: 0, shadow_bytes: 0, guards: 0},
            limits: {min_ttl_s: 1, default_ttl_s: 3600, max_ttl_s: 86400, max_value_size: 10485760},
            membership: {alive: count("alive"), suspect: count("suspect"), dead: count("dead"),
                         left: count("left"), enclave_members: members,
                         quorum: Math.floor(members / 2) + 1, digest: "a852f3e1fbcaf3cb"},
            clock: {is_set: true, time: new Date(now).toISOString(), offset_ms: 0, error_ms: 0, conflicts: 0},
            links: this.peers.filter((peer) => peer.state === "alive").slice(0, this.links).map((peer, i) => ({
                id: peer.id, uuid: peer.uuid, address: peer.address, port: 34000 + i, is_dialed: true,
                up_since: new Date(this.#begun - 60000 * (i + 1)).toISOString(), bytes_in: 425000 * (i + 1),
                bytes_out: 418 * (i + 1), records_in: 0, records_out: 1, unacked: 0, queued: i % 3})),
            config_digest: "61cca5b135c760fa"};
    }
}
