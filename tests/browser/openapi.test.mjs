/*
 * docs/openapi.yaml as those meet it who generate clients from it: no linter warns of it, what is
 * generated compiles, types what /watch tells, and talks with a node.
 *
 * Everything that is made lies in build/browser/openapi.
 */
import assert from "node:assert/strict";
import {mkdirSync, readFileSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {after, before, test} from "node:test";
import {fileURLToPath, pathToFileURL} from "node:url";

import {BUILT, Node, freeBase} from "./rig.mjs";

const require = createRequire(BUILT);
const redocly = require("@redocly/openapi-core");
const ts = require("typescript");
const TESTS = dirname(fileURLToPath(import.meta.url));
const DOCUMENT = join(TESTS, "../../docs/openapi.yaml");
const MADE = join(BUILT, "openapi");

let node;

before(async () => {
    mkdirSync(MADE, {recursive: true});
    writeFileSync(join(MADE, "package.json"), '{"type": "module"}\n');
    const {default: openapiTS, astToString} = require("openapi-typescript");
    writeFileSync(join(MADE, "schema.ts"), astToString(await openapiTS(pathToFileURL(DOCUMENT))));
    writeFileSync(join(MADE, "client.ts"), readFileSync(join(TESTS, "generated_client.ts")));
    node = new Node(await freeBase(1), {});
    await node.start();
});

after(async () => node?.stop());

/* What the compiler says of one file, which is compiled beside its sources. */
function compile(name) {
    const program = ts.createProgram([join(MADE, name)], {
        strict: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
        types: [], noEmitOnError: true});
    program.emit();
    return ts.getPreEmitDiagnostics(program).map(({file, start, messageText}) =>
        `${file?.getLineAndCharacterOfPosition(start).line}: ` +
        ts.flattenDiagnosticMessageText(messageText, "\n"));
}

test("no linter warns of the document", async () => {
    const config = await redocly.createConfig({
        extends: ["recommended"],
        rules: {"operation-description": "error", "operation-operationId-unique": "error",
                "operation-tag-defined": "error", "tag-description": "error"}});
    const problems = await redocly.lint({ref: DOCUMENT, config});
    assert.deepEqual(problems.map(({ruleId, message, location}) =>
        `${ruleId}: ${message} ${location[0].pointer}`), []);
});

test("each operation has a tag", async () => {
    const {bundle: {parsed}} = await redocly.bundle({
        ref: DOCUMENT, config: await redocly.createConfig({})});
    const operations = Object.values(parsed.paths).flatMap((path) => Object.values(path))
        .filter((operation) => operation.operationId !== undefined);
    assert.ok(operations.length >= 15);
    for (const {operationId, tags} of operations) {
        assert.equal(tags?.length, 1, operationId);
    }
});

test("a generated client compiles and talks with a node", async () => {
    assert.deepEqual(compile("client.ts"), []);
    const {story} = await import(pathToFileURL(join(MADE, "client.js")));
    const prefix = `generated ${process.pid}+/`;
    const key = `${prefix}a b+c`;
    const told = await story(`127.0.0.1:${node.port}`, prefix);
    assert.match(told.etag, /^"[0-9a-f]{48}"$/);
    const [change] = told.changes;
    assert.ok(change.ttl_ms > 5000 * 1000 && change.ttl_ms <= 5400 * 1000, change.ttl_ms);
    assert.deepEqual({...told, etag: "", changes: []},
                     {stored: "OK", etag: "", text: "a value", keys: [key], found: [true, false],
                      alive: "alive", refusal: "invalid_ttl", changes: []});
    assert.deepEqual({...change, ttl_ms: 0},
                     {key, ttl_ms: 0, size: 7, etag: told.etag.slice(1, -1),
                      value: Buffer.from("a value").toString("base64")});
});

test("a client that mistakes what /watch tells does not compile", () => {
    const mistakes = {
        "const of: number = change.etag;": /'string' .* 'number'/,
        "change.time_left;": /'time_left' does not exist/,
        "const value: string = change.value;": /'string \| undefined'/,
        'const code: components["schemas"]["EndEvent"]["code"] = "error";': /'"error"'/,
    };
    writeFileSync(join(MADE, "mistakes.ts"), [
        'import type {components, operations} from "./schema.js";',
        'type Told = operations["watch"]["responses"][200]["content"]["text/event-stream"];',
        'declare const change: Extract<Told, components["schemas"]["ChangeEvent"]>;',
        ...Object.keys(mistakes), "export {};", ""].join("\n"));
    const found = compile("mistakes.ts");
    assert.equal(found.length, Object.keys(mistakes).length, found.join("\n"));
    Object.values(mistakes).forEach((said, i) => {
        assert.match(found[i], said);
        assert.ok(found[i].startsWith(`${i + 3}: `), found[i]);
    });
});
