/* The pages' rules, without a page: what the modules of fade/web export. */
import assert from "node:assert/strict";
import {webcrypto} from "node:crypto";
import {test} from "node:test";

import {fading} from "../../fade/web/board.js";
import {findProblem, formatMessage, keyOfHash, makeKey, ttlChoices, ttlDefault, ttlName}
    from "../../fade/web/compose.js";
import {formatBytes, formatCount, parseMetrics, rate} from "../../fade/web/figures.js";
import {orderPeers} from "../../fade/web/members.js";
import {announcement} from "../../fade/web/news.js";
import {Departures, chooseDrawn, countStates, describe, layOut, shorten} from "../../fade/web/picture.js";
import {plotPaths, plotSpan} from "../../fade/web/plot.js";
import {Board, EventReader, Hub, bareTag, countCharacters, decodeText, formatLeft, parseMessage, readMessage,
        readPut, versionTime} from "../../fade/web/stream.js";
import {until} from "./until.mjs";

const bytes = (text) => new TextEncoder().encode(text);

// ---- Messages ----

test("a message of three parts is text, callsign and location", () => {
    assert.deepEqual(parseMessage("hello|KESTREL|Ridge 4"),
                     {text: "hello", callsign: "KESTREL", location: "Ridge 4"});
    assert.deepEqual(parseMessage("hello||"), {text: "hello", callsign: "", location: ""});
});

test("what is not in the format is shown whole as text", () => {
    for (const value of ["hello", "a|b", "a|b|c|d", `a|${"x".repeat(21)}|c`,
                         `a|b|${"x".repeat(31)}`]) {
        assert.deepEqual(parseMessage(value), {text: value, callsign: "", location: ""});
    }
    assert.equal(parseMessage(`a|${"x".repeat(20)}|${"y".repeat(30)}`).text, "a");
});

test("what the composer writes is read back as it was typed", () => {
    for (const fields of [{text: "hi", callsign: "", location: ""},
                          {text: "a\nb", callsign: "C", location: ""},
                          {text: "ü 😀", callsign: "", location: "L"}]) {
        assert.deepEqual(parseMessage(formatMessage(fields)), fields);
    }
    assert.equal(formatMessage({text: " hi ", callsign: " ", location: ""}), "hi");
});

test("characters are those of Unicode, not UTF-16 units", () => {
    assert.equal(countCharacters("a😀é"), 3);
    assert.equal(countCharacters(""), 0);
});

test("bytes that are no text, and values that were left out, are named and not shown", () => {
    assert.equal(decodeText(new Uint8Array([0xff, 0xfe])), null);
    assert.equal(decodeText(bytes("a\0b")), null);
    assert.equal(readMessage(new Uint8Array([0xff]), 1).text, "(1 bytes, not text)");
    assert.equal(readMessage(null, 99999).text, "(99999 bytes, too large to show here)");
    assert.match(readMessage(bytes("x".repeat(9000)), 9000).text, /^x{4000} … \(9000 bytes in all\)$/);
});

// ---- Times ----

test("what is left is told in the two units that matter, and never below zero", () => {
    const cases = [[-5, "0s"], [999, "0s"], [59999, "59s"], [60000, "1m 00s"], [3599000, "59m 59s"],
                   [3600000, "1h 00m"], [86399000, "23h 59m"], [90000000, "1d 01h"]];
    for (const [ms, text] of cases) {
        assert.equal(formatLeft(ms), text);
    }
});

test("a message dims over its whole life, and its bar runs out in its last seconds", () => {
    assert.deepEqual(fading(3600000, 3600000), {life: 1, ink: 1});
    assert.deepEqual(fading(1800000, 3600000), {life: 0.5, ink: 1});
    assert.equal(fading(15000, 3600000).ink, 1);
    assert.ok(fading(5000, 3600000).ink < 0.5);
    assert.equal(fading(0, 3600000).ink, 0);
    assert.equal(fading(3000, 4000).ink, 1); // the last half of a short life
    assert.deepEqual(fading(0, 0), {life: 0, ink: 0});
});

test("a version says when it was written, in quotes, weakened or bare", () => {
    assert.deepEqual(['"01a"', 'W/"01a"', "01a"].map(bareTag), ["01a", "01a", "01a"]);
    assert.equal(versionTime("019e4a0c8f2b00004be0f1d2c3b4a5968778695a4b3c2d1e"), 0x019e4a0c8f2b);
});

