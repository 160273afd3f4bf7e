/**
 * A client for REPRAM nodes in one file, for browsers and Node.js 18 or later. It needs nothing else.
 *
 *     import { Client } from "./repram.js";
 *
 *     const repram = new Client("10.0.0.1:8081,10.0.0.2:8081");
 *     await repram.put("rooms/12/topic", "hello", { ttl: 600 });
 *     console.log(text((await repram.get("rooms/12/topic")).value));
 *     for await (const change of repram.watch("rooms/")) console.log(change.kind, change.key);
 *
 * Any node answers for all, so each request goes to one server, and to the next where that one fails or
 * is no node. A request is given up after `timeout` milliseconds in all, and then throws Unavailable. What
 * a node refuses throws ApiError with its `status` and `code`. Keys and values are strings or Uint8Arrays;
 * values come back as Uint8Arrays, and so do keys that are not UTF-8. Each `ttl` is seconds.
 */

const SILENT_MS = 3000; // for a connection, and for a read's answer, before the next server is tried
const SHARE = 2 / 3; // of the time that is left, where one more may be asked: nodes wait for a quorum for 5 s
const PAUSE_MS = [100, 2000]; // between rounds, at least, and where no server says how long, at most
const SILENCE_MS = 15000; // of a watch, whose node sends a comment each 5 s, before it is lost
const MGET_KEYS = 1000, MGET_BYTES = 240 << 10; // of one request, as nodes allow them
const PASSING = [429, 503]; // nothing was done, and soon it may be
const KNOWN = [...PASSING, 507]; // of a write: nothing was done
/** What Node.js calls a connection that was not made. Browsers do not say. */
const UNREACHED = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** What a node answered: its `status`, its `code` for programs, and the message for people.
 * `mayBeDone`: another try of this write has had no node's answer, and may have been done. */
export class ApiError extends Error {
  constructor(status, code, detail) {
    super(status ? `${`${status} ${code}`.trim()}: ${detail}` : detail);
    Object.assign(this, { name: new.target.name, status, code, mayBeDone: false });
  }
}

/** 412: the key is not as `ifMatch` or `ifNoneMatch` wanted it. */
export class PreconditionFailed extends ApiError {}

/** No server did it within the timeout; `status` and `code` are the last answer's, 0 and "" if none
 * came. A write may have been done all the same where `mayBeDone` says so. */
export class Unavailable extends ApiError {}

const bytes = (key) => (typeof key === "string" ? new TextEncoder().encode(key) : key);
export const text = (value) => new TextDecoder().decode(value);
const latin1 = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");
const fromBase64 = (data) => Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
const numberOf = (headers, name) => Number(header(headers, name));
const etagOf = (headers) => header(headers, "ETag").replaceAll('"', "");

function header(headers, name) {
  const value = headers.get(name);
  if (value === null) throw new Error(`no answer of a node, without ${name}`);
  return value;
}

const escape = (key) => Array.from(bytes(key), (byte) => {
  const char = String.fromCharCode(byte);
  return /[\w.~-]/.test(char) ? char : `%${byte.toString(16).padStart(2, "0")}`;
}).join("");

/** URLs have no segments "." and "..", not even encoded; so the slash before such a key is encoded. */
const pathOf = (key) => {
  const name = escape(key);
  return name === "." || name === ".." ? `/v1/data%2F${name}` : `/v1/data/${name}`;
};

const serverOf = (name) => {
  let url;
  try {
    url = new URL(name.includes("://") ? name : `http://${name}`);
  } catch {}
  if (!/^https?:$/.test(url?.protocol)) throw new TypeError(`"${name}" is no server`);
  if (!name.includes("://") && !/:\d+$/.test(name)) url.port = "8081";
  return url.href.replace(/\/$/, "");
};

export class Client {
  #servers;
  #timeout;
  #signed = {};
  #at = 0; // of the server that is asked first: the last that did not fail

