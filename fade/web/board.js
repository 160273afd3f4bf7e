/*
 * The message board. Past 600 lines, because each module costs a request, and the page should be
 * able to show messages after three (fade/README.md). The rest comes a moment later: compose.js for
 * writing and for looking up a key, news.js for readers who look elsewhere when a message comes.
 *
 * The first part knows no document: messages, times, the event stream, and the board as data. The
 * picture of the cluster and the tests use it too. The second part shows it. Texts of others go to
 * the page as text nodes only.
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

// ---- Times ----

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

/*
 * How strongly a message is drawn. `life` runs from 1 to 0 over its whole time and dims it within
 * what is easy to read; `ink` stays 1 until the last seconds (or the last half of a very short life)
 * and then goes to almost nothing.
 */
export function fading(left_ms, life_ms) {
    const last_ms = Math.min(15000, life_ms / 2);
    const share = (part, whole) => (whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0);
    return {life: share(left_ms, life_ms), ink: 0.1 + 0.9 * share(left_ms, last_ms)};
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
 * A connection to /watch that is made again for as long as the page lives. It reads the response
 * itself and is no EventSource, because that hides what the page must show: heartbeats (a
 * connection that died without a word looks live for ever), and why the node ended it.
 *
 * onEvent(type, data) for each event but the last, `end`; onState({isLive, why}) when the first one
 * has come, and when the connection is over. A node that still catches up sends none for a while.
 */
export class Feed {
    #url;
    #onEvent;
    #onState;
    #lastId = "";
    #abort = null;
    #wake = null;
    #retry_ms = RETRY_FIRST_MS;
    #why = "";

    constructor(url, {onEvent, onState}) {
        this.#url = url;
        this.#onEvent = onEvent;
        this.#onState = onState;
    }

    async start() {
        for (;;) {
            const why = await this.#connect();
            this.#onState({isLive: false, why});
            await new Promise((resolve) => {
                this.#wake = resolve;
                setTimeout(resolve, this.#retry_ms * (0.75 + Math.random() / 2));
            });
            this.#retry_ms = Math.min(RETRY_MAX_MS, this.#retry_ms * 2);
        }
    }

    /* Tries again now; `isFresh` forgets where the stream was, so that everything is sent anew. */
    restart(isFresh) {
        if (isFresh) {
            this.#lastId = "";
        }
        this.#retry_ms = RETRY_FIRST_MS;
        this.#abort?.abort();
        this.#wake?.();
    }

    /* One connection from its beginning to its end; returns why it ended. */
    async #connect() {
        const abort = new AbortController();
        this.#abort = abort;
        this.#why = "The node ended the connection.";
        let timer = 0;
        const heard = () => {
            clearTimeout(timer);
            timer = setTimeout(() => abort.abort(), SILENCE_MS);
        };
        heard();
        try {
            const headers = this.#lastId === "" ? {} : {"Last-Event-ID": this.#lastId};
            const response = await fetch(this.#url, {headers, cache: "no-store",
                                                     signal: abort.signal});
            if (!response.ok) {
                return refusal(response);
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
        }
    }

    async #read(stream, heard) {
        const events = new EventReader(this.#lastId);
        const reader = stream.getReader();
        let isLive = false;
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
            heard();
            this.#retry_ms = RETRY_FIRST_MS;
            const complete = events.push(piece.value);
            this.#lastId = events.lastId;
            for (const {type, data} of complete) {
                if (type === "end") { // the node's last words
                    this.#why = JSON.parse(data).detail;
                    this.#retry_ms = Math.max(RETRY_FIRST_MS, events.retry_ms);
                    continue;
                }
                if (!isLive) {
                    isLive = true;
                    this.#onState({isLive, why: ""});
                }
                this.#onEvent(type, JSON.parse(data));
            }
        }
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
 * on the page's own clock (`now`: performance.now() in the page).
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

    /* Takes a put event; returns the entry, or null when it is no news. */
    put(event, now) {
        const etag = bareTag(event.etag);
        const held = this.#byKey.get(event.key);
        if (held !== undefined && held.etag === etag) {
            held.round = this.#round;
            held.endsAt = now + event.ttl_ms;
            return null;
        }
        if (event.ttl_ms <= 0 || (held !== undefined && held.etag > etag)) {
            return null;
        }
        this.#remove(held);
        const bytes = typeof event.value === "string" ? decodeBase64(event.value) : null;
        const entry = {...readMessage(bytes, event.size), key: event.key, etag,
                       size: event.size, endsAt: now + event.ttl_ms, round: this.#round};
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

// ---- The page ----

/* Rows of the list at first, and how many more the button brings each time. */
const SHOWN_FIRST = 100;
const SHOWN_MORE = 300;
/* A message with less time left than this is drawn as leaving. */
const ENDING_MS = 20000;
/* A text longer than what the composer lets through, or of many lines, gets a window to scroll in. */
const LONG_TEXT = 600;
const LONG_LINES = 12;
/* Rows off screen that are brought up to date each second. */
const TURN_ROWS = 50;
const BACK_SHOWN_MS = 6000;
const COMPOSER_WAIT_MS = 1500;
/* When the wall clock and the page's own differ by this much, the machine slept or its clock was
 * set. */
const CLOCK_JUMP_MS = 2000;

function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/* An element with classes and text; the page shows text of others in no other way. */
export function element(name, className = "", text = "") {
    const made = document.createElement(name);
    if (className !== "") {
        made.className = className;
    }
    made.textContent = text;
    return made;
}

const clockFormat = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});
const dayFormat = new Intl.DateTimeFormat(undefined, {month: "short", day: "numeric",
                                                      hour: "2-digit", minute: "2-digit"});

export function formatWhen(at_ms) {
    const isRecent = Math.abs(Date.now() - at_ms) < 12 * 3600 * 1000;
    return (isRecent ? clockFormat : dayFormat).format(at_ms);
}

/* One message, in the list or found by its key. */
export function messageRow(entry, name) {
    const row = element(name, "message");
    const text = element("p", entry.isPlaceholder ? "text is-placeholder" : "text", entry.text);
    text.dir = "auto";
    const meta = element("p", "meta");
    const from = element("span", "from");
    from.append(element("bdi", "callsign", entry.callsign || "ANONYMOUS"));
    if (entry.location !== "") {
        from.append(" @ ", element("bdi", "location", entry.location));
    }
    const written = versionTime(entry.etag);
    const when = element("time", "", formatWhen(written));
    when.dateTime = new Date(written).toISOString();
    const link = element("a", "key", entry.key);
    link.href = `#${encodeURIComponent(entry.key)}`;
    const left = element("span", "left");
    meta.append(from, when, link, left);
    text.classList.toggle("is-long", entry.text.length > LONG_TEXT ||
                                     entry.text.split("\n").length > LONG_LINES);
    row.append(text, meta);
    row.tabIndex = -1;
    return row;
}

/* The list of messages: rows for the newest entries, of which only those on screen are redrawn. */
class List {
    #board;
    #place;
    #older;
    #rows = new Map();
    #frame = 0;
    #turn = 0;
    #shown = SHOWN_FIRST;
    /* Added to the page's clock it gives the cluster's; until the node has answered, the
     * machine's. */
    clock_ms = Date.now() - performance.now();

    constructor(board, place, older) {
        this.#board = board;
        this.#place = place;
        this.#older = older;
        older.addEventListener("click", () => this.#showOlder());
        addEventListener("scroll", () => {
            this.#frame ||= requestAnimationFrame(() => this.#paintVisible(performance.now()));
        }, {passive: true});
    }

    /* Makes the rows those of the newest entries; rows that stay are not touched. */
    draw() {
        const wanted = this.#board.newest(this.#shown);
        let place = this.#place.firstElementChild;
        const kept = new Set(wanted);
        for (const [entry, row] of this.#rows) {
            if (!kept.has(entry)) {
                place = place === row ? row.nextElementSibling : place;
                this.#drop(entry, row);
            }
        }
        for (const entry of wanted) {
            const row = this.#rows.get(entry) ?? this.#add(entry);
            if (row === place) {
                place = place.nextElementSibling;
            } else {
                this.#place.insertBefore(row, place);
            }
        }
        const rest = this.#board.size - wanted.length;
        this.#older.hidden = rest === 0;
        this.#older.textContent = `Older (${rest} more)`;
    }

    /* Draws countdown and fade of the rows on screen, and of a few others in turn: the reader of a
     * screen reader may be further down. */
    tick(now) {
        this.#paintVisible(now);
        const rows = this.#place.children;
        for (let i = 0; i < Math.min(TURN_ROWS, rows.length); i++) {
            this.#turn = (this.#turn + 1) % rows.length;
            this.#paint(rows[this.#turn], now);
        }
    }

    /* The row of a key, whose entry is on the board; more of the list is shown if it takes that. */
    reveal(key) {
        const entry = this.#board.get(key);
        const at = this.#board.newest(this.#board.size).indexOf(entry);
        if (at >= this.#shown) {
            this.#shown = at + SHOWN_MORE;
        }
        this.draw(); // it may have come since the last frame
        return this.#rows.get(entry);
    }

    paint(row, entry, now) {
        const left_ms = entry.endsAt - now;
        const life_ms = Math.max(left_ms, entry.endsAt + this.clock_ms - versionTime(entry.etag));
        const {life, ink} = fading(left_ms, life_ms);
        const left = row.querySelector(".left");
        const text = `${formatLeft(left_ms)} left`;
        if (left.textContent !== text) {
            left.textContent = text;
        }
        row.classList.toggle("is-ending", left_ms < ENDING_MS);
        row.style.setProperty("--life", life.toFixed(3));
        row.style.setProperty("--ink", ink.toFixed(3));
    }

    /* They are found by halving, for the rows stand in order; an observer for each of a thousand rows
     * took 4 ms of every frame. */
    #paintVisible(now) {
        const rows = this.#place.children;
        let low = 0;
        let high = rows.length;
        this.#frame = 0;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (rows[middle].getBoundingClientRect().bottom < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        const visible = [];
        for (let row = rows[low]; row && row.getBoundingClientRect().top < innerHeight;
            row = row.nextElementSibling) {
            visible.push(row);
        }
        // Only now: a question about places after each change would lay the page out once for each
        // row.
        visible.forEach((row) => this.#paint(row, now));
    }

    /* Once a second is enough, however often the list is scrolled. */
    #paint(row, now) {
        const second = Math.floor(now / 1000);
        if (row.second !== second || row.entry.endsAt !== row.endsAt) {
            row.second = second;
            row.endsAt = row.entry.endsAt;
            this.paint(row, row.entry, now);
        }
    }

    #add(entry) {
        const row = messageRow(entry, "li");
        row.entry = entry;
        this.#rows.set(entry, row);
        this.#paint(row, performance.now());
        return row;
    }

    /* A reader who is in a row by keyboard when it ends goes on at the next one. */
    #drop(entry, row) {
        if (row.contains(document.activeElement)) {
            (row.nextElementSibling ?? row.previousElementSibling ?? this.#place).focus();
        }
        this.#rows.delete(entry);
        row.remove();
    }

    #showOlder() {
        const first = this.#shown;
        this.#shown += SHOWN_MORE;
        this.draw();
        this.#place.children[first]?.focus({preventScroll: true});
    }
}

