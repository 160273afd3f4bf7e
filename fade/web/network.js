/*
 * The cluster as one node sees it: a picture of its members, its writes and expiries, and how many
 * there were lately. Everything comes from public pages of that node: /status, /peers and /metrics
 * each two seconds, /watch as it happens.
 */
import {element} from "./board.js";
import {Stream, formatLeft} from "./stream.js";

const SAMPLE_MS = 2000;
/* Five minutes of samples. */
const SAMPLES_MAX = 150;
const EVENTS_SHOWN = 12;
const ROWS_MAX = 200;
/* At most this many members have their names beside them; the table names all. */
const NAMED_MAX = 24;
/* More writes at once than an eye can follow are only counted. */
const PULSES_MAX = 24;

// ---- Figures ----

/* The samples without labels of a page in the Prometheus text format. */
export function parseMetrics(text) {
    const figures = new Map();
    for (const line of text.split("\n")) {
        const match = /^([a-z_]+) (\S+)$/.exec(line);
        if (match !== null) {
            figures.set(match[1], Number(match[2]));
        }
    }
    return figures;
}

/* By how much a counter grew each second between two samples; NaN where it began anew. */
export function rate(before, after, seconds) {
    const grown = after - before;
    return seconds > 0 && grown >= 0 ? grown / seconds : NaN;
}

export function formatBytes(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    let value = bytes;
    while (value >= 1024 && at < units.length - 1) {
        value /= 1024;
        at++;
    }
    return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

export function formatCount(value) {
    if (value >= 10000) {
        return `${(value / 1000).toFixed(value >= 100000 ? 0 : 1)}k`;
    }
    return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/*
 * Where each member stands: on circles around the node, the first of which holds twelve, so that
 * names have room, and the next ones what fits. Returns {x, y, angle, size} for each.
 */
export function layOut(count) {
    const places = [];
    for (let circle = 0; places.length < count; circle++) {
        const isOnly = count <= NAMED_MAX;
        const radius = isOnly ? 130 : 60 + 22 * circle;
        const room = isOnly ? count : Math.floor((2 * Math.PI * radius) / 16);
        const here = Math.min(room, count - places.length);
        for (let i = 0; i < here; i++) {
            const angle = -Math.PI / 2 + (2 * Math.PI * (i + 0.5 * (circle % 2))) / here;
            places.push({x: radius * Math.cos(angle), y: radius * Math.sin(angle), angle,
                         size: isOnly ? 9 : 5});
        }
    }
    return places;
}

/* The points of a plot's line, 0 at the bottom; gaps where a figure is missing. */
export function plotPath(values, top, width, height) {
    let path = "";
    let isDown = false;
    values.forEach((value, i) => {
        if (Number.isFinite(value)) {
            const x = width - (values.length - 1 - i) * (width / (SAMPLES_MAX - 1));
            const y = height - (top > 0 ? value / top : 0) * height;
            path += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
        }
        isDown = Number.isFinite(value);
    });
    return path;
}

// ---- Drawing ----

const find = (id) => document.getElementById(id);

function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
        made.setAttribute(key, value);
    }
    if (text !== undefined) {
        made.textContent = text;
    }
    return made;
}

/* The picture of the members. It is drawn anew when members or their states have changed. */
class Picture {
    #place = find("picture");
    #drawn = "";
    #spots = new Map();
    #moving = shape("g", {});
    #isCalm = matchMedia("(prefers-reduced-motion: reduce)");

