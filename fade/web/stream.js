/*
 * What a node says, before any of it is shown: messages, the event stream that brings them, the
 * board as data, and the worker that reads one stream for all tabs. Past 600 lines, because pages
 * and worker each ask for it, and each further file would be two more requests. Only Stream, at the
 * end, knows that there is a page.
 */

// ---- Messages ----

/* Most characters (code points) of each field. Older clients have the same limits. */
export const FIELD_MAX = {text: 280, callsign: 20, location: 30};

/* The prefix of the keys that Fade's clients have always made: msg-<adjective>-<noun>-<number>. */
export const KEY_PREFIX = "msg-";

/* Of a value longer than the composer allows, this much is shown. */
const TEXT_SHOWN_MAX = 4000;

/* Characters as Unicode counts them, so that an emoji is not two. */
export function countCharacters(text) {
    let count = 0;
    for (const _ of text) {
        count++;
    }
    return count;
}

/*
 * A value is `text` or `text|CALLSIGN|LOCATION`. A value with another number of bars, or with
 * longer fields behind them, was not written in this format: all of it is text.
 */
export function parseMessage(value) {
    const parts = value.split("|");
    const isFormat = parts.length === 3 && countCharacters(parts[1]) <= FIELD_MAX.callsign &&
        countCharacters(parts[2]) <= FIELD_MAX.location;
    const [text, callsign, location] = isFormat ? parts.map((part) => part.trim())
                                                : [value.trim(), "", ""];
    return {text, callsign, location};
}

/* The text of a value's bytes; null when they are no text. */
export function decodeText(bytes) {
    try {
        const text = new TextDecoder("utf-8", {fatal: true}).decode(bytes);
        return text.includes("\0") ? null : text;
    } catch {
        return null;
    }
}

