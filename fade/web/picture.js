/*
 * The picture of the members: circles around the node that shows it. Where they stand is worked out
 * by functions that know no document; the class at the end draws it, in the pixels of the screen, so
 * that names are as large on a phone as on a desk.
 */

/* So many have their names and round trips beside them, or under them where the screen is narrow. */
const BESIDE_MAX = 10;
const NARROW = 480;
/* So many stand on one circle, with their names along the rays; more are dots, on several. */
const CIRCLE_MAX = 40;
/* More than this say nothing to an eye: only links and trouble are drawn, the table has the rest. */
const DRAWN_MAX = 600;
/* Those who have died or left stay for a while, so that one sees it happen, and a few only: on a
 * cluster that is renewed all the time they would be most of the picture. */
const GONE_SHOWN_MS = 5 * 60 * 1000;
const GONE_MAX = 12;
/* More writes at once than an eye can follow are only counted. */
const PULSES_MAX = 24;

/* Widths of a letter, and heights of a line, of the two sizes of names (.picture text, .small). */
const LETTER = {large: 7.9, small: 6.7};
const ALONG_LINE = 12;

export const isGone = (peer) => peer.state === "dead" || peer.state === "left";

/* By name and port, numbers by their value. */
export function byName(a, b) {
    return a.id.localeCompare(b.id, undefined, {numeric: true}) || a.port - b.port;
}

/* Those who are in the picture, in their order: by name on one circle, so that nobody moves when he
 * dies; on several, those with a link first, who then stand inside. `age` says for how many ms one
 * has been gone. */
export function chooseDrawn(peers, linked, age) {
    const present = peers.filter((peer) => !isGone(peer));
    const all = present.length <= DRAWN_MAX ? present : present.filter(
        (peer) => linked.has(peer.uuid) || peer.state === "suspect").slice(0, DRAWN_MAX);
    const gone = peers.filter((peer) => isGone(peer) && age(peer) < GONE_SHOWN_MS)
        .sort((a, b) => age(a) - age(b)).slice(0, GONE_MAX);
    const rank = (peer) => (linked.has(peer.uuid) ? 0 : isGone(peer) ? 2 : 1);
    const drawn = [...all, ...gone].sort(byName);
    return drawn.length <= CIRCLE_MAX ? drawn : drawn.sort((a, b) => rank(a) - rank(b));
}

/* Each circle is turned by this against the one inside, or rays would go through several dots. */
const TURN = 0.37;

/* `count` places on circles as far from each other as the room allows; the last has radius `outer`. */
function onCircles(count, inner, outer) {
    let gap = 30;
    let radii = [];
    let room = [];
    do {
        gap *= 0.94;
        const circles = 1 + Math.floor((outer - inner) / gap);
        radii = Array.from({length: circles}, (_, i) => outer - (circles - 1 - i) * gap);
        room = radii.map((radius) => Math.floor((2 * Math.PI * radius) / gap));
    } while (room.reduce((sum, here) => sum + here, 0) < count);
    const places = [];
    let left = room.reduce((sum, here) => sum + here, 0);
    radii.forEach((radius, circle) => {
        // Each circle takes its share of those who are still to be placed.
        const here = Math.min(room[circle], Math.ceil(((count - places.length) * room[circle]) / left));
        left -= room[circle];
        places.push(...onCircle(here, radius, circle * TURN));
    });
    return {places, size: Math.min(7, Math.max(1.5, gap * 0.3))};
}

/* The first one stands above; two stand left and right, for screens are wide and so are names. */
function onCircle(count, radius, turn = 0) {
    return Array.from({length: count}, (_, i) => {
        const angle = (count === 2 ? -Math.PI : -Math.PI / 2) + turn + (2 * Math.PI * i) / count;
        return {x: radius * Math.cos(angle), y: radius * Math.sin(angle), angle};
    });
}

/*
 * Where `count` members stand in a picture of this size, whose middle is 0, 0: {places, size, names,
 * letters}. `names` is "beside", "under", "along" (the rays) or "none"; at most `letters` fit.
 */