    draw(status, peers) {
        const linked = new Set(status.links.map((link) => link.uuid));
        const seen = peers.map((p) => [p.uuid, p.id, p.state, p.rtt_ms.toFixed(1),
                                       linked.has(p.uuid)]);
        const now = JSON.stringify([status.uuid, status.node_id, seen]);
        if (now === this.#drawn) {
            return;
        }
        this.#drawn = now;
        const places = layOut(peers.length);
        const reach = Math.max(190, ...places.map((at) => Math.hypot(at.x, at.y) + 20));
        this.#place.setAttribute("viewBox", `${-reach - 70} ${-reach} ${2 * reach + 140} ${2 * reach}`);
        const title = shape("title", {id: "picture-text"}, describe(status, peers, linked));
        const lines = shape("g", {});
        const dots = shape("g", {});
        this.#spots.clear();
        peers.forEach((peer, i) => {
            this.#spots.set(peer.uuid, places[i]);
            if (linked.has(peer.uuid)) {
                lines.append(shape("path", {class: "link", d: `M0 0L${places[i].x} ${places[i].y}`}));
            }
            dots.append(member(peer, places[i], peers.length <= NAMED_MAX));
        });
        this.#place.replaceChildren(title, lines, this.#moving, dots, self(status));
    }

    /* A write that came from a member, or from a client of this node. */
    showWrite(origin) {
        const from = this.#spots.get(origin) ?? {x: 0, y: 0};
        if (this.#spots.has(origin)) {
            this.#play(shape("circle", {class: "pulse", r: 5}), [
                {transform: `translate(${from.x}px, ${from.y}px)`},
                {transform: "translate(0, 0)"},
            ], 450);
        } else {
            this.#play(shape("circle", {class: "pulse", r: 18}),
                       [{transform: "scale(1)"}, {transform: "scale(2)", opacity: 0}], 450);
        }
    }

    showExpiry() {
        this.#play(shape("circle", {class: "ring", r: 60}),
                   [{transform: "scale(1)", opacity: 0.9}, {transform: "scale(.3)", opacity: 0}], 900);
    }

    #play(dot, frames, ms) {
        if (this.#isCalm.matches || document.hidden || this.#moving.childElementCount >= PULSES_MAX) {
            return;
        }
        this.#moving.append(dot);
        dot.animate(frames, {duration: ms, easing: "ease-in"}).finished.finally(() => dot.remove());
    }
}

function self(status) {
    const group = shape("g", {class: "self"});
    group.append(shape("circle", {class: status.state === "ready" ? "alive" : "suspect", r: 14}),
                 shape("text", {y: 34, "text-anchor": "middle"}, status.node_id));
    return group;
}

function member(peer, at, isNamed) {
    const group = shape("g", {transform: `translate(${at.x} ${at.y})`});
    const tip = `${peer.id}, ${peer.address}:${peer.port}, ${peer.state}`;
    group.append(shape("title", {}, tip), shape("circle", {class: peer.state, r: at.size}));
    if (isNamed) {
        const side = Math.cos(at.angle);
        const anchor = side > 0.3 ? "start" : side < -0.3 ? "end" : "middle";
        const x = anchor === "start" ? 16 : anchor === "end" ? -16 : 0;
        const y = anchor !== "middle" ? 0 : at.y < 0 ? -32 : 26;
        group.append(shape("text", {x, y, "text-anchor": anchor}, peer.id),
                     shape("text", {x, y: y + 14, "text-anchor": anchor, class: "small"},
                           peer.state === "alive" ? `${peer.rtt_ms.toFixed(1)} ms` : peer.state));
    }
    return group;
}

/* The picture in words. */
export function describe(status, peers, linked) {
    const counts = new Map();
    for (const peer of peers) {
        counts.set(peer.state, (counts.get(peer.state) ?? 0) + 1);
    }
    const states = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
    return `${status.node_id} and ${peers.length} other members` +
        `${states === "" ? "" : `: ${states}`}; linked to ${linked.size}.`;
}

/* One small plot: a name, the last figure, and a line. */
class Plot {
    #values = [];
    #figure = element("span", "figure");
    #scale = element("span", "hint");
    #line = shape("path", {class: "line"});
    #area = shape("path", {class: "area"});
    #format;