function decodeBase64(text) {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/* A value as the board shows it; `bytes` is null when the node did not send it. */
export function readMessage(bytes, size) {
    const text = bytes === null ? null : decodeText(bytes);
    if (text === null) {
        const why = bytes === null ? "too large to show here" : "not text";
        return {text: `(${size} bytes, ${why})`, callsign: "", location: "", isPlaceholder: true};
    }
    const message = parseMessage(text);
    if (message.text.length > TEXT_SHOWN_MAX) {
        message.text = `${message.text.slice(0, TEXT_SHOWN_MAX)} … (${size} bytes in all)`;
    }
    return message;
}

/* The rest of a life, in the two units that matter. */
export function formatLeft(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const two = (n) => String(n).padStart(2, "0");
    if (seconds >= 86400) {
        return `${Math.floor(seconds / 86400)}d ${two(Math.floor(seconds / 3600) % 24)}h`;
    }
    if (seconds >= 3600) {
        return `${Math.floor(seconds / 3600)}h ${two(Math.floor(seconds / 60) % 60)}m`;
    }
    return seconds >= 60 ? `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s` : `${seconds}s`;
}

/* A version as the stream says it: an ETag without its quotes, and without the prefix that a
 * compressing proxy adds. */
export function bareTag(etag) {
    return etag.replace(/^W\/|"/g, "");
}

/* When a version was written: its first 48 bits are milliseconds of the cluster's clock. */
export function versionTime(etag) {
    return parseInt(etag.slice(0, 12), 16);
}

/* A put event as a message with its key, version and rest of life; null where the key is no text. */
export function readPut(event) {
    if (typeof event.key !== "string") {
        return null;
    }
    const bytes = typeof event.value === "string" ? decodeBase64(event.value) : null;
    return {...readMessage(bytes, event.size), key: event.key, etag: bareTag(event.etag),
            size: event.size, ttl_ms: event.ttl_ms};
}

// ---- The token ----

/*
 * The token of an access list is this tab's alone. It comes from `#token=` of the address, which is
 * cleared at once, so that it is in no bookmark and on nobody's screen; an empty one forgets it. It
 * leaves in a header of requests to the node of this page, never in a URL.
 */
const TOKEN_HASH = "#token=";
const TOKEN_KEPT = "fade-token";
let token = "";

/* Returns whether the address had one. */
function takeToken() {
    const isGiven = location.hash.startsWith(TOKEN_HASH);
    if (isGiven) {
        const given = location.hash.slice(TOKEN_HASH.length);
        token = /^[!-~]{1,1024}$/.test(given) ? given : "";
    }
    try {
        if (isGiven) {
            sessionStorage.setItem(TOKEN_KEPT, token);
        }
        token = sessionStorage.getItem(TOKEN_KEPT) ?? "";
    } catch {
        // A browser that may keep nothing has it until the next page.
    }
    if (isGiven) {
        history.replaceState(null, "", location.pathname + location.search);
    }
    return isGiven;
}

if (globalThis.document) {
    takeToken();
    // Before those who take what stands there for a key.
    addEventListener("hashchange", (event) => {
        if (takeToken()) {
            event.stopImmediatePropagation();
            location.reload();
        }
    });
}

function signed(headers, by) {
    return by === "" ? headers : {...headers, Authorization: `Bearer ${by}`};
}

/* fetch() with the token. */
export function ask(path, {headers = {}, ...options} = {}) {
    return fetch(path, {...options, headers: signed(headers, token)});
}

export function isRefusal(status) {
    return status === 401 || status === 403;
}

/* What those who are refused can do. */
export function remedy() {
    return token === "" ? "With a token, open this page as /fade/#token=TOKEN."
                        : "The token of this tab does not allow it; another one is taken from #token=.";
}

// ---- The event stream ----

/* Server-sent events out of the text of a response, in pieces of any size. */
export class EventReader {
    #rest = "";
    #event = "";
    #data = [];
    #id = "";
    /* Where a stream goes on after this one: the last id that was complete, with an event or not. */
    lastId;
    /* After how long the node wants to be asked again; 0: it has not said so. */
    retry_ms = 0;

    constructor(lastId = "") {
        this.#id = lastId;
        this.lastId = lastId;
    }

    /* Takes a piece and returns the events that it completes. */
    push(piece) {
        const lines = (this.#rest + piece).split("\n");
        this.#rest = lines.pop();
        const events = [];
        for (const line of lines) {
            this.#takeLine(line.endsWith("\r") ? line.slice(0, -1) : line, events);
        }
        return events;
    }

    #takeLine(line, events) {
        if (line === "") {
            this.lastId = this.#id;
            if (this.#data.length > 0) {
                events.push({type: this.#event || "message", data: this.#data.join("\n")});
            }
            this.#event = "";
            this.#data = [];
            return;
        }
        const colon = line.indexOf(":");
        const name = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (name === "event") {
            this.#event = value;
        } else if (name === "data") {
            this.#data.push(value);
        } else if (name === "id") {
            this.#id = value;
        } else if (name === "retry" && /^\d+$/.test(value)) {
            this.retry_ms = Number(value);
        }
    }
}

/* The node sends a line each 10 s at least; silence of this length is a dead connection. */
const SILENCE_MS = 25000;
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5000;

/*
 * A connection to /watch that is made again for as long as somebody wants it. It reads the response
 * itself and is no EventSource, because that hides what the page must show: heartbeats (a
 * connection that died without a word looks live for ever), and why the node ended it.
 *
 * onEvents([{type, data}, ...]) for all events but the last, `end`; onState({isLive, why, isRefused})
 * when the first one has come, and when the connection is over, or was refused for want of a right. A
 * node that still catches up sends none for a while. Nothing is asked for before resume(); pause()
 * lets the connection go, and the next one goes on where this one was.
 */
export class Feed {
    #url;
    #token;
    #onEvents;
    #onState;
    #lastId = "";
    #abort = null;
    #wake = null;
    #retry_ms = RETRY_FIRST_MS;
    #why = "";
    #isRefused = false;
    #isPaused = true;
    /* The next connection is to be made at once, and the end of this one is nobody's news. */
    #isDue = false;

    constructor(url, {onEvents, onState, token = ""}) {
        this.#url = url;
        this.#token = token;
        this.#onEvents = onEvents;
        this.#onState = onState;
        this.#run();
    }

    resume() {
        if (this.#isPaused) {
            this.#isPaused = false;
            this.restart(false);
        }
    }

    pause() {
        this.#isPaused = true;
        this.#abort?.abort();
    }

    /* Tries again now; `isFresh` forgets where the stream was, so that everything is sent anew. */
    restart(isFresh) {
        if (isFresh) {
            this.#lastId = "";
        }
        this.#retry_ms = RETRY_FIRST_MS;
        this.#isDue = true;
        this.#abort?.abort();
        this.#wake?.();
    }

    async #run() {
        for (;;) {
            if (!this.#isDue) {
                await this.#rest();
            }
            if (this.#isPaused) {
                this.#isDue = false;
                continue;
            }
            this.#isDue = false;
            const why = await this.#connect();
            if (!this.#isPaused && !this.#isDue) {
                this.#onState({isLive: false, why, isRefused: this.#isRefused});
            }
        }
    }

    /* Until somebody wants the stream, or until the next try. */
    #rest() {
        return new Promise((resolve) => {
            this.#wake = resolve;
            if (!this.#isPaused) {
                setTimeout(resolve, this.#retry_ms * (0.75 + Math.random() / 2));
                this.#retry_ms = Math.min(RETRY_MAX_MS, this.#retry_ms * 2);
            }
        });
    }

    /* One connection from its beginning to its end; returns why it ended. */
    async #connect() {
        const abort = new AbortController();
        this.#abort = abort;
        this.#why = "The node ended the connection.";
        this.#isRefused = false;
        let timer = 0;
        const heard = () => {
            clearTimeout(timer);
            timer = setTimeout(() => abort.abort(), SILENCE_MS);
        };
        heard();
        try {
            const headers = this.#lastId === "" ? {} : {"Last-Event-ID": this.#lastId};
            const response = await fetch(this.#url, {headers: signed(headers, this.#token),
                                                     cache: "no-store", signal: abort.signal});
            if (!response.ok) {
                this.#isRefused = isRefusal(response.status);
                this.#retry_ms = this.#isRefused ? RETRY_MAX_MS : this.#retry_ms;
                return await refusal(response); // before the connection is let go
            }
            if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
                return "What answers here is no node.";
            }
            await this.#read(response.body.pipeThrough(new TextDecoderStream()), heard);
            return this.#why;
        } catch {
            return "This node does not answer.";
        } finally {
            clearTimeout(timer);
            abort.abort(); // what is not read to its end would keep the connection
        }
    }

    async #read(stream, heard) {
        const events = new EventReader(this.#lastId);
        const reader = stream.getReader();
        const waited_ms = this.#retry_ms;
        let isLive = false;
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
            heard();
            this.#retry_ms = RETRY_FIRST_MS;
            try {
                const told = events.push(piece.value);
                isLive = this.#tell(told, events.retry_ms, isLive);
            } catch { // it would say the same again at once
                this.#why = "What this node sends cannot be read.";
                this.#retry_ms = waited_ms;
                return;
            }
            this.#lastId = events.lastId;
        }
    }

    /* Returns whether this connection has brought anything yet. */
    #tell(events, retry_ms, isLive) {
        const told = [];
        for (const {type, data} of events) {
            if (type === "end") { // the node's last words
                this.#why = JSON.parse(data).detail;
                this.#retry_ms = Math.max(RETRY_FIRST_MS, retry_ms);
            } else {
                told.push({type, data: JSON.parse(data)});
            }
        }
        if (told.length > 0) {
            if (!isLive) {
                this.#onState({isLive: true, why: ""});
            }
            this.#onEvents(told);
        }
        return isLive || told.length > 0;
    }
}

