/*
 * A client as its users would write one: the types are generated from docs/openapi.yaml into
 * schema.ts beside the compiled file, the requests are openapi-fetch's. openapi.test.mjs compiles it
 * under strict rules, and runs story() on a node.
 */
import createClient from "openapi-fetch";
import type {components, operations, paths} from "./schema.js";

type Change = components["schemas"]["ChangeEvent"];
/* What generators make of the stream: the data of one event. */
type WatchEvent = operations["watch"]["responses"][200]["content"]["text/event-stream"];

export interface Told {
    stored: string;
    etag: string | null;
    text: string | undefined;
    keys: string[];
    found: boolean[];
    alive: string;
    refusal: string;
    changes: Change[];
}

function isChange(event: WatchEvent): event is Change {
    return "ttl_ms" in event;
}

/* Reads the stream until as many changes have come as are wanted. */
async function changesOf(body: ReadableStream<Uint8Array>, wanted: number): Promise<Change[]> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const changes: Change[] = [];
    let text = "";
    while (changes.length < wanted) {
        const {done, value} = await reader.read();
        if (done) {
            break;
        }
        text += decoder.decode(value, {stream: true});
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
            const data = block.split("\n").find((line) => line.startsWith("data: "));
            const event: WatchEvent | undefined = data && JSON.parse(data.slice(6));
            if (event && isChange(event)) {
                changes.push(event);
            }
        }
    }
    await reader.cancel();
    return changes;
}

export async function story(node: string, prefix: string): Promise<Told> {
    const client = createClient<paths>({baseUrl: `http://${node}/v1`});
    const key = `${prefix}a b+c`;
    const put = await client.PUT("/data/{key}", {
        params: {path: {key}, query: {ttl: "1h30m"}},
        body: "a value",
        bodySerializer: (body) => body,
        parseAs: "text",
    });
    const got = await client.GET("/data/{key}", {params: {path: {key}}, parseAs: "text"});
    const listed = await client.GET("/keys", {params: {query: {prefix, limit: 10}}});
    const many = await client.POST("/mget", {body: {keys: [key, `${prefix}none`]}});
    const live = await client.GET("/livez");
    const wrong = await client.PUT("/data/{key}", {
        params: {path: {key}, query: {ttl: "600.5"}},
        parseAs: "text",
    });
    const watch = await client.GET("/watch", {params: {query: {prefix, values: "1"}}, parseAs: "stream"});
    return {
        stored: put.data ?? "",
        etag: put.response.headers.get("etag"),
        text: got.data,
        keys: listed.data?.keys ?? [],
        found: (many.data?.entries ?? []).map((entry) => entry.found ?? false),
        alive: live.data?.status ?? "",
        refusal: wrong.error?.code ?? "",
        changes: watch.data ? await changesOf(watch.data, 1) : [],
    };
}