// ---- The event stream ----

const STREAM = "retry: 1000\nid:\nevent: reset\ndata: {\"reason\":\"new\"}\n\n" +
    "event: put\ndata: {\"key\":\"ü\"}\n\nid: 7-1\nevent: live\ndata: {}\n\n:\n\nid: 7-9\n:\n\n" +
    "id: 7-10\r\nevent: expire\r\ndata: a\r\ndata: b\r\n\r\n";

test("events come out whole, however the stream is cut", () => {
    const wanted = [{type: "reset", data: "{\"reason\":\"new\"}"}, {type: "put", data: "{\"key\":\"ü\"}"},
                    {type: "live", data: "{}"}, {type: "expire", data: "a\nb"}];
    for (const size of [1, 2, 3, 7, 64, STREAM.length]) {
        const reader = new EventReader();
        const events = [];
        for (let at = 0; at < STREAM.length; at += size) {
            events.push(...reader.push(STREAM.slice(at, at + size)));
        }
        assert.deepEqual(events, wanted);
        assert.equal(reader.lastId, "7-10");
    }
});

test("an id counts when its block is complete, with an event in it or not", () => {
    const reader = new EventReader("7-3");
    reader.push("id: 7-4\ndata: x\n");
    assert.equal(reader.lastId, "7-3");
    reader.push("\nid: 7-9\n:\n\n");
    assert.equal(reader.lastId, "7-9");
    reader.push("id:\nevent: reset\ndata: {}\n\n");
    assert.equal(reader.lastId, "");
});

test("what the node says of the next try is heard", () => {
    const reader = new EventReader();
    assert.equal(reader.retry_ms, 0);
    reader.push("retry: 5000\nretry: 5x\nretry:\n");
    assert.equal(reader.retry_ms, 5000);
});

// ---- The board ----

const version = (ms, origin = "0") => ms.toString(16).padStart(12, "0") + "0000" + origin.repeat(32);
const event = (key, ms, ttl_ms, text = key) => ({key, ttl_ms, etag: version(ms), size: text.length,
                                                 value: Buffer.from(text).toString("base64")});
const put = (...given) => readPut(event(...given));
const keys = (board) => board.newest(board.size).map((entry) => entry.key);

test("the newest version stands first, in whatever order entries come", () => {
    const board = new Board();
    for (const ms of [3, 1, 5, 2, 4]) {
        board.put(put(`k${ms}`, ms, 1000), 0);
    }
    assert.deepEqual(keys(board), ["k5", "k4", "k3", "k2", "k1"]);
    assert.deepEqual(board.newest(2).map((entry) => entry.key), ["k5", "k4"]);
});

test("a key has one entry: the newest version of those that came", () => {
    const board = new Board();
    assert.equal(board.put(put("a", 2, 1000, "new"), 0).text, "new");
    assert.equal(board.put(put("a", 1, 9000, "old"), 0), null);
    assert.equal(board.put(put("a", 2, 500, "new"), 100), null); // the same again: its time is corrected
    assert.equal(board.get("a").endsAt, 600);
    assert.equal(board.put(put("a", 3, 1000, "newer"), 0).text, "newer");
    assert.equal(board.size, 1);
});

test("an expiry takes the version that it names, and no newer one", () => {
    const board = new Board();
    board.put(put("a", 2, 1000), 0);
    board.expire({key: "a", etag: version(1)});
    assert.equal(board.size, 1);
    board.expire({key: "a", etag: `"${version(2)}"`});
    assert.equal(board.size, 0);
    board.expire({key: "a", etag: version(2)});
});

test("entries end by the page's own clock too, to the millisecond", () => {
    const board = new Board();
    board.put(put("a", 1, 1000), 50);
    board.put(put("b", 2, 5000), 50);
    assert.equal(board.put(put("c", 3, 0), 50), null);
    assert.equal(board.sweep(1049), 1050);
    assert.equal(board.sweep(1050), 5050);
    assert.deepEqual(keys(board), ["b"]);
    assert.equal(board.sweep(6000), Infinity);
    assert.equal(board.size, 0);
});

