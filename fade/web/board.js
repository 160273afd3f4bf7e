/*
 * The message board as the page shows it: the list, and the line that says whether it is live.
 * stream.js brings the messages. The rest comes a moment later: compose.js for writing and for
 * looking up a key, news.js for readers who look elsewhere when a message comes. Texts of others go
 * to the page as text nodes only.
 */
import {Board, KEY_PREFIX, Stream, ask, formatLeft, remedy, versionTime} from "./stream.js";

/*
 * How strongly a message is drawn. `life` runs from 1 to 0 over its whole time and dims it within
 * what is easy to read; `ink`, of the bar below it, stays 1 until the last seconds (or the last half of a
 * very short life) and then goes to nothing.
 */
export function fading(left_ms, life_ms) {
    const last_ms = Math.min(15000, life_ms / 2);
    const share = (part, whole) => (whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0);
    return {life: share(left_ms, life_ms), ink: share(left_ms, last_ms)};
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
/* What has come is in the document after so long, whether the browser makes frames or not. */
const FRAME_WAIT_MS = 100;

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
    link.title = entry.key; // a long one is cut
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
    #node = "";
    #offlineSince = 0;
    #timer = 0;
    #wakeAt = 0;
    #frame = 0;
    #noFrame = 0;
    #drawn = -1;
    #isListed = false;
    /* The newest version that was here when a listing began, so that what is news in it is known. */
    #newest = "";
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
        new Stream(watch, {
            onEvents: (events) => this.#takeEvents(events),
            onState: (state) => this.#takeState(state),
        }).start();
        this.#tick();
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

    #takeEvents(events) {
        const now = performance.now();
        for (const {type, data} of events) {
            if (type === "put") {
                this.#takePut(data, now);
            } else if (type === "expire") {
                this.board.expire(data);
            } else if (type === "reset") {
                this.#newest = this.#isListed ? this.board.newest(1)[0]?.etag ?? "0" : this.#newest;
                this.board.reset();
                this.#isListed = false;
            } else if (type === "live") {
                this.board.live();
                this.#isListed = true;
                this.whenListed.then(() => this.#askStatus());
            }
        }
        if (this.#isListed) {
            this.#redraw(); // a listing is drawn when it is complete, or with the next second
        }
    }

    /* News is what comes after the first listing, and what a later one has that is newer than all
     * that was here. */
    #takePut(message, now) {
        const entry = this.board.put(message, now);
        if (entry !== null && (this.#isListed || (this.#newest !== "" && entry.etag > this.#newest))) {
            this.onNew(entry);
        }
        this.#wakeBy(now + message.ttl_ms);
    }

    #takeState({isLive, why, isRefused}) {
        this.isLive = isLive;
        if (isRefused) {
            this.#offlineSince ||= performance.now();
            this.#say(`No access. ${why} ${remedy()}`, "refused");
        } else if (isLive) {
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
            const response = await ask("../status", {cache: "no-store"});
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
            // The stream says when the node is not there.
        }
    }

    // -- Time --

    /* The one timer: each second, or sooner when something ends. */
    #tick() {
        const now = performance.now();
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

    /* Draws once a frame, however much has come; a tab behind another one has few frames or none. */
    #redraw() {
        if (this.board.changes !== this.#drawn && this.#frame === 0) {
            this.#frame = requestAnimationFrame(() => this.#draw());
            this.#noFrame = setTimeout(() => this.#draw(), FRAME_WAIT_MS);
        }
    }

    #draw() {
        cancelAnimationFrame(this.#frame);
        clearTimeout(this.#noFrame);
        this.#frame = 0;
        this.#drawn = this.board.changes;
        this.#list.draw();
        this.#find("total").textContent = String(this.board.size);
        this.#find("empty").hidden = this.board.size > 0 || !this.#isListed;
        if (this.#isListed) {
            this.#sayListed();
        }
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