export function layOut(count, width, height) {
    const half = Math.min(width, height) / 2;
    if (count <= BESIDE_MAX && width < NARROW) {
        const radius = Math.min(width / 2 - 52, height / 2 - 52);
        const room = Math.min(width - 2 * radius, count > 1 ? 2 * radius * Math.sin(Math.PI / count) : width);
        return {places: onCircle(count, radius), size: 9, names: "under",
                letters: Math.floor(room / LETTER.large)};
    }
    if (count <= BESIDE_MAX) {
        const radius = Math.max(56, Math.min(width / 2 - 130, height / 2 - 58));
        return {places: onCircle(count, radius), size: 9, names: "beside",
                letters: Math.floor((width / 2 - radius - 20) / LETTER.large)};
    }
    const radius = half - Math.min(100, 0.45 * half); // the rest is for names
    if (count <= CIRCLE_MAX && (2 * Math.PI * radius) / count >= ALONG_LINE) {
        return {places: onCircle(count, radius), size: 6, names: "along",
                letters: Math.floor((half - radius - 16) / LETTER.small)};
    }
    return {...onCircles(count, 52, half - 12), names: "none", letters: 0};
}

/* A name that fits: its beginning and its end, which is where names of members differ. */
export function shorten(name, letters) {
    const signs = [...name];
    if (signs.length <= letters) {
        return name;
    }
    const tail = Math.max(1, Math.floor((letters - 1) / 2));
    return `${signs.slice(0, Math.max(1, letters - 1 - tail)).join("")}…${signs.slice(-tail).join("")}`;
}

/*
 * For how long members have been gone: since this page saw them go, or since the node last heard them
 * if that was later, or before the page was there.
 */
export class Departures {
    #living = new Set();
    #wentAt = new Map();

    /* What /peers says at an instant of the page's clock. */
    note(peers, at) {
        const wentAt = new Map();
        for (const {uuid} of peers.filter(isGone)) {
            const before = this.#wentAt.get(uuid) ?? (this.#living.has(uuid) ? at : undefined);
            if (before !== undefined) {
                wentAt.set(uuid, before);
            }
        }
        this.#wentAt = wentAt;
        this.#living = new Set(peers.filter((peer) => !isGone(peer)).map((peer) => peer.uuid));
    }

    /* `now` is the cluster's time, `at` the page's. */
    age(peer, now, at) {
        return Math.min(now - Date.parse(peer.last_seen), at - (this.#wentAt.get(peer.uuid) ?? -Infinity));
    }
}

/* How many are in each state, this node among the living. */
export function countStates(membership) {
    return [["alive", membership.alive + 1], ["suspect", membership.suspect],
            ["dead", membership.dead], ["left", membership.left]]
        .filter(([state, count]) => count > 0 || state === "alive");
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

// ---- Drawing ----

export function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
        made.setAttribute(key, value);
    }
    if (text !== undefined) {
        made.textContent = text;
    }
    return made;
}

/* What stands for a member of a state, in the picture and in its legend: states differ in form too. */
export function mark(state, size) {
    const group = shape("g", {class: `mark ${state}`});
    group.append(shape("circle", {r: state === "left" ? size * 0.75 : size}));
    if (state === "dead") {
        const arm = size * 0.55;
        group.append(shape("path", {d: `M${-arm} ${-arm}L${arm} ${arm}M${arm} ${-arm}L${-arm} ${arm}`}));
    }
    return group;
}

/* Drawn anew when members, their states or its width have changed. */
export class Picture {
    #place;
    #drawn = "";
    #draw = () => {};
    #spots = new Map();
    #departures = new Departures();
    #moving = shape("g", {});
    #isCalm = matchMedia("(prefers-reduced-motion: reduce)");