test("a reset keeps what is here until the listing is complete, then what was in it", () => {
    const board = new Board();
    board.put(put("a", 1, 1000), 0);
    board.put(put("b", 2, 1000), 0);
    board.reset();
    board.put(put("b", 2, 900), 100);
    board.put(put("c", 3, 1000), 100);
    assert.deepEqual(keys(board), ["c", "b", "a"]);
    board.live();
    assert.deepEqual(keys(board), ["c", "b"]);
    board.live(); // a resumed stream says it without a reset
    assert.deepEqual(keys(board), ["c", "b"]);
});

test("a key that is listed in an older version than the one that is here stays", () => {
    const board = new Board();
    board.put(put("a", 2, 1000, "new"), 0);
    board.reset();
    assert.equal(board.put(put("a", 1, 9000, "old"), 0), null);
    board.live();
    assert.deepEqual([board.get("a").text, board.get("a").endsAt], ["new", 1000]);
});

test("a board holds 10,000 entries, and drops the oldest", () => {
    const board = new Board();
    for (let ms = 1; ms <= 10001; ms++) {
        board.put(put(`k${ms}`, ms, 1000, "x"), 0);
    }
    assert.equal(board.size, 10000);
    assert.equal(board.get("k1"), undefined);
    assert.notEqual(board.get("k2"), undefined);
});

test("versions that differ only in their origin stand side by side", () => {
    const board = new Board();
    board.put({...put("a", 1, 1000), etag: version(1, "a")}, 0);
    board.put({...put("b", 1, 1000), etag: version(1, "b")}, 0);
    board.expire({key: "a", etag: version(1, "a")});
    assert.deepEqual(keys(board), ["b"]);
});

test("what a board holds goes into another one as it is, but for what is over or was not listed", () => {
    const [board, other] = [new Board(), new Board()];
    board.put(put("not listed again", 1, 9000), 0);
    board.reset();
    board.put(put("brief", 2, 100), 0);
    board.put(put("a", 3, 1000, "text|CALL|Place"), 0);
    for (const message of board.listing(100)) {
        other.put(message, 5000);
    }
    assert.deepEqual(keys(other), ["a"]);
    const {round: _, ...entry} = other.get("a");
    assert.deepEqual(entry, {key: "a", etag: version(3), size: 15, text: "text", callsign: "CALL",
                             location: "Place", endsAt: 5900});
});

test("a put under a key that is no text is no message", () => {
    assert.equal(readPut({...event("a", 1, 1000), key: undefined, key_base64: "/w=="}), null);
});

// ---- One stream for all tabs ----

/* What the hub asks for, in the place of the node: each request with its headers and what is written
 * to its answer. */
function listenInstead(t) {
    const asked = [];
    t.mock.method(globalThis, "fetch", async (url, {headers, signal}) => {
        let body = null;
        const stream = new ReadableStream({start: (controller) => (body = controller)});
        const request = {url, headers, signal, say: (text) => body.enqueue(new TextEncoder().encode(text))};
        signal.addEventListener("abort", () => body.error(new Error("aborted")));
        asked.push(request);
        return new Response(stream, {headers: {"Content-Type": "text/event-stream"}});
    });
    return asked;
}

/* A tab of the hub, until the end of the test: it answers beats unless it `isDeaf`, and notes what it
 * is told. */
function openTab(t, hub, isVisible) {
    const {port1, port2} = new MessageChannel();
    const tab = {events: [], states: [], isDeaf: false, beats: 0,
                 say: (what) => port2.postMessage(what)};
    port2.onmessage = ({data}) => {
        tab.events.push(...(data.events ?? []).map(({type, data: {key}}) => `${type} ${key ?? ""}`.trim()));
        tab.states.push(...(data.state === undefined ? [] : [data.state.isLive]));
        tab.why = data.state?.why ?? tab.why;
        tab.beats += data.isBeat ? 1 : 0;
        if (data.isBeat && !tab.isDeaf) {
            tab.say({isVisible});
        }
    };
    hub.take(port1);
    tab.say({isVisible});
    const isClosed = new Promise((resolve) => port2.once("close", resolve));
    t.after(() => {
        tab.say({isOver: true});
        return isClosed; // so that the hub has let go of the stream while it is still in its place
    });
    return tab;
}

