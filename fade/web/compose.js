/*
 * Writing a message, and finding one by its key. The rules stand in functions that know no
 * document; the classes below them apply them to the two forms.
 */
import {element, formatWhen, messageRow} from "./board.js";
import {FIELD_MAX, KEY_PREFIX, ask, bareTag, countCharacters, readMessage, refusal} from "./stream.js";

// ---- Rules ----

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/* Times that are offered where the node takes them. Fade's own were 30 min, 1 h, 6 h and 1 day. */
const TTL_CHOICES = [MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY];

/* Seconds that a writer may choose from: all of them within the node's bounds, which would clamp
 * others; the bounds themselves where nothing usual lies between them. */
export function ttlChoices({min_ttl_s, max_ttl_s}) {
    const within = TTL_CHOICES.filter((ttl) => ttl >= min_ttl_s && ttl <= max_ttl_s);
    return within.length > 0 ? within : [...new Set([min_ttl_s, max_ttl_s])];
}

/* The choice nearest to the node's own default. */
export function ttlDefault(choices, {default_ttl_s}) {
    return choices.reduce((best, ttl) => (Math.abs(ttl - default_ttl_s) <
                                          Math.abs(best - default_ttl_s) ? ttl : best));
}

export function ttlName(seconds) {
    const units = [[DAY, "day"], [HOUR, "hour"], [MINUTE, "minute"], [1, "second"]];
    const [size, name] = units.find(([unit]) => seconds >= unit && seconds % unit === 0) ??
        units[3];
    const count = seconds / size;
    return `${count} ${name}${count === 1 ? "" : "s"}`;
}

const FIELD_NAMES = {text: "The message", callsign: "The callsign", location: "The location"};

/* Why these fields cannot be sent, as {field, why}; null when they can. An empty message is a
 * problem only when it is being sent. */
export function findProblem(fields, isSending) {
    for (const [field, name] of Object.entries(FIELD_NAMES)) {
        if (fields[field].includes("|")) {
            return {field, why: `${name} has a “|”. That character separates message, callsign ` +
                                "and location where they are stored, so none of them can hold it."};
        }
        const over = countCharacters(fields[field]) - FIELD_MAX[field];
        if (over > 0) {
            return {field, why: `${name} is ${over} character${over === 1 ? "" : "s"} too long; ` +
                                `${FIELD_MAX[field]} fit.`};
        }
    }
    return isSending && fields.text.trim() === "" ? {field: "text", why: "There is no message yet."}
                                                  : null;
}

/* The value that is stored: readMessage() of stream.js is its inverse. */
export function formatMessage({text, callsign, location}) {
    const parts = [text.trim(), callsign.trim(), location.trim()];
    return parts[1] === "" && parts[2] === "" ? parts[0] : parts.join("|");
}

const ADJECTIVES = ("amber ancient arctic bold brief bright broken calm clear copper coral crimson " +
    "distant dusky early electric faint fallen fleeting frozen gentle gilded golden hazy hidden " +
    "hollow humble ivory lively lonely lost lucid lunar misty modest muted narrow nimble open pale " +
    "patient polar quick quiet rapid restless rustic scarlet secret silent silver slow small solar " +
    "static steady stray subtle sudden tidal velvet wandering wild").split(" ");
const NOUNS = ("anchor antenna arrow beacon bell bridge canyon cipher circuit cloud comet compass " +
    "crater current dawn delta drift dusk echo ember falcon ferry field flare fog forest fox " +
    "glacier harbor hill island kite lagoon lantern leaf letter lighthouse meadow meteor mirror " +
    "moon orbit orchard otter owl pebble pier pilot pulse rain relay river sail shore signal sky " +
    "spark star stone tide tower valley wave willow").split(" ");

/* A key as Fade's clients have always made them; `random` fills an array of 32-bit numbers. */
export function makeKey(prefix, random) {
    const [a, b, c] = random(new Uint32Array(3));
    const number = 1000 + (c % 9000);
    return `${prefix}${ADJECTIVES[a % ADJECTIVES.length]}-${NOUNS[b % NOUNS.length]}-${number}`;
}