    constructor(place) {
        this.#place = place;
        new ResizeObserver(() => this.#draw()).observe(place.parentElement);
    }

    show(status, peers) {
        const linked = new Set(status.links.map((link) => link.uuid));
        this.#departures.note(peers, performance.now());
        this.#draw = () => this.#drawIfNew(status, peers, linked);
        this.#draw();
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

    #drawIfNew(status, peers, linked) {
        const width = Math.max(240, this.#place.parentElement.clientWidth - 2);
        const height = Math.round(Math.min(440, Math.max(300, width * (width < NARROW ? 1 : 0.8))));
        const [now, at] = [Date.parse(status.clock.time), performance.now()];
        const drawn = chooseDrawn(peers, linked, (peer) => this.#departures.age(peer, now, at));
        const seen = drawn.map((peer) => [peer.uuid, peer.id, peer.state, shortTrip(peer),
                                          linked.has(peer.uuid)]);
        const title = describe(status, peers, linked);
        const picture = JSON.stringify([width, height, status.uuid, status.node_id, status.state, title,
                                        seen]);
        if (picture !== this.#drawn) {
            this.#drawn = picture;
            this.#place.setAttribute("viewBox", `${-width / 2} ${-height / 2} ${width} ${height}`);
            this.#place.setAttribute("height", height);
            this.#fill(status, drawn, linked, title, layOut(drawn.length, width, height));
        }
    }

    #fill(status, drawn, linked, title, layout) {
        const lines = shape("g", {});
        const dots = shape("g", {});
        this.#spots.clear();
        drawn.forEach((peer, i) => {
            const at = layout.places[i];
            this.#spots.set(peer.uuid, at);
            if (linked.has(peer.uuid)) {
                lines.append(shape("path", {class: "link", d: `M0 0L${at.x} ${at.y}`}));
            }
            dots.append(member(peer, at, layout));
        });
        this.#place.replaceChildren(shape("title", {id: "picture-text"}, title), lines, this.#moving, dots,
                                    self(status));
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
    group.append(mark(status.state === "ready" ? "alive" : "suspect", 14),
                 shape("text", {y: 34, "text-anchor": "middle"}, shorten(status.node_id, 20)));
    return group;
}

function shortTrip(peer) {
    return peer.rtt_ms > 0 ? `${peer.rtt_ms.toFixed(1)} ms` : "";
}

function member(peer, at, {size, names, letters}) {
    const group = shape("g", {transform: `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`});
    group.append(shape("title", {}, `${peer.id}, ${peer.address}:${peer.port}, ${peer.state}`),
                 mark(peer.state, size));
    if (names === "beside") {
        nameBeside(group, peer, at, letters);
    } else if (names === "under") {
        addName(group, peer, {x: 0, y: at.y < -1 ? -32 : 25, "text-anchor": "middle"}, letters);
    } else if (names === "along") {
        const isLeft = Math.cos(at.angle) < -0.001;
        const turn = (at.angle * 180) / Math.PI + (isLeft ? 180 : 0);
        group.append(shape("text", {class: `small ${peer.state}`, x: isLeft ? -11 : 11, y: 4,
                                    "text-anchor": isLeft ? "end" : "start",
                                    transform: `rotate(${turn.toFixed(1)})`},
                           shorten(peer.id, letters)));
    }
    return group;
}

/* The name, and below it the round trip or what is wrong. Above and below the node the middle is
 * where there is room, elsewhere the side. */
function nameBeside(group, peer, at, letters) {
    const side = Math.cos(at.angle);
    const anchor = side > 0.3 ? "start" : side < -0.3 ? "end" : "middle";
    const x = anchor === "start" ? 16 : anchor === "end" ? -16 : 0;
    const y = anchor !== "middle" ? 0 : at.y < 0 ? -32 : 26;
    addName(group, peer, {x, y, "text-anchor": anchor},
            anchor === "middle" ? Math.max(letters, 18) : letters);
}

function addName(group, peer, where, letters) {
    group.append(shape("text", where, shorten(peer.id, letters)),
                 shape("text", {...where, y: where.y + 15, class: `small ${peer.state}`},
                       peer.state === "alive" ? shortTrip(peer) : peer.state));
}