const line = (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
const LISTING = `id:\n${line("reset", {})}${line("put", event("a", 1, 60000))}id: 7-1\n${line("live", {})}`;

test("tabs share a stream, and one that comes later is told what the others know", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1");
    const [first, hidden] = [openTab(t, hub, true), openTab(t, hub, false)];
    await until(() => asked.length > 0, "the stream is asked for");
    asked[0].say(LISTING);
    await until(() => hidden.events.length === 4, "the hidden one has it too");
    const late = openTab(t, hub, true);
    await until(() => late.events.length > 0, "the late one is greeted");
    for (const tab of [first, hidden]) {
        assert.deepEqual(tab.events, ["reset", "reset", "put a", "live"]);
    }
    assert.deepEqual(late.events, ["reset", "put a", "live"]);
    assert.deepEqual(late.states, [true]);
    asked[0].say(`id: 7-2\n${line("put", event("b", 2, 60000))}id: 7-3\n${line("expire", event("a", 1, 0))}`);
    for (const tab of [first, hidden, late]) {
        await until(() => tab.events.length > 1 && tab.events.at(-1) === "expire a", "all have the rest");
    }
    const last = openTab(t, hub, true);
    await until(() => last.events.length === 3, "the last one is greeted");
    assert.deepEqual(last.events, ["reset", "put b", "live"]);
    assert.equal(asked.length, 1);
    [first, hidden, late, last].forEach((tab) => tab.say({isOver: true}));
    await until(() => asked[0].signal.aborted, "without a tab there is no stream");
});

test("a stream is asked for with the token, and a refusal is told apart from an absence", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1", {token: "rt1_a"});
    openTab(t, hub, true);
    await until(() => asked.length > 0, "the stream is asked for");
    assert.equal(asked[0].headers.Authorization, "Bearer rt1_a");
    const {port1, port2} = new MessageChannel();
    const states = [];
    port2.onmessage = ({data}) => data.state !== undefined && states.push(data.state);
    t.mock.method(globalThis, "fetch", async (_, {headers}) => {
        assert.equal(headers.Authorization, undefined);
        return Response.json({code: "unauthorized", detail: "Who is it?"}, {status: 401});
    });
    new Hub("http://node/watch?prefix=&values=1").take(port1, {isVisible: true});
    await until(() => states.length > 0, "the refusal is told");
    assert.deepEqual(states[0], {isLive: false, why: "Who is it?", isRefused: true});
    port2.postMessage({isOver: true});
    await new Promise((resolve) => port2.once("close", resolve));
});

test("a stream that nobody looks at is let go, and goes on where it was", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1", {hidden_ms: 20});
    const tab = openTab(t, hub, true);
    await until(() => asked.length === 1, "the stream is asked for");
    asked[0].say(LISTING);
    await until(() => tab.events.length === 4, "the listing is here");
    tab.say({isVisible: false});
    await until(() => asked[0].signal.aborted, "it is let go");
    tab.say({isVisible: true});
    await until(() => asked.length === 2, "it is asked for again");
    assert.deepEqual(asked[1].headers, {"Last-Event-ID": "7-1"});
    assert.deepEqual(tab.states, [true]); // nobody was told that it was offline
});

test("tabs that are hidden from the start ask for nothing", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1", {hidden_ms: 1});
    const tab = openTab(t, hub, false);
    await until(() => tab.events.length === 1, "it is greeted");
    assert.equal(asked.length, 0);
    openTab(t, hub, true);
    await until(() => asked.length === 1, "the one that is seen asks");
});

test("a tab that answers no beat is told nothing more, until it says a word", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1", {beat_ms: 5});
    const [well, deaf] = [openTab(t, hub, true), openTab(t, hub, true)];
    deaf.isDeaf = true;
    await until(() => well.beats > 20, "beats go on");
    assert.equal(deaf.beats, 3);
    asked[0].say(LISTING);
    await until(() => well.events.at(-1) === "live", "the listing is here");
    assert.deepEqual(deaf.events, ["reset"]);
    deaf.isDeaf = false;
    deaf.say({isVisible: true});
    await until(() => deaf.events.length === 4, "it is greeted again");
    assert.deepEqual(deaf.events, ["reset", "reset", "put a", "live"]);
});