/* The key that an address's fragment names; "" when it names none. */
export function keyOfHash(hash) {
    try {
        return decodeURIComponent(hash.slice(1));
    } catch {
        return "";
    }
}

export function dataUrl(key) {
    return `../data/${encodeURIComponent(key)}`;
}

// ---- The page ----

const REQUEST_MS = 15000;
const KEY_TRIES = 3;

const find = (id) => document.getElementById(id);
const randomNumbers = (array) => crypto.getRandomValues(array);

/* Callsign and location stay on this machine; a browser that keeps nothing is no obstacle. */
function recall(name) {
    try {
        return localStorage.getItem(`fade.${name}`) ?? "";
    } catch {
        return "";
    }
}

function remember(name, value) {
    try {
        localStorage.setItem(`fade.${name}`, value);
    } catch {
        // It is typed again next time.
    }
}

/* Copies a text; where the browser does not let a page (plain http), selects it instead. */
async function copy(text, place, button) {
    const label = button.dataset.label ??= button.textContent;
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
    } catch {
        getSelection().selectAllChildren(place);
        button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = label), 2000);
}

class Composer {
    #page;
    #fields = {text: find("text"), callsign: find("callsign"), location: find("location")};
    #key = "";
    #isSending = false;

    constructor(page) {
        this.#page = page;
        for (const [name, field] of Object.entries(this.#fields)) {
            field.addEventListener("input", () => this.#check(false));
            if (name !== "text") {
                field.value ||= recall(name);
                field.addEventListener("change", () => remember(name, field.value.trim()));
            }
        }
        find("composer").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#send();
        });
        this.#fields.text.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                this.#send();
            }
        });
        find("another").addEventListener("click", () => this.#newKey());
        find("copy").addEventListener("click", () => copy(this.#key, find("key"), find("copy")));
        this.#newKey();
        this.#check(false);
    }

    /* Offers the times that the node takes; what was chosen stays chosen if it can. */
    takeLimits(limits) {
        const place = find("ttl");
        const choices = ttlChoices(limits);
        const chosen = Number(place.dataset.chosen ?? 0);
        place.replaceChildren(...choices.map((ttl) => {
            const option = element("option", "", ttlName(ttl));
            option.value = String(ttl);
            return option;
        }));
        place.value = String(choices.includes(chosen) ? chosen : ttlDefault(choices, limits));
        place.onchange = () => (place.dataset.chosen = place.value);
    }

    #newKey() {
        this.#key = makeKey(this.#page.prefix, randomNumbers);
        find("key").textContent = this.#key;
    }

    #values() {
        const {text, callsign, location} = this.#fields;
        return {text: text.value, callsign: callsign.value, location: location.value};
    }

    /* Shows counter and problem of what is typed; whether it may be sent. */
    #check(isSending) {
        const values = this.#values();
        const count = countCharacters(values.text);
        find("count").textContent = `${count} / ${FIELD_MAX.text}`;
        find("count").classList.toggle("is-over", count > FIELD_MAX.text);
        const problem = findProblem(values, isSending);
        const why = problem === null ? "" : problem.why;
        if (find("problem").textContent !== why) {
            find("problem").textContent = why; // read out once, not with each key
        }
        for (const [name, field] of Object.entries(this.#fields)) {
            field.setAttribute("aria-invalid", String(problem?.field === name));
        }
        if (problem !== null && isSending) {
            this.#fields[problem.field].focus();
        }
        return problem === null;
    }

    async #send() {
        if (this.#isSending || !this.#check(true)) {
            return;
        }
        this.#isSending = true;
        find("outcome").textContent = "Sending …";
        try {
            const response = await this.#put(formatMessage(this.#values()));
            if (response.ok) {
                this.#sent(response);
            } else {
                this.#failed(await refusal(response));
            }
        } catch {
            this.#failed("This node does not answer.");
        }
        this.#isSending = false;
    }

    /* Writes under a key that nobody has; one that is taken is exchanged for another. */
    async #put(value) {
        let response = null;
        for (let tries = 0; tries < KEY_TRIES; tries++) {
            response = await ask(`${dataUrl(this.#key)}?ttl=${find("ttl").value || 3600}`, {
                method: "PUT",
                body: value,
                headers: {"If-None-Match": "*"},
                signal: AbortSignal.timeout(REQUEST_MS),
            });
            if (response.status !== 412) {
                break;
            }
            this.#newKey();
        }
        return response;
    }

    #sent(response) {
        const ttl_s = Number(response.headers.get("X-Original-TTL"));
        const [have, members] = (response.headers.get("X-Replicas") ?? "1/1").split("/");
        const ends = formatWhen(Date.now() + ttl_s * 1000);
        const link = element("a", "", this.#key);
        link.href = `#${encodeURIComponent(this.#key)}`;
        find("outcome").replaceChildren(
            "Sent as ", link, `, held by ${have} of ${members} node${members === "1" ? "" : "s"}` +
            `${response.status === 202 ? " so far" : ""}. Gone at ${ends}.`);
        this.#fields.text.value = "";
        this.#newKey();
        this.#check(false);
    }

    #failed(why) {
        find("outcome").textContent = `Not sent. ${why} The message is still here.`;
    }
}