/* The text for people in a node's problem+json, or at least its status. */
export async function refusal(response) {
    try {
        const problem = await response.json();
        return problem.detail || problem.title;
    } catch {
        return `The node answered ${response.status}.`;
    }
}

// ---- The board as data ----

/* More than anybody scrolls through; the oldest leave first, so that a page's memory is bounded. */
const ENTRIES_MAX = 10000;

/*
 * The entries on the board: one a key, newest version first, each with the instant at which it ends
 * on the clock of whoever holds it (`now`: performance.now() of the page or worker).
 *
 * After a reset the node sends all that it has. Older entries stay until it is done, and only then
 * those that have not come again are dropped. So a reconnection never blanks the board.
 */
export class Board {
    #byKey = new Map();
    #ordered = [];
    #round = 0;
    /* Goes up with each change of what is on the board. */
    changes = 0;

    get size() {
        return this.#ordered.length;
    }

    get(key) {
        return this.#byKey.get(key);
    }

    newest(count) {
        return this.#ordered.slice(0, count);
    }

    /* Takes what readPut() has made of a put; returns the entry, or null when it is no news. */
    put({ttl_ms, ...message}, now) {
        const {key, etag} = message;
        const held = this.#byKey.get(key);
        if (held !== undefined && held.etag >= etag) {
            held.round = this.#round; // the node has the key, and may be about to have this version
            if (held.etag === etag) {
                held.endsAt = now + ttl_ms;
            }
            return null;
        }
        if (ttl_ms <= 0) {
            return null;
        }
        this.#remove(held);
        const entry = {...message, endsAt: now + ttl_ms, round: this.#round};
        this.#ordered.splice(this.#indexOf(etag), 0, entry);
        this.#byKey.set(entry.key, entry);
        this.changes++;
        if (this.#ordered.length > ENTRIES_MAX) {
            this.#remove(this.#ordered.at(-1));
        }
        return entry;
    }

    /* Takes an expire event. One of a version that was replaced here says nothing. */
    expire(event) {
        const held = this.#byKey.get(event.key);
        if (held !== undefined && (!event.etag || bareTag(event.etag) === held.etag)) {
            this.#remove(held);
        }
    }

    /* A listing of everything begins; it ends with live(). */
    reset() {
        this.#round++;
    }

    live() {
        this.#keep((entry) => entry.round === this.#round);
    }

    /* What has come since the last reset, newest first, each as another board's put() takes it. */
    listing(now) {
        this.sweep(now);
        return this.#ordered.filter((entry) => entry.round === this.#round).map(
            ({endsAt, round: _, ...message}) => ({...message, ttl_ms: endsAt - now}));
    }