  /** `servers`: an array or a comma list of host, host:port, [ipv6]:port, or http or https URLs. `token`: of
   * an access list; by http it goes to this host alone, unless `tokenInClear`. */
  constructor(servers = "localhost:8081", { timeout = 10000, token, tokenInClear = false } = {}) {
    const names = typeof servers === "string" ? servers.split(",") : servers;
    this.#servers = names.map((name) => serverOf(name.trim()));
    this.#timeout = timeout;
    if (token === undefined) return;
    if (!/^[!-~]+$/.test(token)) throw new TypeError("that is no token");
    const open = this.#servers.find((server) => !/^(https:|http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$))/.test(server));
    if (open && !tokenInClear) throw new TypeError(`the token is not sent to ${open} by plain http; see tokenInClear`);
    this.#signed = { Authorization: `Bearer ${token}` };
  }

  /** Writes; `ttl` is a number, of which whole seconds count, or text as "1h30m". Without a condition a
   * write whose answer was lost goes to one more server, once; else Unavailable is thrown at once. */
  put(key, value, { ttl, ifMatch, ifNoneMatch } = {}) {
    const headers = {};
    if (ifMatch) headers["If-Match"] = ifMatch === "*" ? "*" : `"${ifMatch}"`;
    if (ifNoneMatch) headers["If-None-Match"] = ifNoneMatch === "*" ? "*" : `"${ifNoneMatch}"`;
    const time = typeof ttl === "number" ? Math.floor(ttl) : ttl;
    const query = ttl === undefined ? "" : `?ttl=${encodeURIComponent(time)}`;
    return this.#ask("PUT", pathOf(key) + query, ({ status, headers: head }) => ({
      etag: etagOf(head), ttl: numberOf(head, "X-Original-TTL"), hasQuorum: status === 201,
      replicas: header(head, "X-Replicas") }), { body: bytes(value), headers });
  }

  /** The entry as {value, etag, ttl, createdAt, size}, or null. */
  get(key) {
    return this.#entry("GET", key);
  }

  /** The same without `value`. */
  head(key) {
    return this.#entry("HEAD", key);
  }

  /** A Map from the keys, as they were given, to their entries; those that are not there are not in it. */
  async mget(keys) {
    const found = new Map();
    let batch = [], size = 0;
    const flush = async () => {
      if (batch.length > 0) await this.#mget(batch, found);
      [batch, size] = [[], 0];
    };
    for (const key of keys) {
      const cost = bytes(key).length * 4 / 3 + 8;
      if (batch.length === MGET_KEYS || size + cost > MGET_BYTES) await flush();
      batch.push(key);
      size += cost;
    }
    await flush();
    return found;
  }

  /** Yields the keys in the order of their bytes, and asks for a page when one is used up. */
  async *keys(prefix = "", { page = 1000 } = {}) {
    let cursor = "";
    do {
      const query = `prefix=${escape(prefix)}&limit=${page}${cursor && `&cursor=${cursor}`}`;
      const [inOrder, next] = await this.#ask("GET", `/v1/keys?${query}`, ({ body }) => {
        const members = JSON.parse(text(body));
        const others = (members.keys_base64 ?? []).map(fromBase64);
        return [[...members.keys, ...others].map((key) => [latin1(bytes(key)), key]), members.next_cursor];
      });
      inOrder.sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [, key] of inOrder) yield key;
      cursor = next;
    } while (cursor);
  }

  /** Yields each change, without an end: after a lost connection, a restart, or on another server what was
   * missed follows, or `reset` and everything. `kind` is `reset` (forget what you hold; every live entry
   * follows as `put`, then comes `live`), `live`, `put` or `expire`; the last two have key, etag, ttl, size,
   * and a put `value` with `values`, up to 16 KiB. Break out of it, or abort `signal`, to end it. Only what
   * every node would refuse throws ApiError. */
  async *watch(prefix = "", { values = false, signal } = {}) {
    const path = `/v1/watch?prefix=${escape(prefix)}&values=${Number(values)}`;
    const place = { id: "" };
    let at = this.#at, pause = PAUSE_MS[0];
    while (!signal?.aborted) {
      place.retry = undefined;
      let isTold = false;
      try {
        const url = this.#servers[at % this.#servers.length] + path;
        for await (const change of stream(url, place, signal, this.#signed)) {
          isTold = true;
          yield change;
        }
      } catch (error) {
        if (error instanceof Unavailable) isTold = false;
        else if (error instanceof ApiError) throw error;
      }
      if (signal?.aborted) return;
      // Only the node that was lost can resume where it was; so it is asked first, and once.
      const isEnded = place.retry !== undefined;
      if (isEnded || !isTold) at++;
      if (isTold) pause = PAUSE_MS[0];
      await sleep((isEnded && this.#servers.length === 1 ? place.retry : pause) * (0.8 + 0.4 * Math.random()), signal);
      pause = Math.min(2 * pause, PAUSE_MS[1]);
    }
  }

  async #entry(method, key) {
    try {
      return await this.#ask(method, pathOf(key), ({ headers, body }) => ({
        ...(method === "GET" && { value: body }), etag: etagOf(headers), ttl: numberOf(headers, "X-Remaining-TTL"),
        createdAt: header(headers, "X-Created-At"),
        size: method === "GET" ? body.length : numberOf(headers, "Content-Length") }));
    } catch (error) {
      if (error.status === 404 && !(error instanceof Unavailable)) return null;
      throw error;
    }
  }

  async #mget(batch, found) {
    const body = JSON.stringify({ keys_base64: batch.map((key) => btoa(latin1(bytes(key)))) });
    const entries = await this.#ask("POST", "/v1/mget", (answer) => entriesOf(batch.length, answer), { body });
    for (const [i, entry] of entries.entries()) {
      const whole = entry === "alone" ? await this.get(batch[i]) : entry;
      if (whole !== null) found.set(batch[i], whole);
    }
  }

  /** What `read` makes of status, headers and body of the first server that does it. */
  async #ask(method, path, read, { body, headers = {} } = {}) {
    const deadline = performance.now() + this.#timeout, count = this.#servers.length;
    const isWrite = method === "PUT", isConditional = Object.keys(headers).length > 0;
    let at = this.#at, mayBeDone = false, failure = new Unavailable(0, "", "no time to ask");
    for (let pause = PAUSE_MS[0]; ; pause = Math.min(2 * pause, PAUSE_MS[1])) {
      const waits = [];
      for (let others = count - 1; others >= 0; others--) {
        const left = deadline - performance.now();
        if (left <= 0) break;
        const server = this.#servers[at];
        const isLast = isWrite ? isConditional || mayBeDone || count === 1 : others === 0;
        const share = isLast ? left : left * SHARE;
        const patience = isWrite || count === 1 ? share : Math.min(share, SILENT_MS);
        let isKnown;
        try {
          const answer = await askOne(server + path, { method, body, headers: { ...this.#signed, ...headers } }, patience, deadline);
          if ((isWrite ? [201, 202] : [200]).includes(answer.status)) return read(answer);
          failure = refusal(method, answer);
          isKnown = KNOWN.includes(answer.status) || (answer.status < 500 && !(failure instanceof Unavailable));
          waits.push(Number(answer.headers.get("Retry-After")) * 1000 || 0);
        } catch (error) {
          failure = new Unavailable(0, "", `${server}: ${error.cause?.message || error.cause?.code || error.message}`);
          isKnown = UNREACHED.includes(error.cause?.code);
        }
        mayBeDone ||= isWrite && !isKnown;
        failure.mayBeDone = mayBeDone;
        if (!(failure instanceof Unavailable)) throw failure;
        const next = (at + 1) % count;
        if (this.#at === at) this.#at = next; // another request may have gone on already
        at = next;
        if (isWrite && isLast && !isKnown) throw failure; // a condition would fail by the write itself
      }
      const wait = Math.max(pause, waits.length > 0 ? Math.min(...waits) : 0);
      if (performance.now() + wait > deadline) throw failure;
      await sleep(wait);
    }
  }
}

/** Ends early when `signal` is aborted. */
async function sleep(ms, signal) {
  let timer, wake;
  await new Promise((resolve) => {
    [timer, wake] = [setTimeout(resolve, ms), resolve];
    signal?.addEventListener("abort", wake);
  });
  clearTimeout(timer);
  signal?.removeEventListener("abort", wake);
}

/** What becomes of a promise, which `abort` ends after `ms`. */
async function within(ms, abort, promise) {
  const timer = setTimeout(() => abort.abort(new Error("no answer in time")), ms);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** An answer that begins within `patience`. fetch() does not tell a connection that is not made from one
 * that is silent, so a write waits for the former as long as for the latter. */
async function askOne(url, request, patience, deadline) {
  const abort = new AbortController();
  const response = await within(patience, abort, fetch(url, { ...request, redirect: "manual", signal: abort.signal }));
  const body = new Uint8Array(await within(deadline - performance.now(), abort, response.arrayBuffer()));
  return { status: response.status, statusText: response.statusText, headers: response.headers, body };
}

const isOf = (headers, type) => headers.get("Content-Type")?.split(";")[0].trim() === type;

/** The error of an answer: Unavailable, where another server may do better. */
function refusal(method, { status, statusText, headers, body }) {
  let problem;
  try {
    problem = JSON.parse(text(body));
  } catch {} // of a proxy, or of HEAD
  const { code = "", detail = statusText } = problem ?? {};
  const isNode = isOf(headers, "application/problem+json");
  if (PASSING.includes(status) || (status >= 500 ? method !== "PUT" : !isNode)) {
    return new Unavailable(status, code, detail);
  }
  return new (status === 412 ? PreconditionFailed : ApiError)(status, code, detail);
}

/** What mget says of each of its keys: an entry, null, or "alone": to be asked for alone, as it is too large for
 * an answer about many, or may not be read, and then that is refused. */
function entriesOf(count, { body }) {
  const { entries } = JSON.parse(text(body));
  if (entries.length !== count) throw new Error("no answer of a node, to other keys");
  return entries.map(({ value, found, forbidden, etag, ttl_ms, created_at, size }) => (value !== undefined
    ? { value: fromBase64(value), etag, ttl: ttl_ms / 1000, createdAt: created_at, size }
    : found || forbidden ? "alone" : null));
}

/** The changes of one connection, up to `end`; throws when it is lost, and Unavailable when it is no node's. */
async function* stream(url, place, signal, signed) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal?.addEventListener("abort", stop);
  try {
    const headers = { ...signed, ...(place.id && { "Last-Event-ID": place.id }) };
    const response = await within(SILENT_MS, abort, fetch(url, { headers, redirect: "manual", signal: abort.signal }));
    if (response.status !== 200 || !isOf(response.headers, "text/event-stream")) {
      const { status, statusText } = response;
      const body = await within(SILENT_MS, abort, response.arrayBuffer());
      throw refusal("GET", { status, statusText, headers: response.headers, body });
    }
    let rest = "", fields = {}, retry = 1000;
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await within(SILENCE_MS, abort, reader.read());
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const [, name, data] = /^([^:]*):? ?(.*?)\r?$/.exec(line);
        if (name !== "" || line.startsWith(":")) {
          fields[name] = data; // a comment's name is empty
          if (name === "retry") retry = Number(data);
          continue;
        }
        const told = fields.event && change(fields.event, fields.data);
        place.id = fields.id ?? place.id;
        if (fields.event === "end") {
          place.retry = retry;
          return;
        }
        if (told) yield told;
        if (signal?.aborted) return;
        fields = {};
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    abort.abort();
  }
}

function change(kind, data) {
  try {
    const { key, key_base64, etag, ttl_ms, size, value } = JSON.parse(data);
    if (kind !== "put" && kind !== "expire") return { kind };
    if (typeof etag !== "string" || typeof ttl_ms !== "number") throw new Error("no version");
    const told = { kind, key: key ?? fromBase64(key_base64), etag, ttl: ttl_ms / 1000, size };
    return value === undefined ? told : { ...told, value: fromBase64(value) };
  } catch (error) {
    throw new Unavailable(0, "", `no event of a node: ${error.message}`);
  }
}