test("a stream that cannot be read is told of, and asked for less and less often", async (t) => {
    const asked = listenInstead(t);
    t.mock.method(Math, "random", () => 0.5);
    const [set, waits] = [setTimeout, []];
    t.mock.method(globalThis, "setTimeout", (wake, ms) => {
        const isRest = [250, 500, 1000, 2000].includes(ms);
        waits.push(...(isRest ? [ms] : []));
        return set(wake, isRest ? 1 : ms);
    });
    const tab = openTab(t, new Hub("http://node/watch?prefix=&values=1"), true);
    const garbage = ["event: put\ndata: {\"key\n\n", LISTING, line("put", null), line("end", null)];
    for (const [i, text] of garbage.entries()) {
        await until(() => asked.length === i + 1, "the stream is asked for");
        asked[i].say(text);
        if (text === LISTING) {
            await until(() => tab.events.includes("put a"), "what can be read is");
            asked[i].say("event: put\ndata: ?\n\n");
        }
        await until(() => asked[i].signal.aborted, "the connection is let go");
        await until(() => tab.why === "What this node sends cannot be read.", "and the page says why");
    }
    await until(() => waits.length === 4, "it rests each time");
    assert.deepEqual(waits, [250, 500, 1000, 2000]);
});

test("when the machine has slept everything is asked for anew", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&values=1", {beat_ms: 5});
    const tab = openTab(t, hub, true);
    await until(() => asked.length === 1, "the stream is asked for");
    asked[0].say(LISTING);
    await until(() => tab.events.length === 4, "the listing is here");
    const now = Date.now;
    t.mock.method(Date, "now", () => now() + 3600000);
    await until(() => asked.length === 2, "it is asked for again");
    assert.deepEqual(asked[1].headers, {});
});

test("a stream without a listing is passed on as it is", async (t) => {
    const asked = listenInstead(t);
    const hub = new Hub("http://node/watch?prefix=&snapshot=0");
    const tab = openTab(t, hub, true);
    await until(() => asked.length === 1, "the stream is asked for");
    asked[0].say(line("put", {key_base64: "/w==", size: 1}) + line("live", {}));
    await until(() => tab.events.length === 2, "it is passed on");
    const late = openTab(t, hub, true);
    await until(() => late.states.length === 1, "the late one knows that it is live");
    assert.deepEqual(late.events, []);
});

// ---- Writing ----

test("only times that the node takes are offered", () => {
    const names = (min_ttl_s, max_ttl_s) => ttlChoices({min_ttl_s, max_ttl_s}).map(ttlName);
    assert.deepEqual(names(300, 86400), ["5 minutes", "30 minutes", "1 hour", "6 hours", "1 day"]);
    assert.deepEqual(names(1, 604800).slice(0, 1), ["1 minute"]);
    assert.equal(names(1, 604800).at(-1), "7 days");
    assert.deepEqual(names(5, 20), ["5 seconds", "20 seconds"]);
    assert.deepEqual(names(90, 90), ["90 seconds"]);
});

test("the time that is chosen at first is the one nearest to the node's default", () => {
    assert.equal(ttlDefault([300, 1800, 3600], {default_ttl_s: 3600}), 3600);
    assert.equal(ttlDefault([300, 1800, 3600], {default_ttl_s: 400}), 300);
});

test("a bar is refused in each field, and the word says why", () => {
    const good = {text: "t", callsign: "c", location: "l"};
    assert.equal(findProblem(good, true), null);
    for (const field of Object.keys(good)) {
        const problem = findProblem({...good, [field]: "a|b"}, false);
        assert.equal(problem.field, field);
        assert.match(problem.why, /separates message, callsign and location/);
    }
});

test("lengths are counted in characters, up to the limit and no further", () => {
    const fields = {text: "😀".repeat(280), callsign: "c".repeat(20), location: "l".repeat(30)};
    assert.equal(findProblem(fields, true), null);
    for (const [field, more] of [["text", "😀"], ["callsign", "c"], ["location", "l"]]) {
        const problem = findProblem({...fields, [field]: fields[field] + more}, true);
        assert.deepEqual([problem.field, /1 character too long/.test(problem.why)], [field, true]);
    }
});

test("an empty message is a problem only when it is sent", () => {
    const empty = {text: " \n", callsign: "", location: ""};
    assert.equal(findProblem(empty, false), null);
    assert.equal(findProblem(empty, true).field, "text");
});

test("keys have the form that Fade's clients always gave them", () => {
    const random = (array) => array.map((_, i) => 4000000000 + i);
    assert.match(makeKey("msg-", random), /^msg-[a-z]+-[a-z]+-[1-9][0-9]{3}$/);
    const made = new Set(Array.from({length: 200}, () =>
        makeKey("msg-", (array) => webcrypto.getRandomValues(array))));
    assert.ok(made.size > 190);
});

