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
 * Any node answers for all, so each request goes to one server, and to the next where that one fails. A
 * request is given up after `timeout` milliseconds in all, and then throws Unavailable. What a node
 * refuses throws ApiError with its `status` and `code`. Keys and values are strings or Uint8Arrays;
 * values come back as Uint8Arrays, and so do keys that are not UTF-8. Times are milliseconds but `ttl`
 * of put(), which is as in HTTP.
 */

const SILENT_MS = 3000; // for a connection, and for a read's answer, before the next server is tried
const PAUSE_MS = [100, 2000]; // between rounds in which no server said how long to wait: first, at most
const SILENCE_MS = 15000; // of a watch, whose node sends a comment each 5 s, before it is lost
const FIRST_SHARE = 2 / 3; // of the time, for a write that may go to one more server
const MGET_KEYS = 1000, MGET_BYTES = 240 << 10; // of one request, as nodes allow them
/** What Node.js calls a connection that was not made. Browsers do not say. */
const UNREACHED = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];
const PASSING = [429, 503]; // the node has done nothing, and may soon

/** What a node answered: its `status`, its `code` for programs, and the message for people. */
export class ApiError extends Error {
  constructor(status, code, detail) {
    super(status ? `${status} ${code}: ${detail}` : detail);
    Object.assign(this, { name: new.target.name, status, code });
  }
}

/** 412: the key is not as `ifMatch` or `ifNoneMatch` wanted it. */
export class PreconditionFailed extends ApiError {}

/** No server did it within the timeout; `status` and `code` are the last answer's, 0 and "" if none
 * came. A write may have been done all the same, unless the status is 429 or 503. */
export class Unavailable extends ApiError {}

const bytes = (key) => (typeof key === "string" ? new TextEncoder().encode(key) : key);
export const text = (value) => new TextDecoder().decode(value);
const latin1 = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");
const fromBase64 = (data) => Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const etagOf = (headers) => headers.get("ETag").replaceAll('"', "");

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
  const url = new URL(name.includes("://") ? name : `http://${name}`);
  if (!name.includes("://") && !/:\d+$/.test(name)) url.port = "8081";
  return url.href.replace(/\/$/, "");
};

export class Client {
  #servers;
  #timeout;
  #at = 0; // of the server that is asked first: the last that answered

  /** `servers`: an array or a comma list of host, host:port, [ipv6]:port, or http or https URLs. */
  constructor(servers = "localhost:8081", { timeout = 10000 } = {}) {
    const names = typeof servers === "string" ? servers.split(",") : servers;
    this.#servers = names.map((name) => serverOf(name.trim()));
    this.#timeout = timeout;
  }