    /* Drops what is over; returns when the next one is, Infinity when there is none. */
    sweep(now) {
        let next = Infinity;
        let isOver = false;
        for (const entry of this.#ordered) {
            if (entry.endsAt <= now) {
                isOver = true;
            } else if (entry.endsAt < next) {
                next = entry.endsAt;
            }
        }
        if (isOver) {
            this.#keep((entry) => entry.endsAt > now);
        }
        return next;
    }

    #keep(isKept) {
        this.changes++;
        for (const entry of this.#ordered) {
            if (!isKept(entry)) {
                this.#byKey.delete(entry.key);
            }
        }
        this.#ordered = this.#ordered.filter(isKept);
    }

    /* Where the first version stands that is not newer than this one. */
    #indexOf(etag) {
        let low = 0;
        let high = this.#ordered.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.#ordered[middle].etag > etag) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    #remove(entry) {
        if (entry !== undefined) {
            this.changes++;
            this.#ordered.splice(this.#indexOf(entry.etag), 1);
            this.#byKey.delete(entry.key);
        }
    }
}

// ---- One stream for all tabs ----

/*
 * A browser has six connections to a host (HTTP/1.1) for all its tabs, and a stream takes one for as
 * long as it is read. If each tab had a stream, the seventh would wait for ever, and so would every
 * request of the other six.
 *
 * So the tabs of a browser share one, and a SharedWorker reads it. Tabs that elect a leader among
 * them (Web Locks and a BroadcastChannel) were the other way. But browsers have Web Locks on https
 * and on localhost only, and most nodes are asked by plain http; they slow down and freeze tabs that
 * nobody looks at, with the stream of everybody else if such a tab is the leader; and each change of
 * leader is a change of stream in which nothing may get lost. A worker is no tab: it goes on while
 * one of them is open, whichever was the first.
 *
 * Where there is none (Chrome on Android, Safari before 16, Firefox before 114, a browser that is
 * told to keep nothing) each tab has a hub of its own. There, too, tabs that nobody looks at hold no
 * stream, and of those that somebody looks at a screen has room for a few.
 */