test("a fragment names a key, percent-encoded or broken", () => {
    assert.equal(keyOfHash("#msg-a%20b%2Fc"), "msg-a b/c");
    assert.equal(keyOfHash(""), "");
    assert.equal(keyOfHash("#%ff"), "");
});

// ---- News and network ----

test("an announcement tells the last of the messages that came", () => {
    assert.equal(announcement([{callsign: "", text: "hi"}]), "New message from anonymous: hi");
    assert.equal(announcement([{callsign: "A", text: "1"}, {callsign: "B", text: "2"}]),
                 "2 new messages, the last from B: 2");
});

test("figures without labels are read from a page of metrics", () => {
    const figures = parseMetrics("# HELP a b\na_total 12\nb{c=\"d\"} 5\nc_seconds 1.5e-3\n");
    assert.deepEqual([...figures], [["a_total", 12], ["c_seconds", 0.0015]]);
});

test("a counter that began anew has no rate", () => {
    assert.equal(rate(10, 30, 2), 10);
    assert.ok(Number.isNaN(rate(30, 10, 2)));
    assert.ok(Number.isNaN(rate(10, 30, 0)));
    assert.ok(Number.isNaN(rate(undefined, 30, 2)));
});

test("bytes and counts are short", () => {
    assert.deepEqual([0, 1023, 1536, 268435456].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "256 MiB"]);
    assert.deepEqual([0, 0.25, 7, 12.3, 12345, 250000].map(formatCount),
                     ["0", "0.3", "7", "12", "12.3k", "250k"]);
});

const SIZES = [[240, 300], [326, 326], [560, 440], [720, 440]];

test("each member has a place of its own, inside the picture, on whatever screen", () => {
    for (const [width, height] of SIZES) {
        for (const count of [0, 1, 2, 3, 10, 11, 40, 41, 300, 600, 612]) {
            const {places, size} = layOut(count, width, height);
            assert.equal(places.length, count);
            places.forEach((a, i) => {
                assert.ok(Math.abs(a.x) + size <= width / 2 && Math.abs(a.y) + size <= height / 2);
                assert.ok(Math.hypot(a.x, a.y) > 14 + size); // the node itself is in the middle
                assert.ok(places.every((b, k) => k <= i || Math.hypot(a.x - b.x, a.y - b.y) > 2 * size),
                          `${count} on ${width} x ${height}: ${i} overlaps`);
            });
        }
    }
});

test("names stand beside a few, under them on a phone, along the rays of forty, and then nowhere", () => {
    const names = (count, [width, height]) => layOut(count, width, height).names;
    assert.deepEqual([10, 11, 40, 41].map((count) => names(count, [560, 440])),
                     ["beside", "along", "along", "none"]);
    assert.deepEqual([10, 11, 40, 41].map((count) => names(count, [326, 326])),
                     ["under", "along", "along", "none"]);
    assert.deepEqual([34, 35].map((count) => names(count, [240, 300])), ["along", "none"]);
});

test("a long name keeps its beginning and its end", () => {
    assert.equal(shorten("node-1", 6), "node-1");
    assert.equal(shorten("repram-5d4f8-x2x9k", 9), "repr…2x9k");
    assert.equal(shorten("😀😀😀😀", 3), "😀…😀");
    assert.equal(shorten("abc", 1), "a…c"); // less than this is no name
});

const peer = (uuid, state = "alive", heard_ms = 0) => (
    {uuid, id: `n-${uuid}`, port: 1, state, last_seen: new Date(-heard_ms).toISOString()});
const age = ({last_seen}) => -Date.parse(last_seen);
const drawn = (peers, linked = new Set()) => chooseDrawn(peers, linked, age).map(({uuid}) => uuid);

test("of those who have gone the last twelve are drawn, for five minutes", () => {
    const gone = Array.from({length: 20}, (_, i) => peer(`g${i}`, i % 2 ? "dead" : "left", 1000 * i));
    assert.deepEqual(drawn([peer("a"), ...gone]), ["a", ...Array.from({length: 12}, (_, i) => `g${i}`)]);
    assert.deepEqual(drawn([peer("a"), peer("b", "dead", 299999), peer("c", "left", 300000)]), ["a", "b"]);
});