  /** Writes; `ttl` is seconds or text as "1h30m". Without a condition a write whose answer was lost is
   * done again elsewhere; with one its outcome is unknown, and Unavailable is thrown. */
  async put(key, value, { ttl, ifMatch, ifNoneMatch } = {}) {
    const headers = {};
    if (ifMatch) headers["If-Match"] = ifMatch === "*" ? "*" : `"${ifMatch}"`;
    if (ifNoneMatch) headers["If-None-Match"] = ifNoneMatch === "*" ? "*" : `"${ifNoneMatch}"`;
    const query = ttl === undefined ? "" : `?ttl=${encodeURIComponent(ttl)}`;
    const answer = await this.#ask("PUT", pathOf(key) + query, { body: bytes(value), headers });
    const head = answer.headers;
    return { etag: etagOf(head), ttl: Number(head.get("X-Original-TTL")) * 1000,
             hasQuorum: answer.status === 201, replicas: head.get("X-Replicas") };
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
      const members = JSON.parse(text((await this.#ask("GET", `/v1/keys?${query}`)).body));
      const others = (members.keys_base64 ?? []).map(fromBase64);
      const inOrder = [...members.keys, ...others].map((key) => [latin1(bytes(key)), key]);
      inOrder.sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [, key] of inOrder) yield key;
      cursor = members.next_cursor;
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
        for await (const change of stream(this.#servers[at % this.#servers.length] + path, place, signal)) {
          [isTold, pause] = [true, PAUSE_MS[0]];
          yield change;
        }
      } catch (error) {
        if (error instanceof ApiError) throw error;
      }
      // Only the node that was lost can resume where it was; so it is asked first, and once.
      const isEnded = place.retry !== undefined;
      if (isEnded || !isTold) at++;
      const wait = isEnded && this.#servers.length === 1 ? place.retry : pause;
      pause = Math.min(2 * pause, PAUSE_MS[1]);
      if (!signal?.aborted) await sleep(wait * (0.8 + 0.4 * Math.random()));
    }
  }

  async #entry(method, key) {
    try {
      const { headers, body } = await this.#ask(method, pathOf(key));
      const entry = { etag: etagOf(headers), ttl: Number(headers.get("X-Remaining-TTL")) * 1000,
                      createdAt: headers.get("X-Created-At") };
      return method === "GET" ? { value: body, ...entry, size: body.length }
                              : { ...entry, size: Number(headers.get("Content-Length")) };
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  async #mget(batch, found) {
    const body = JSON.stringify({ keys_base64: batch.map((key) => btoa(latin1(bytes(key)))) });
    const members = JSON.parse(text((await this.#ask("POST", "/v1/mget", { body })).body));
    for (const [i, entry] of members.entries.entries()) {
      if (entry.value !== undefined) {
        found.set(batch[i], { value: fromBase64(entry.value), etag: entry.etag, ttl: entry.ttl_ms,
                              createdAt: entry.created_at, size: entry.size });
      } else if (entry.found) { // too large for an answer about many
        const alone = await this.get(batch[i]);
        if (alone !== null) found.set(batch[i], alone);
      }
    }
  }

  /** Status, headers and body of the first server that does it. */
  async #ask(method, path, { body, headers = {} } = {}) {
    const deadline = Date.now() + this.#timeout;
    let lost; // a write whose answer did not come: it goes to one more server
    for (let pause = PAUSE_MS[0]; ; pause = Math.min(2 * pause, PAUSE_MS[1])) {
      const waits = [];
      let failure;
      for (let asked = 0; asked < this.#servers.length; asked++, this.#at++) {
        const server = this.#servers[this.#at % this.#servers.length];
        const isLast = method !== "PUT" || Object.keys(headers).length > 0 || lost || this.#servers.length === 1;
        const left = (deadline - Date.now()) * (isLast ? 1 : FIRST_SHARE);
        try {
          const answer = await askOne(server + path, { method, body, headers }, Math.max(left, 1),
                                      this.#servers.length > 1);
          if (answer.status < 400) return answer;
          failure = refusal(method, answer);
          waits.push(Number(answer.headers.get("Retry-After") ?? 0) * 1000 || pause);
        } catch (error) {
          if (error instanceof ApiError) throw error;
          failure = new Unavailable(0, "", `${server}: ${error.cause?.message ?? error.message}`);
          if (method === "PUT" && !UNREACHED.includes(error.cause?.code)) {
            if (isLast) {
              this.#at++;
              throw failure;
            }
            lost = failure;
          }
        }
      }
      const wait = waits.length > 0 ? Math.min(...waits) : pause;
      if (Date.now() + wait > deadline) throw lost ?? failure;
      await sleep(wait);
    }
  }
}

/** fetch() does not tell a connection that is not made from one that is silent. So a write has all of its
 * time, as it may take long, and a read only so much where there are others to ask. */
async function askOne(url, request, timeout, hasOthers) {
  const abort = new AbortController();
  const first = request.method === "PUT" || !hasOthers ? timeout : Math.min(timeout, SILENT_MS);
  const stop = () => abort.abort(new Error("no answer in time"));
  let timer = setTimeout(stop, first);
  try {
    const response = await fetch(url, { ...request, signal: abort.signal });
    clearTimeout(timer);
    timer = setTimeout(stop, timeout);
    const body = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  } finally {
    clearTimeout(timer);
  }
}

/** The error of an answer after which another server is asked; throws one that is final. */
function refusal(method, { status, body }) {
  let code = "", detail = "";
  try {
    ({ code, detail } = JSON.parse(text(body)));
  } catch {} // of a proxy, or of HEAD
  if (status === 412) throw new PreconditionFailed(status, code, detail);
  if (PASSING.includes(status) || (status >= 500 && method !== "PUT")) return new Unavailable(status, code, detail);
  throw new ApiError(status, code, detail);
}

/** The changes of one connection, up to `end`; throws what is no ApiError when it is lost. */
async function* stream(url, place, signal) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal?.addEventListener("abort", stop);
  let timer = setTimeout(stop, SILENT_MS);
  try {
    const headers = place.id ? { "Last-Event-ID": place.id } : {};
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) {
      throw new Error(refusal("GET", { status: response.status,
                                       body: new Uint8Array(await response.arrayBuffer()) }).message);
    }
    let rest = "", fields = {}, retry = 1000;
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      const { done, value } = await reader.read();
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
        place.id = fields.id ?? place.id;
        if (fields.event === "end") {
          place.retry = retry;
          return;
        }
        if (fields.event) yield change(fields.event, JSON.parse(fields.data));
        fields = {};
      }
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    abort.abort();
  }
}

function change(kind, members) {
  if (kind !== "put" && kind !== "expire") return { kind };
  const told = { kind, key: members.key ?? fromBase64(members.key_base64), etag: members.etag,
                 ttl: members.ttl_ms, size: members.size };
  return members.value === undefined ? told : { ...told, value: fromBase64(members.value) };
}