/* The stream is let go when nobody has looked at any of the tabs for so long; those who leaf through
 * tabs do not end it each time. The node keeps what is missed for a minute, and then lists anew. */
const HIDDEN_MS = 5000;
/* Hub and tabs hear of each other this often. Neither is told when the other has crashed. */
const BEAT_MS = 2000;
/* After so many beats without an answer the other one is gone. */
const BEATS_LOST = 3;
/* When the wall clock and the worker's own differ by this much, the machine slept or its clock was
 * set: all that is left of every life is asked for anew. */
const CLOCK_JUMP_MS = 2000;

function clockGap() {
    return Date.now() - performance.now();
}

/*
 * Reads one stream and passes it on to every tab that has said a word: {state} and {events}, as Feed
 * has them, but each put as readPut() makes it. A tab that comes later gets what the others have: the
 * hub holds the board that the stream describes. (A stream without a listing describes none.)
 *
 * Tabs say {isVisible} when that changes and after each {isBeat}, and {isOver} at their end.
 */
export class Hub {
    #feed;
    #tabs = new Map();
    #board = null;
    #isListed = false;
    #state = null;
    #hidden = 0;
    #beat = 0;
    #gap = clockGap();
    #hidden_ms;
    #beat_ms;

    /* Tests give shorter times. */
    constructor(url, {hidden_ms = HIDDEN_MS, beat_ms = BEAT_MS, token = ""} = {}) {
        this.#hidden_ms = hidden_ms;
        this.#beat_ms = beat_ms;
        if (new URL(url).searchParams.get("snapshot") !== "0") {
            this.#board = new Board();
        }
        this.#feed = new Feed(url, {
            token,
            onEvents: (events) => this.#tell({events: events.map((event) => this.#hold(event))
                .filter((event) => event !== null)}),
            onState: (state) => {
                this.#state = state;
                this.#tell({state});
            },
        });
        globalThis.addEventListener?.("online", () => this.#feed.restart(false));
    }

    /* Takes a tab's end of a channel, of which a first word may have been heard. */
    take(port, word = null) {
        port.onmessage = ({data}) => this.#hear(port, data);
        if (word !== null) {
            this.#hear(port, word);
        }
    }

    #hear(port, {isVisible, isOver}) {
        if (isOver) {
            this.#tabs.delete(port);
            port.close();
        } else {
            if (!this.#tabs.has(port)) {
                this.#greet(port);
            }
            this.#tabs.set(port, {isVisible, unanswered: 0});
        }
        this.#look();
    }

    /* All that the others know. */
    #greet(port) {
        if (this.#state !== null) {
            port.postMessage({state: this.#state});
        }
        if (this.#board !== null) {
            const puts = this.#board.listing(performance.now());
            port.postMessage({events: [{type: "reset", data: {}},
                                       ...puts.map((data) => ({type: "put", data})),
                                       ...(this.#isListed ? [{type: "live", data: {}}] : [])]});
        }
    }

    /* Holds what an event says; returns it as the tabs get it. */
    #hold({type, data}) {
        if (this.#board === null) {
            return {type, data};
        }
        if (type === "put") {
            const message = readPut(data);
            if (message === null) {
                return null;
            }
            this.#board.put(message, performance.now());
            return {type, data: message};
        }
        if (type === "expire") {
            this.#board.expire(data);
        } else if (type === "reset") {
            this.#board.reset();
            this.#isListed = false;
        } else if (type === "live") {
            this.#board.live();
            this.#isListed = true;
        }
        return {type, data};
    }

    #tell(what) {
        for (const port of this.#tabs.keys()) {
            port.postMessage(what);
        }
    }

    /* Has the stream while somebody looks at a tab, and a little longer. */
    #look() {
        if (this.#tabs.size === 0) {
            this.#letGo();
        } else if ([...this.#tabs.values()].some((tab) => tab.isVisible)) {
            clearTimeout(this.#hidden);
            this.#hidden = 0;
            this.#beat ||= setInterval(() => this.#takeBeat(), this.#beat_ms);
            this.#compareClocks();
            this.#feed.resume();
        } else {
            // Once; what has fired stays set until somebody looks again.
            this.#hidden ||= setTimeout(() => this.#letGo(), this.#hidden_ms);
        }
    }

    #letGo() {
        clearInterval(this.#beat);
        this.#beat = 0;
        this.#feed.pause();
    }

    #takeBeat() {
        for (const [port, tab] of this.#tabs) {
            if (tab.unanswered++ >= BEATS_LOST) {
                this.#tabs.delete(port); // if it lives after all, its next word brings it back
            } else {
                port.postMessage({isBeat: true});
            }
        }
        this.#compareClocks();
        this.#look();
    }

    #compareClocks() {
        if (Math.abs(clockGap() - this.#gap) > CLOCK_JUMP_MS) {
            this.#gap = clockGap();
            this.#feed.restart(true);
        }
    }
}

/*
 * A page's share of a stream. onEvents(events) and onState({isLive, why}) are called with what the
 * hub passes on; after a loss of the hub everything comes anew, beginning with `reset`.
 */
export class Stream {
    #url;
    #onEvents;
    #onState;
    #port = null;
    #hub = null;
    #isShared = typeof SharedWorker === "function";
    #isHeard = false;
    #silent = 0;

    constructor(path, {onEvents, onState}) {
        this.#url = new URL(path, location.href).href;
        this.#onEvents = onEvents;
        this.#onState = onState;
    }

    start() {
        this.#attach();
        setInterval(() => this.#listen(), BEAT_MS);
        document.addEventListener("visibilitychange", () => this.#say());
        addEventListener("pagehide", () => this.#port.postMessage({isOver: true}));
        addEventListener("pageshow", (event) => event.persisted && this.#attach());
    }

    #attach() {
        this.#port?.close();
        this.#silent = 0;
        this.#port = this.#shared() ?? this.#own();
        this.#port.onmessage = ({data}) => this.#take(data);
        this.#say();
    }

    #shared() {
        if (!this.#isShared) {
            return null;
        }
        try {
            const worker = new SharedWorker(import.meta.url, {type: "module", name: this.#url});
            worker.onerror = () => this.#isHeard || this.#goAlone();
            return worker.port;
        } catch { // a browser that may keep nothing for this origin
            this.#isShared = false;
            return null;
        }
    }

    #own() {
        const {port1, port2} = new MessageChannel();
        this.#hub ??= new Hub(this.#url, {token});
        this.#hub.take(port1);
        return port2;
    }

    #goAlone() {
        if (this.#isShared) {
            this.#isShared = false;
            this.#attach();
        }
    }

    #say() {
        this.#port.postMessage({isVisible: !document.hidden, token});
    }

    #take({state, events, isBeat}) {
        this.#silent = 0;
        this.#isHeard = true;
        if (isBeat) {
            this.#say();
        }
        if (state !== undefined) {
            this.#onState(state);
        }
        if (events !== undefined) {
            this.#onEvents(events);
        }
    }

    /* A worker that has crashed says nothing more, and the next one of this name is a new one. One
     * that has never said a word is none. */
    #listen() {
        if (document.hidden || this.#silent++ < BEATS_LOST) {
            return;
        }
        if (this.#isHeard) {
            this.#attach();
        } else {
            this.#goAlone();
        }
    }
}

// The same file as a worker. Tabs with another token have other rights, and so a stream of their own.
if (typeof SharedWorkerGlobalScope === "function") {
    const hubs = new Map();
    globalThis.addEventListener("connect", ({ports: [port]}) => {
        port.onmessage = ({data}) => {
            const hub = hubs.get(data.token) ?? new Hub(globalThis.name, {token: data.token});
            hubs.set(data.token, hub);
            hub.take(port, data);
        };
    });
}