test("on one circle all stand by name; on several, neighbours stand inside and the gone outside", () => {
    const few = [peer("c", "dead"), peer("b"), peer("a")];
    assert.deepEqual(drawn(few, new Set(["b"])), ["a", "b", "c"]);
    const many = Array.from({length: 41}, (_, i) => peer(`m${i}`));
    const order = drawn([peer("gone", "left"), ...many], new Set(["m40"]));
    assert.deepEqual([order.length, order[0], order.at(-1)], [42, "m40", "gone"]);
});

test("more than six hundred are not drawn, but neighbours and trouble", () => {
    const all = (count) => Array.from({length: count}, (_, i) => peer(`m${i}`, i === 9 ? "suspect" : "alive"));
    assert.equal(drawn(all(600)).length, 600);
    assert.deepEqual(drawn(all(601), new Set(["m3"])), ["m3", "m9"]);
});

test("a member has been gone since the page saw it go, or since it was last heard if that was later", () => {
    const departures = new Departures();
    departures.note([peer("a"), peer("b", "dead", 70000)], 1000);
    departures.note([peer("a", "dead", 90000), peer("b", "dead", 70000)], 5000);
    departures.note([peer("a", "dead", 90000), peer("b", "dead", 70000)], 8000);
    assert.equal(departures.age(peer("a", "dead", 90000), 0, 9000), 4000);
    assert.equal(departures.age(peer("a", "dead", 300), 0, 9000), 300);
    assert.equal(departures.age(peer("b", "dead", 70000), 0, 9000), 70000);
    departures.note([peer("b")], 9000);
    departures.note([peer("a", "dead", 90000)], 10000);
    assert.equal(departures.age(peer("a", "dead", 90000), 0, 11000), 90000); // forgotten meanwhile
});

test("states are counted with this node among the living, and those that nobody is in left out", () => {
    assert.deepEqual(countStates({alive: 2, suspect: 0, dead: 0, left: 0}), [["alive", 3]]);
    assert.deepEqual(countStates({alive: 0, suspect: 1, dead: 2, left: 3}),
                     [["alive", 1], ["suspect", 1], ["dead", 2], ["left", 3]]);
});

test("a plot shows a minute at first, and up to five", () => {
    assert.deepEqual([0, 60000, 60001, 150000, 200000, 900000].map(plotSpan),
                     [60000, 60000, 120000, 180000, 300000, 300000]);
});

const samples = (...values) => values.map((value, i) => ({value, at: 2000 * i}));

test("a plot's line stands where its figures do, and has gaps where they are missing", () => {
    const at = {now: 6000, span_ms: 60000, top: 4};
    assert.deepEqual(plotPaths([], at), {line: "", area: ""});
    assert.deepEqual(plotPaths(samples(4).map(({value}) => ({value, at: 6000})), at),
                     {line: "M240.0 3.0", area: "M240.0 53L240.0 3.0L240.0 53Z"});
    assert.equal(plotPaths(samples(0, 2, NaN, 4), at).line, "M216.0 53.0L224.0 28.0M240.0 3.0");
    assert.equal(plotPaths(samples(0, 2, NaN, 4), at).area,
                 "M216.0 53L216.0 53.0L224.0 28.0L224.0 53ZM240.0 53L240.0 3.0L240.0 53Z");
});

test("figures with nobody asking between them are not joined", () => {
    const far = [{value: 1, at: 0}, {value: 1, at: 7000}, {value: 1, at: 14001}];
    assert.match(plotPaths(far, {now: 14001, span_ms: 60000, top: 1}).line, /^M[\d. ]+L[\d. ]+M[\d. ]+$/);
});

test("members that need attention are listed first, and of the gone the last one", () => {
    const peers = [["b-10", "alive"], ["b-2", "alive"], ["c", "dead"], ["d", "suspect"], ["e", "dead"]]
        .map(([id, state], port) => ({id, state, port, last_seen: new Date(port).toISOString()}));
    assert.deepEqual(orderPeers(peers).map(({id}) => id), ["d", "b-2", "b-10", "e", "c"]);
    assert.equal(describe({node_id: "a"}, peers, new Set(["x"])),
                 "a and 5 other members: 2 alive, 2 dead, 1 suspect; linked to 1.");
});
