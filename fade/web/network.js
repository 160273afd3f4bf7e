/*
 * The cluster as one node sees it: a picture of its members, its writes and expiries, and how many
 * there were lately. Everything comes from public pages of that node: /status, /peers and /metrics
 * each two seconds, /watch as it happens. A tab that nobody looks at asks for nothing.
 */
import {element} from "./board.js";
import {formatBytes, formatCount, parseMetrics, rate} from "./figures.js";
import {MemberTable} from "./members.js";
import {Picture, countStates, mark, shape} from "./picture.js";
import {Plot} from "./plot.js";
import {Stream, ask, formatLeft, isRefusal, refusal, remedy} from "./stream.js";

const SAMPLE_MS = 2000;
/* The second sample comes sooner: only then is there a rate to show. */
const SAMPLE_FIRST_MS = 1000;
/* Rates are not told over a longer time without samples. */
const RATE_MAX_MS = 10000;
const EVENTS_SHOWN = 12;

const find = (id) => document.getElementById(id);

class Page {
    #picture = new Picture(find("picture"));
    #table = new MemberTable(find("members"), find("more"));
    #plots = {};
    #before = null;
    #names = new Map();
    #events = [];
    #frame = 0;
    #timer = 0;
    #isAsking = false;
    /* The stream's state, and why there are no figures; "" while they come. */
    #state = null;
    #refusal = "";
    #node = "";
    /* When the figures on the page were true, for people. */
    #of = "";

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
        document.addEventListener("visibilitychange", () => this.#sample());
    }

    /* Asks, and sets the timer to ask again; a hidden tab waits until somebody comes back. */
    async #sample() {
        clearTimeout(this.#timer);
        if (document.hidden || this.#isAsking) {
            return;
        }
        this.#isAsking = true;
        const began = performance.now();
        const isFirst = this.#before === null;
        try {
            const get = (path) => ask(path, {cache: "no-store",
                                             signal: AbortSignal.timeout(SAMPLE_MS * 4)});
            const answers = await Promise.all(["../status", "../peers", "../metrics"].map(get));
            const refused = answers.find((answer) => isRefusal(answer.status));
            this.#refusal = refused === undefined ? "" : await refusal(refused);
            this.#saySo();
            const [status, {peers}] = await Promise.all([answers[0].json(), answers[1].json()]);
            const figures = parseMetrics(await answers[2].text());
            this.#show(status, peers);
            this.#plot(status, figures, performance.now());
        } catch {
            for (const plot of Object.values(this.#plots)) {
                plot.add(NaN, performance.now());
            }
            this.#before = null;
        }
        this.#isAsking = false;
        this.#timer = setTimeout(() => this.#sample(), Math.max(
            500, began + (isFirst ? SAMPLE_FIRST_MS : SAMPLE_MS) - performance.now()));
    }

    #show(status, peers) {
        this.#names = new Map([[status.uuid, status.node_id], ...peers.map((p) => [p.uuid, p.id])]);
        this.#picture.show(status, peers);
        this.#table.show(peers, new Map(status.links.map((link) => [link.uuid, link])),
                         Date.parse(status.clock.time));
        this.#showFacts(status);
        this.#showLegend(status.membership);
        this.#node = status.node_id;
        this.#of = new Date().toTimeString().slice(0, 8);
        this.#saySo();
    }

    #showFacts(status) {
        const {membership, storage} = status;
        const share = storage.bytes_max > 0 ? (100 * storage.bytes) / storage.bytes_max : 0;
        const words = [status.state, ...status.reasons.filter((reason) => reason !== status.state)];
        const facts = [
            ["Node", `${status.node_id}, ${words.join(", ")}`],
            ["Up", status.uptime],
            ["Members", countStates(membership).map(([state, count]) => `${count} ${state}`).join(", ")],
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

    /* What the marks in the picture mean, and how many there are of each. */
    #showLegend(membership) {
        const entry = (drawn, text) => {
            const row = element("li");
            const drawing = shape("svg", {viewBox: "-8 -8 16 16"});
            drawing.append(drawn);
            row.append(drawing, ` ${text}`);
            return row;
        };
        find("legend").replaceChildren(
            ...countStates(membership).map(([state, count]) => entry(mark(state, 6), `${count} ${state}`)),
            entry(shape("path", {class: "link", d: "M-8 0H8"}), "link"),
            entry(shape("circle", {class: "pulse", r: 4}), "write"),
            entry(shape("circle", {class: "ring", r: 6}), "expiry"));
    }

    #plot(status, figures, now) {
        const before = this.#before !== null && now - this.#before.at <= RATE_MAX_MS ? this.#before : null;
        const seconds = before === null ? 0 : (now - before.at) / 1000;
        const grown = (...names) => before === null ? NaN : names.reduce((sum, name) =>
            sum + rate(before.figures.get(name), figures.get(name), seconds), 0);
        this.#plots.keys.add(status.storage.keys, now);
        this.#plots.bytes.add(status.storage.bytes, now);
        this.#plots.writes.add(grown("repram_puts_total", "repram_records_applied_total"), now);
        this.#plots.expiries.add(grown("repram_entries_expired_total"), now);
        this.#plots.requests.add(grown("repram_http_requests_total"), now);
        this.#plots.cpu.add(100 * grown("process_cpu_seconds_total"), now);
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
        const name = data.key ?? `${data.key_base64} (base64)`;
        const key = element("bdi", "key", name);
        key.title = name;
        const origin = this.#names.get(data.etag.slice(16)) ?? "a member of before";
        row.append(element("time", "", at.toTimeString().slice(0, 8)),
                   element("b", "", type === "put" ? "write" : "expiry"), key,
                   element("span", "hint", type === "put" ?
                       `${formatBytes(data.size)} for ${formatLeft(data.ttl_ms)}, by ${origin}` :
                       formatBytes(data.size)));
        return row;
    }

    #takeState(state) {
        this.#state = state;
        this.#saySo();
    }

    #saySo() {
        if (this.#state === null && this.#refusal === "") {
            return; // nothing is known yet
        }
        const {isLive = false, isRefused = false, why = ""} = this.#state ?? {};
        if (isRefused || this.#refusal !== "") {
            this.#say(`No access. ${isRefused ? why : this.#refusal} ${remedy()}`, "refused");
        } else if (isLive) {
            this.#say(this.#node === "" ? "Live" : `Live on ${this.#node}`, "live");
        } else {
            const of = this.#of === "" ? "" : ` What you see is of ${this.#of}.`;
            this.#say(`Offline. ${why}${of} This page keeps trying.`, "offline");
        }
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