/* One message by its key: on the board where it stands there, else beside it. */
class Finder {
    #page;
    #found = null;
    #asked = "";

    constructor(page) {
        this.#page = page;
        find("retrieve").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#want(find("wanted").value.trim());
        });
        addEventListener("hashchange", () => this.#show(keyOfHash(location.hash)));
        find("finder").open ||= matchMedia("(min-width: 56rem)").matches;
        this.#showFirst();
    }

    /* Counts the found message down, and takes it away when its time is over. */
    tick(now) {
        if (this.#found === null) {
            return;
        }
        if (this.#found.entry.endsAt > now) {
            this.#page.paint(this.#found.row, this.#found.entry);
        } else {
            this.#say("Its time is over: it is gone.");
        }
    }

    /* An address with a key shows it as soon as the board is there to look on. */
    async #showFirst() {
        const key = keyOfHash(location.hash);
        if (key !== "") {
            await Promise.race([this.#page.whenListed,
                                new Promise((resolve) => setTimeout(resolve, 2000))]);
            this.#show(key);
        }
    }

    #want(key) {
        if (key !== "" && keyOfHash(location.hash) !== key) {
            location.hash = encodeURIComponent(key);
        } else {
            this.#show(key);
        }
    }

    async #show(key) {
        this.#asked = key;
        if (key === "") {
            this.#say("");
        } else if (this.#page.board.get(key) !== undefined) {
            this.#say("");
            this.#page.reveal(key);
        } else {
            await this.#fetch(key);
        }
    }

    async #fetch(key) {
        this.#say("Looking for it …");
        try {
            const response = await ask(dataUrl(key), {cache: "no-store",
                                                      signal: AbortSignal.timeout(REQUEST_MS)});
            const bytes = response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
            if (this.#asked !== key) {
                return; // another one has been asked for meanwhile
            }
            if (bytes === null) {
                this.#say(response.status === 404 ? "There is nothing under this key, or not any more."
                                                  : await refusal(response));
            } else {
                this.#showEntry(key, bytes, response.headers);
            }
        } catch {
            this.#say("This node does not answer.");
        }
    }

    #showEntry(key, bytes, headers) {
        const entry = {...readMessage(bytes, bytes.length), key,
                       etag: bareTag(headers.get("ETag")),
                       endsAt: performance.now() + Number(headers.get("X-Remaining-TTL")) * 1000};
        const row = messageRow(entry, "article");
        this.#found = {entry, row};
        this.#page.paint(row, entry);
        find("finding").textContent = "";
        find("found").replaceChildren(row);
        row.focus();
    }

    #say(text) {
        this.#found = null;
        find("finding").textContent = text;
        find("found").replaceChildren();
    }
}

export function start(page) {
    const composer = new Composer(page);
    const finder = new Finder(page);
    page.onStatus = (status) => status.limits && composer.takeLimits(status.limits);
    page.onTick = (now) => finder.tick(now);
    if (page.status !== null) {
        page.onStatus(page.status);
    }
    if (page.prefix !== KEY_PREFIX) {
        find("scope").textContent = `under “${page.prefix}”`;
    }
    find("send").disabled = false;
}
