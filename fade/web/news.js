/*
 * News for those who do not look at the top of the list when a message comes: a line for screen
 * readers, a button for those who have scrolled down, a number in the title for those in another
 * tab.
 */

/* At most one announcement in this time: a busy board must not talk without end. */
const ANNOUNCE_MS = 5000;
/* Scrolled down by more than this, the newest message is out of sight. */
const AWAY_PX = 400;

const find = (id) => document.getElementById(id);

/* The words that are read out for the messages since the last announcement. */
export function announcement(entries) {
    const last = entries.at(-1);
    const what = entries.length === 1 ? "New message" : `${entries.length} new messages, the last`;
    return `${what} from ${last.callsign || "anonymous"}: ${last.text}`;
}

class Announcer {
    #waiting = [];
    #timer = 0;
    #last = -Infinity;

    add(entry) {
        this.#waiting.push(entry);
        this.#timer ||= setTimeout(() => this.#say(),
                                   Math.max(0, this.#last + ANNOUNCE_MS - performance.now()));
    }

    #say() {
        this.#timer = 0;
        this.#last = performance.now();
        find("announce").textContent = announcement(this.#waiting);
        this.#waiting = [];
    }
}

function isAway() {
    return scrollY > AWAY_PX;
}

function toTop() {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scrollTo({top: 0, behavior: isCalm ? "instant" : "smooth"});
    find("messages").focus({preventScroll: true});
}

export function start(page) {
    const announcer = new Announcer();
    const title = document.title;
    let unseen = 0;
    const show = () => {
        if (!isAway() && !document.hidden) {
            unseen = 0;
        }
        find("fresh").hidden = unseen === 0 || !isAway();
        find("fresh").textContent = `${unseen} new ↑`;
        document.title = unseen > 0 && document.hidden ? `(${unseen}) ${title}` : title;
    };
    page.onNew = (entry) => {
        unseen++;
        announcer.add(entry);
        show();
    };
    addEventListener("scroll", show, {passive: true});
    document.addEventListener("visibilitychange", show);
    find("fresh").addEventListener("click", toTop);
}
