/**
 * Does with clients/javascript/repram.js what lines on standard input say, for test_clients.py: a JSON
 * array of a number, a method and its arguments each. Answers are lines too, [number, result], and
 * [number, {error}] at the end; a listing or a watch has one for each thing that it yields. Bytes are
 * {"base64": text} on both ways. "aborted" is a watch that is aborted once it pauses, and "timers" how many
 * timers of more than 10 s (Node.js has a short one of its own) run while the first change of a watch is
 * being looked at.
 */
import { createInterface } from "node:readline";

const [file, servers, timeout, token] = process.argv.slice(2);
const { Client } = await import(file);

/* The timers that run, with how long they take. */
const timers = new Map();
const { setTimeout: set, clearTimeout: clear } = globalThis;
globalThis.setTimeout = (wake, ms, ...words) => {
  const timer = set(() => (timers.delete(timer), wake(...words)), ms);
  timers.set(timer, ms);
  return timer;
};
globalThis.clearTimeout = (timer) => (timers.delete(timer), clear(timer));

const client = new Client(servers, { timeout: Number(timeout), token: token || undefined });

const decoded = (name, value) => (value?.base64 === undefined ? value : new Uint8Array(Buffer.from(value.base64, "base64")));
const encoded = (value) => {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (value instanceof Map) return [...value].map((pair) => pair.map(encoded));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, encoded(one)]));
};
const say = (number, result) => console.log(JSON.stringify([number, encoded(result)]));

async function timersOf(prefix) {
  for await (const _ of client.watch(prefix)) return [...timers.values()].filter((ms) => ms > 10000).length;
}

function aborted(prefix) {
  const abort = new AbortController();
  const look = setInterval(() => {
    if ([...timers.values()].some((ms) => ms > 100000)) {
      clearInterval(look);
      abort.abort();
    }
  }, 10);
  return client.watch(prefix, { signal: abort.signal });
}

async function run(number, method, words) {
  try {
    const result = ({ timers: timersOf, aborted }[method] ?? client[method].bind(client))(...words);
    if (result[Symbol.asyncIterator]) {
      for await (const one of result) say(number, one);
      say(number, { end: true });
    } else {
      say(number, await result);
    }
  } catch (error) {
    const { name, status, code, message, mayBeDone } = error;
    say(number, { error: { name, status, code, message, mayBeDone } });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, method, ...words] = JSON.parse(line, decoded);
  run(number, method, words);
}
process.exit(0);