/* Everything on the page that is about messages; compose.js gets it to work with. */
class Page {
    board = new Board();
    prefix = new URLSearchParams(location.search).get("prefix") ?? KEY_PREFIX;
    isLive = false;
    #find = (id) => document.getElementById(id);
    #list = new List(this.board, this.#find("messages"), this.#find("older"));
    #feed;
    #node = "";
    #offlineSince = 0;
    #timer = 0;
    #wakeAt = 0;
    #frame = 0;
    #drawn = -1;
    #isListed = false;
    #jump = Date.now() - performance.now();
    #sayListed;
    /* Resolved when everything that the node has was drawn for the first time. */
    whenListed = new Promise((resolve) => (this.#sayListed = resolve));
    /* The node's last /status, and the function that is called with each. */
    status = null;
    onStatus = () => {};
    /* Called for each message that comes while the reader watches, and each second. */
    onNew = () => {};
    onTick = () => {};

    start() {
        const watch = `../watch?prefix=${encodeURIComponent(this.prefix)}&values=1`;
        this.#feed = new Feed(watch, {
            onEvent: (type, data) => this.#takeEvent(type, data),
            onState: (state) => this.#takeState(state),
        });
        this.#feed.start();
        this.#tick();
        for (const name of ["online", "offline"]) {
            addEventListener(name, () => this.#feed.restart(false));
        }
        document.addEventListener("visibilitychange", () => this.#tick());
    }

    /* Shows the row of a key that is on the board. */
    reveal(key) {
        const row = this.#list.reveal(key);
        document.querySelector(".is-linked")?.classList.remove("is-linked");
        row.classList.add("is-linked");
        row.scrollIntoView({block: "center"});
        row.focus({preventScroll: true});
    }

    paint(row, entry) {
        this.#list.paint(row, entry, performance.now());
    }

    // -- What the node says --

    #takeEvent(type, data) {
        const now = performance.now();
        if (type === "put" && typeof data.key === "string") {
            const entry = this.board.put(data, now);
            if (entry !== null && this.#isListed) {
                this.onNew(entry);
            }
            this.#wakeBy(now + data.ttl_ms);
        } else if (type === "expire") {
            this.board.expire(data);
        } else if (type === "reset") {
            this.board.reset();
            this.#isListed = false;
        } else if (type === "live") {
            this.board.live();
            this.#isListed = true;
            this.whenListed.then(() => this.#askStatus());
        }
        if (this.#isListed) {
            this.#redraw(); // a listing is drawn when it is complete, or with the next second
        }
    }

    #takeState({isLive, why}) {
        this.isLive = isLive;
        if (isLive) {
            const away_s = Math.round((performance.now() - this.#offlineSince) / 1000);
            const isBack = this.#offlineSince > 0;
            this.#offlineSince = 0;
            this.#say(isBack ? `Back. The board was offline for ${formatLeft(away_s * 1000)}.`
                             : this.#liveText(), "live");
            setTimeout(() => this.isLive && this.#say(this.#liveText(), "live"), BACK_SHOWN_MS);
        } else {
            this.#offlineSince ||= performance.now();
            this.#say(`Offline. ${why} What you see goes on fading; this page keeps trying.`,
                      "offline");
        }
    }

    #liveText() {
        return this.#node === "" ? "Live" : `Live on ${this.#node}`;
    }

    /* Screen readers read a status line out when its text changes, so the text changes only with
     * its meaning. */
    #say(text, state) {
        const line = this.#find("status");
        if (line.textContent !== text) {
            line.textContent = text;
        }
        line.dataset.state = state;
    }

    /* The node's name, its clock, and the times to live that it takes. */
    async #askStatus() {
        try {
            const asked = performance.now();
            const response = await fetch("../status", {cache: "no-store"});
            const status = await response.json();
            const now = (asked + performance.now()) / 2;
            if (status.clock.is_set) {
                this.#list.clock_ms = Date.parse(status.clock.time) - now;
            }
            this.#node = status.node_id;
            if (this.#find("status").textContent === "Live") {
                this.#say(this.#liveText(), "live");
            }
            this.status = status;
            this.onStatus(status);
        } catch {
            // The feed says when the node is not there.
        }
    }

