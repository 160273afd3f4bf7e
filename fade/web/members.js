/*
 * The table of the other members. Rows stay where they are and only what has changed in them is
 * written, so that one can select in it and a screen reader keeps its place.
 */
import {element} from "./board.js";
import {formatBytes, formatCount} from "./figures.js";
import {byName, isGone} from "./picture.js";
import {formatLeft} from "./stream.js";

const SHOWN_FIRST = 50;
const SHOWN_MORE = 200;

const STATE_ORDER = ["suspect", "alive", "dead", "left"];

/* Those who need attention first, then by name and port; of those who have gone the last one first. */
export function orderPeers(peers) {
    const rank = (peer) => STATE_ORDER.indexOf(peer.state);
    return [...peers].sort((a, b) => rank(a) - rank(b) ||
        (isGone(a) ? Date.parse(b.last_seen) - Date.parse(a.last_seen) : 0) || byName(a, b));
}

function ago(time, now) {
    const ms = now - Date.parse(time);
    return ms < 2000 ? "now" : `${formatLeft(ms)} ago`;
}

/* What a row says, by column; the names of the columns stand again in each cell, for phones. */
const COLUMNS = [
    ["Member", (peer) => peer.id],
    ["Address", (peer) => `${peer.address.includes(":") ? `[${peer.address}]` : peer.address}:${peer.port}`],
    ["State", (peer) => peer.state],
    ["Round trip", (peer) => (peer.rtt_ms > 0 && !isGone(peer) ? `${peer.rtt_ms.toFixed(2)} ms` : "")],
    ["Heard", (peer, link, now) => ago(peer.last_seen, now)],
    ["Link up", (peer, link, now) => (link ? formatLeft(now - Date.parse(link.up_since)) : "")],
    ["In", (peer, link) => (link ? formatBytes(link.bytes_in) : "")],
    ["Out", (peer, link) => (link ? formatBytes(link.bytes_out) : "")],
    ["Waiting", (peer, link) => (link ? formatCount(link.queued + link.unacked) : "")],
];

export class MemberTable {
    #place;
    #more;
    #rows = new Map();
    #shown = SHOWN_FIRST;
    #draw = () => {};

    constructor(place, more) {
        this.#place = place;
        this.#more = more;
        more.addEventListener("click", () => {
            const first = this.#shown;
            this.#shown += SHOWN_MORE;
            this.#draw();
            this.#place.children[first]?.focus({preventScroll: true});
        });
    }

    /* `links` by uuid; `now` is the cluster's time. */
    show(peers, links, now) {
        const ordered = orderPeers(peers);
        this.#draw = () => this.#fill(ordered, links, now);
        this.#draw();
    }

    #fill(ordered, links, now) {
        const shown = ordered.slice(0, this.#shown);
        const kept = new Set(shown.map((peer) => peer.uuid));
        for (const [uuid, row] of this.#rows) {
            if (!kept.has(uuid)) {
                this.#rows.delete(uuid);
                row.remove();
            }
        }
        shown.forEach((peer, i) => {
            const row = this.#rows.get(peer.uuid) ?? this.#add(peer.uuid);
            if (this.#place.children[i] !== row) {
                this.#place.insertBefore(row, this.#place.children[i] ?? null);
            }
            row.className = `is-${peer.state}`;
            COLUMNS.forEach(([, say], column) => {
                const text = say(peer, links.get(peer.uuid), now);
                if (row.children[column].textContent !== text) {
                    row.children[column].textContent = text;
                }
            });
        });
        this.#more.hidden = ordered.length <= shown.length;
        this.#more.textContent = `${ordered.length - shown.length} more`;
    }

    /* The roles are said because a phone's style makes blocks of the cells, and browsers then forget
     * that it is a table. */
    #add(uuid) {
        const row = element("tr");
        row.setAttribute("role", "row");
        row.tabIndex = -1;
        row.append(...COLUMNS.map(([name], column) => {
            const cell = element(column === 0 ? "th" : "td");
            cell.setAttribute("role", column === 0 ? "rowheader" : "cell");
            cell.dataset.name = name;
            return cell;
        }));
        this.#rows.set(uuid, row);
        return row;
    }
}