    constructor(place, name, format) {
        const head = element("figcaption");
        head.append(element("span", "", name), this.#figure);
        const drawing = shape("svg", {viewBox: "0 0 240 56", preserveAspectRatio: "none",
                                      "aria-hidden": "true"});
        drawing.append(this.#area, this.#line);
        const box = element("figure", "plot");
        box.append(head, drawing, this.#scale);
        place.append(box);
        this.#format = format;
    }

    add(value) {
        this.#values.push(value);
        if (this.#values.length > SAMPLES_MAX) {
            this.#values.shift();
        }
        const known = this.#values.filter(Number.isFinite);
        const top = known.length > 0 ? Math.max(...known) : 0;
        const path = plotPath(this.#values, top, 240, 54);
        this.#line.setAttribute("d", path);
        const first = /^M(\S+)/.exec(path);
        const isWhole = first !== null && !path.slice(1).includes("M");
        this.#area.setAttribute("d", isWhole ? `${path}L240 56L${first[1]} 56Z` : "");
        this.#figure.textContent = Number.isFinite(value) ? this.#format(value) : "…";
        this.#scale.textContent = `peak ${this.#format(top)}`;
    }
}

function cells(row, texts) {
    row.replaceChildren(...texts.map((text) => element("td", "", text)));
    return row;
}

function ago(time, now) {
    const ms = now - Date.parse(time);
    return ms < 2000 ? "now" : `${formatLeft(ms)} ago`;
}

function memberRow(peer, link, now) {
    const row = cells(element("tr"), [
        peer.id, `${peer.address}:${peer.port}`, peer.state,
        peer.rtt_ms > 0 ? `${peer.rtt_ms.toFixed(2)} ms` : "",
        ago(peer.last_seen, now),
        link === undefined ? "" : formatLeft(now - Date.parse(link.up_since)),
        link === undefined ? "" : formatBytes(link.bytes_in),
        link === undefined ? "" : formatBytes(link.bytes_out),
        link === undefined ? "" : formatCount(link.queued + link.unacked),
    ]);
    row.className = `is-${peer.state}`;
    return row;
}

const STATE_ORDER = ["suspect", "alive", "dead", "left"];

/* Those who need attention first, then by name and port. */
export function orderPeers(peers) {
    const rank = (peer) => STATE_ORDER.indexOf(peer.state);
    return [...peers].sort((a, b) => rank(a) - rank(b) ||
        a.id.localeCompare(b.id, undefined, {numeric: true}) || a.port - b.port);
}

// ---- The page ----

class Page {
    #picture = new Picture();
    #plots = {};
    #before = null;
    #names = new Map();
    #events = [];
    #frame = 0;
    #isLive = false;
    #node = "";

    start() {
        const place = find("plots");
        const perSecond = (value) => `${formatCount(value)} /s`;
        this.#plots = {
            keys: new Plot(place, "Entries", formatCount),
            bytes: new Plot(place, "Storage", formatBytes),
            writes: new Plot(place, "Writes", perSecond),
            expiries: new Plot(place, "Expiries", perSecond),
            requests: new Plot(place, "Requests", perSecond),
            cpu: new Plot(place, "Processor", (value) => `${formatCount(value)} %`),
        };
        new Stream("../watch?prefix=&snapshot=0", {
            onEvents: (events) => events.forEach(({type, data}) => this.#takeEvent(type, data)),
            onState: (state) => this.#takeState(state),
        }).start();
        this.#sample();
    }

    async #sample() {
        const began = performance.now();
        try {
            const get = (path) => fetch(path, {cache: "no-store",
                                               signal: AbortSignal.timeout(SAMPLE_MS * 4)});
            const answers = await Promise.all(["../status", "../peers", "../metrics"].map(get));
            const [status, {peers}] = await Promise.all([answers[0].json(), answers[1].json()]);
            const figures = parseMetrics(await answers[2].text());
            this.#show(status, orderPeers(peers));
            this.#plot(status, figures, performance.now());
        } catch {
            for (const plot of Object.values(this.#plots)) {
                plot.add(NaN);
            }
            this.#before = null;
        }
        setTimeout(() => this.#sample(), Math.max(500, began + SAMPLE_MS - performance.now()));
    }

    #show(status, peers) {
        this.#names = new Map([[status.uuid, status.node_id], ...peers.map((p) => [p.uuid, p.id])]);
        this.#picture.draw(status, peers);
        const links = new Map(status.links.map((link) => [link.uuid, link]));
        const now = Date.parse(status.clock.time);
        find("members").replaceChildren(...peers.slice(0, ROWS_MAX).map(
            (peer) => memberRow(peer, links.get(peer.uuid), now)));
        find("more").hidden = peers.length <= ROWS_MAX;
        find("more").textContent = `and ${peers.length - ROWS_MAX} more`;
        this.#showFacts(status);
        this.#node = status.node_id;
        if (this.#isLive) {
            this.#sayLive();
        }
    }

    #showFacts(status) {
        const {membership, storage} = status;
        const share = storage.bytes_max > 0 ? (100 * storage.bytes) / storage.bytes_max : 0;
        const words = [status.state, ...status.reasons.filter((reason) => reason !== status.state)];
        const facts = [
            ["Node", `${status.node_id}, ${words.join(", ")}`],
            ["Up", status.uptime],
            ["Members", `${membership.alive + 1} alive, ${membership.suspect} suspect, ` +
                        `${membership.dead} dead`],
            ["Quorum", `${membership.quorum} of ${membership.enclave_members}`],
            ["Storage", `${share < 0.1 ? "under 0.1" : share.toFixed(1)} % full`],
            ["Version", status.version],
        ];
        find("facts").replaceChildren(...facts.map(([name, text]) => {
            const fact = element("div");
            fact.append(element("dt", "", name), element("dd", "", text));
            return fact;
        }));
    }

    #plot(status, figures, now) {
        const before = this.#before;
        const seconds = before === null ? 0 : (now - before.at) / 1000;
        const grown = (...names) => before === null ? NaN : names.reduce((sum, name) =>
            sum + rate(before.figures.get(name), figures.get(name), seconds), 0);
        this.#plots.keys.add(status.storage.keys);
        this.#plots.bytes.add(status.storage.bytes);
        this.#plots.writes.add(grown("repram_puts_total", "repram_records_applied_total"));
        this.#plots.expiries.add(grown("repram_entries_expired_total"));
        this.#plots.requests.add(grown("repram_http_requests_total"));
        this.#plots.cpu.add(100 * grown("process_cpu_seconds_total"));
        this.#before = {figures, at: now};
    }

    #takeEvent(type, data) {
        if (type !== "put" && type !== "expire") {
            return;
        }
        if (type === "put") {
            this.#picture.showWrite(data.etag.slice(16));
        } else {
            this.#picture.showExpiry();
        }
        this.#events.push({type, data, at: new Date()});
        if (this.#events.length > EVENTS_SHOWN) {
            this.#events.shift();
        }
        this.#frame ||= requestAnimationFrame(() => this.#drawEvents());
    }

    #drawEvents() {
        this.#frame = 0;
        find("quiet").hidden = true;
        find("events").replaceChildren(...this.#events.map((event) => this.#eventRow(event)).reverse());
    }

    #eventRow({type, data, at}) {
        const row = element("li", type);
        const key = data.key ?? `${data.key_base64} (base64)`;
        const origin = this.#names.get(data.etag.slice(16)) ?? "a member of before";
        row.append(element("time", "", at.toTimeString().slice(0, 8)),
                   element("b", "", type === "put" ? "write" : "expiry"),
                   element("bdi", "key", key),
                   element("span", "hint", type === "put" ?
                       `${formatBytes(data.size)} for ${formatLeft(data.ttl_ms)}, by ${origin}` :
                       formatBytes(data.size)));
        return row;
    }

    #takeState({isLive, why}) {
        this.#isLive = isLive;
        if (isLive) {
            this.#sayLive();
        } else {
            this.#say(`Offline. ${why} This page keeps trying.`, "offline");
        }
    }

    #sayLive() {
        this.#say(this.#node === "" ? "Live" : `Live on ${this.#node}`, "live");
    }

    #say(text, state) {
        const line = find("status");
        if (line.textContent !== text) {
            line.textContent = text;
        }
        line.dataset.state = state;
    }
}

// Tests import this file without a page.
if (globalThis.document?.getElementById("picture")) {
    new Page().start();
}