    // -- Time --

    /* The one timer: each second, or sooner when something ends. */
    #tick() {
        const now = performance.now();
        if (Math.abs(Date.now() - now - this.#jump) > CLOCK_JUMP_MS) {
            this.#jump = Date.now() - now;
            this.#feed.restart(true);
        }
        this.#wakeAt = Infinity;
        this.#wakeBy(Math.min(now + 1000 - (now % 1000), this.board.sweep(now)));
        this.#redraw();
        this.#list.tick(now);
        this.onTick(now);
    }

    /* Sets the timer to an earlier time; a later one changes nothing. */
    #wakeBy(at) {
        if (at < this.#wakeAt) {
            this.#wakeAt = at;
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#tick(), Math.max(1, at - performance.now()));
        }
    }

    /* Draws once a frame, however much has come; a hidden page has no frames, and needs none. */
    #redraw() {
        if (this.board.changes === this.#drawn) {
            return;
        }
        this.#frame ||= requestAnimationFrame(() => {
            this.#frame = 0;
            this.#drawn = this.board.changes;
            this.#list.draw();
            this.#find("total").textContent = String(this.board.size);
            this.#find("empty").hidden = this.board.size > 0 || !this.#isListed;
            if (this.#isListed) {
                this.#sayListed();
            }
        });
    }
}

// Tests and the other page import this file without a board to show.
if (globalThis.document?.getElementById("messages")) {
    const page = new Page();
    page.start();
    // Nothing is asked for before the messages are; a node that is away does not hold this up long.
    Promise.race([page.whenListed, sleep(COMPOSER_WAIT_MS)]).then(async () => {
        (await import("./compose.js")).start(page);
        (await import("./news.js")).start(page);
    });
}
