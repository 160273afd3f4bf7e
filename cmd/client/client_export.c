/*
 * `repram export`: every entry of a node, a line each, in byte order of the keys.
 *
 * Keys come by pages, one page ahead. Their values come by batches (POST /mget), several under way
 * at once, and are written in the order of the keys. So an export that was broken off resumes
 * behind its last line. Values that a batch leaves out are read one by one. Memory is bounded by
 * the batches under way, a page of keys, and one large value. This is no snapshot: an entry that is
 * written or ends meanwhile may be there or not.
 *
 * A node that has just started may list less than there is, and one that was alone has lost what it
 * held. So each page, and each key without an entry, only counts while the same run of the node
 * answers; else the export ends there, and resumes on the new one.
 */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/output.h"
#include "cmd/client/export_file.h"
#include "cmd/client/export_line.h"
#include "cmd/client/export_page.h"
#include "cmd/client/transfer.h"
#include "core/base/mem.h"
#include "net/http/json_out.h"
#include "net/sys/rfc3339.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 15000, /* of an answer, and of a node that fails */
    CONNECTIONS = 4,
    BATCHES = 8,           /* under way, or waiting for those before them */
    BATCH_KEYS = 64,       /* with values of up to 16 KiB each in the answer: 1.4 MiB of text */
    FLUSH_BYTES = 1 << 20, /* of lines, and then they are written */
    LARGE_TRIES = 10,      /* for a value that is written again and again meanwhile */
    STATUS_CHANGED = 412,
};

enum export_extra { EXPORT_PREFIX, EXPORT_AFTER, EXPORT_RESUME, EXPORT_EXTRA_COUNT };

static const struct option_def export_extras[EXPORT_EXTRA_COUNT] = {
    [EXPORT_PREFIX] = {"prefix", 'p', true},
    [EXPORT_AFTER] = {"after", 0, true},
    [EXPORT_RESUME] = {"resume", 0, false},
};

struct batch {
    struct transfer_reply reply;
    struct export_key keys[BATCH_KEYS];
    size_t key_count;
    char text[BATCH_KEYS * KEY_BYTES_MAX]; /* the keys' bytes */
    size_t text_len;
};

struct dump {
    struct client *client;
    struct transfer transfer;
    struct export_file file;
    struct buf out;
    struct export_page page;
    struct batch *batches; /* BATCHES of them, a ring */
    size_t batch_at, batch_count;
    uint64_t written;
    uint64_t unwritten; /* entries in `out` */
    uint64_t gone;      /* keys whose entry ended before it was read */
    bool is_known;      /* the batch at hand is of the same run of the node */
};

/* RC_REFUSED when another run of the node answers, or none. It was said. */
static enum rc check_node(struct dump *d)
{
    char where[NODE_TEXT_SIZE + 16];
    bool is_same = false;
    const enum rc rc = transfer_is_same(&d->transfer, &is_same);
    if (rc != RC_OK || is_same) {
        return rc;
    }
    client_say(d->client,
               "%s was started again, or another node answers there: what it lists may not be all",
               client_server_text(&d->transfer.server, where, sizeof(where)));
    return RC_REFUSED;
}

/* ---- Batches ---- */

/* The body of a batch read: the keys that are text, and the others. */
static enum rc write_body(struct batch *b)
{
    char text[JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX) + 1];
    struct buf *body = &b->reply.body;
    enum rc rc = RC_OK;
    buf_clear(body);
    for (int round = 0; round < 2; round++) {
        const bool is_text = round == 0;
        const char *name = is_text ? "{\"keys\":[" : "],\"keys_base64\":[";
        bool has_comma = false;
        rc = rc == RC_OK ? buf_append(body, name, strlen(name)) : rc;
        for (size_t i = 0; i < b->key_count && rc == RC_OK; i++) {
            const struct export_key *key = &b->keys[i];
            size_t len = 0;
            if (key->is_text != is_text) {
                continue;
            }
            if (has_comma) {
                text[len++] = ',';
            }
            has_comma = true;
            if (is_text) {
                len += json_out_quote((const uint8_t *)key->bytes, key->len, text + len);
            } else {
                text[len++] = '"';
                len += base64_encode((const uint8_t *)key->bytes, key->len, text + len);
                text[len++] = '"';
            }
            rc = buf_append(body, text, len);
        }
    }
    return rc == RC_OK ? buf_append(body, "]}", 2) : rc;
}

static void add_key(struct batch *b, const struct export_key *key)
{
    memcpy(b->text + b->text_len, key->bytes, key->len);
    b->keys[b->key_count++] = (struct export_key){b->text + b->text_len, key->len, key->is_text};
    b->text_len += key->len;
}

static enum rc ask_batch(struct dump *d, struct batch *b)
{
    const enum rc rc = write_body(b);
    if (rc != RC_OK) {
        client_say(d->client, "%s", rc_text(rc));
        return rc;
    }
    return transfer_reply_send(&d->transfer, &b->reply, "POST", "/v1/mget", "");
}

/* Asks for the next keys of the page. */
static enum rc next_batch(struct dump *d)
{
    struct export_page *p = &d->page;
    struct batch *b = &d->batches[(d->batch_at + d->batch_count) % BATCHES];
    b->key_count = b->text_len = 0;
    while (p->next < p->key_count && b->key_count < BATCH_KEYS) {
        add_key(b, &p->keys[p->next++]);
    }
    d->batch_count++;
    return ask_batch(d, b);
}

/* ---- Entries ---- */

/* Of standard output main() says it. */
static void say_unwritten(const struct dump *d, enum rc rc)
{
    if (rc != RC_IO || !d->file.is_stdout) {
        client_say(d->client, "%s", rc == RC_IO ? d->file.problem : rc_text(rc));
    }
}

/* Writes the lines that are there; only then they count. What is wrong was said. */
static enum rc flush(struct dump *d)
{
    const enum rc rc = export_file_write(&d->file, buf_data(&d->out), d->out.len);
    buf_clear(&d->out);
    if (rc != RC_OK) {
        say_unwritten(d, rc);
        return rc;
    }
    d->written += d->unwritten;
    d->unwritten = 0;
    return RC_OK;
}

/* There is always room for one more line, however large its value. */
static enum rc write_entry(struct dump *d, const struct export_line *entry, const char *value)
{
    const enum rc rc = export_line_write(&d->out, entry, value);
    if (rc != RC_OK) {
        client_say(d->client, "%s", rc_text(rc));
        return rc;
    }
    d->unwritten++;
    return d->out.len >= FLUSH_BYTES ? flush(d) : RC_OK;
}

/* A key has no entry any more, unless it is the node that has lost it. */
static enum rc pass_over(struct dump *d)
{
    const enum rc rc = d->is_known ? RC_OK : check_node(d);
    d->is_known = rc == RC_OK;
    d->gone += rc == RC_OK;
    return rc;
}

static bool read_times(const cJSON *item, struct export_line *entry)
{
    const char *expires =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "expires_at"));
    const char *created =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "created_at"));
    return expires != NULL && created != NULL &&
           rfc3339_parse(expires, &entry->expires_ms) == RC_OK &&
           rfc3339_parse(created, &entry->created_ms) == RC_OK;
}

/* Writes what a GET has brought. */
static enum rc write_large(struct dump *d, const struct export_line *entry,
                           const struct transfer_reply *r)
{
    char *text = malloc(BASE64_TEXT_MAX(r->answer.len) + 1);
    if (text == NULL) {
        client_say(d->client, "a value of %zu bytes: %s", r->answer.len, rc_text(RC_NO_MEMORY));
        return RC_NO_MEMORY;
    }
    text[base64_encode(buf_data(&r->answer), r->answer.len, text)] = '\0';
    const enum rc rc = write_entry(d, entry, text);
    free(text);
    return rc;
}

/* A GET of the version that the batch has shown, so that its times belong to the value. */
static enum rc get_large(struct dump *d, const struct export_line *entry, const cJSON *item,
                         struct transfer_reply *reply)
{
    char target[CLIENT_TARGET_MAX], lines[128], key[KEY_BYTES_MAX + 1];
    const char *etag = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "etag"));
    memcpy(key, entry->key, entry->key_len);
    key[entry->key_len] = '\0';
    (void)snprintf(lines, sizeof(lines), "If-Match: \"%.64s\"\r\n", etag != NULL ? etag : "");
    if (client_data_target(key, "", target, sizeof(target)) != RC_OK) {
        return transfer_no_sense(&d->transfer, "/v1/mget");
    }
    buf_clear(&reply->body);
    const enum rc rc = transfer_reply_send(&d->transfer, reply, "GET", target, lines);
    return rc == RC_OK ? transfer_reply_wait(&d->transfer, reply) : rc;
}

static enum rc emit_one(struct dump *d, const cJSON *item, struct export_line *entry);

/* Whether the value is one to be got by itself. */
static bool is_omitted(const cJSON *item)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "value_omitted"));
}

/* The entry was replaced since its batch: a batch of its own shows the new one. */
static enum rc emit_again(struct dump *d, const struct export_line *entry, struct batch *own)
{
    const struct export_key key = {(const char *)entry->key, entry->key_len,
                                   json_out_is_utf8(entry->key, entry->key_len)};
    own->key_count = own->text_len = 0;
    add_key(own, &key);
    const enum rc rc = ask_batch(d, own);
    return rc == RC_OK ? transfer_reply_wait(&d->transfer, &own->reply) : rc;
}

/* A value that the batch has left out. */
static enum rc emit_large(struct dump *d, const cJSON *item, struct export_line *entry)
{
    struct batch *own = mem_new(1, sizeof(*own));
    struct transfer_reply reply = {.status = 0};
    cJSON *root = NULL;
    enum rc rc = RC_AGAIN;
    transfer_reply_init(&reply);
    transfer_reply_init(&own->reply);
    for (int tries = 0; rc == RC_AGAIN && tries < LARGE_TRIES; tries++) {
        rc = get_large(d, entry, item, &reply);
        if (rc != RC_OK) {
            break;
        }
        if (reply.status == 404) {
            d->is_known = false; /* this answer is later than those before */
            rc = pass_over(d);
        } else if (reply.status == 200) {
            rc = write_large(d, entry, &reply);
        } else if (reply.status == STATUS_CHANGED) {
            rc = emit_again(d, entry, own);
            d->is_known = false;
            cJSON_Delete(root);
            root = rc == RC_OK ? transfer_reply_json(&own->reply) : NULL;
            item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "entries"), 0);
            const bool is_large = is_omitted(item) && read_times(item, entry);
            rc = rc != RC_OK ? rc : (is_large ? RC_AGAIN : emit_one(d, item, entry));
        } else {
            rc = transfer_reply_refused(&d->transfer, &reply, "the GET of a large value");
        }
    }
    if (rc == RC_AGAIN) {
        client_say(d->client, "a large value changes faster than it can be read");
    }
    cJSON_Delete(root);
    transfer_reply_fini(&reply);
    transfer_reply_fini(&own->reply);
    free(own);
    return rc;
}

/* One entry of a batch's answer, whose key is in *entry. */
static enum rc emit_one(struct dump *d, const cJSON *item, struct export_line *entry)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(item, "found");
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "value"));
    if (cJSON_IsFalse(found)) {
        return pass_over(d);
    }
    /* A file that lacks entries is none that somebody should rely on. */
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "forbidden"))) {
        client_say(d->client, "the token may list keys that it may not read; an export needs both");
        return RC_REFUSED;
    }
    if (!read_times(item, entry) || (value == NULL && !is_omitted(item))) {
        return transfer_no_sense(&d->transfer, "/v1/mget");
    }
    return value != NULL ? write_entry(d, entry, value) : emit_large(d, item, entry);
}

/* Writes the entries of a batch in the order of their keys. In the answer, those whose key is text
 * come first. */
static enum rc emit_batch(struct dump *d, const struct batch *b)
{
    if (b->reply.status != 200) {
        return transfer_reply_refused(&d->transfer, &b->reply, "/v1/mget");
    }
    d->is_known = false;
    cJSON *root = transfer_reply_json(&b->reply);
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(root, "entries");
    const cJSON *text = cJSON_GetArrayItem(entries, 0);
    const cJSON *other = text;
    enum rc rc = (size_t)cJSON_GetArraySize(entries) == b->key_count
                     ? RC_OK
                     : transfer_no_sense(&d->transfer, "/v1/mget");
    for (size_t i = 0; i < b->key_count && rc == RC_OK; i++) {
        other = b->keys[i].is_text ? other->next : other;
    }
    for (size_t i = 0; i < b->key_count && rc == RC_OK; i++) {
        struct export_line entry = {.key_len = b->keys[i].len};
        const cJSON **from = b->keys[i].is_text ? &text : &other;
        memcpy(entry.key, b->keys[i].bytes, b->keys[i].len);
        rc = emit_one(d, *from, &entry);
        *from = (*from)->next;
    }
    cJSON_Delete(root);
    /* What came before a failure is written too, so that --resume gets further. */
    const enum rc flushed = rc == RC_IO ? rc : flush(d);
    rc = rc == RC_OK ? flushed : rc;
    transfer_show(&d->transfer, "exported", d->written,
                  d->client->extras[EXPORT_PREFIX] == NULL ? d->transfer.keys : 0);
    return rc;
}

/* ---- The run ---- */

static enum rc run(struct dump *d)
{
    struct export_page *p = &d->page;
    enum rc rc = export_page_ask(p, &d->transfer);
    while (rc == RC_OK) {
        const struct batch *oldest = &d->batches[d->batch_at];
        const bool is_used_up = p->next == p->key_count;
        if (d->batch_count > 0 && oldest->reply.is_done) {
            rc = emit_batch(d, oldest);
            d->batch_at = (d->batch_at + 1) % BATCHES;
            d->batch_count--;
        } else if (is_used_up && p->is_asked && p->reply.is_done && d->batch_count == 0) {
            /* What was asked before it is written even if this page turns out to be no use. */
            rc = check_node(d);
            rc = rc == RC_OK ? export_page_take(p, &d->transfer) : rc;
        } else if (!is_used_up && d->batch_count < BATCHES) {
            rc = next_batch(d);
        } else if (is_used_up && !p->is_asked && d->batch_count == 0) {
            return RC_OK;
        } else {
            rc = transfer_step(&d->transfer);
        }
    }
    return rc;
}

/* Behind which key the listing begins. */
static void set_start(struct dump *d)
{
    const char *after = d->client->extras[EXPORT_AFTER];
    if (after != NULL) {
        export_page_start(&d->page, (const uint8_t *)after, strlen(after));
    } else {
        export_page_start(&d->page, d->file.after, d->file.after_len);
    }
}

static enum rc write_head(struct dump *d)
{
    /* Lines that are to stand behind those of another export need no head of their own. */
    if (d->file.has_head || d->client->extras[EXPORT_AFTER] != NULL) {
        return RC_OK;
    }
    const enum rc rc = export_line_write_head(&d->out, d->transfer.clock_ms, d->transfer.network,
                                              d->transfer.enclave);
    if (rc != RC_OK) {
        say_unwritten(d, rc);
        return rc;
    }
    return flush(d);
}

static int dump_entries(struct dump *d)
{
    enum rc rc = write_head(d);
    set_start(d);
    rc = rc == RC_OK ? run(d) : rc;
    const enum rc closed = export_file_close(&d->file);
    transfer_end(&d->transfer);
    if (rc == RC_OK && closed != RC_OK) {
        say_unwritten(d, closed);
    }
    const bool is_whole = rc == RC_OK && closed == RC_OK;
    if (d->client->is_json) {
        (void)fprintf(stderr, "{\"exported\":%" PRIu64 ",\"ended\":%" PRIu64 ",\"complete\":%s}\n",
                      d->written, d->gone, is_whole ? "true" : "false");
    } else if (is_whole || !d->file.is_stdout || output_has_reader()) {
        /* Who has gone, as `head` has, had what it wanted. */
        client_say(d->client, "%" PRIu64 " entries%s", d->written,
                   is_whole ? "" : ", and not all; --resume, or --after the last key, goes on");
    }
    return is_whole ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int check_words(const struct client *c)
{
    const char *after = c->extras[EXPORT_AFTER];
    const bool is_file = c->word_count > 0 && strcmp(c->words[0], "-") != 0;
    if (c->extras[EXPORT_RESUME] != NULL && (!is_file || after != NULL)) {
        client_say(c, "--resume takes a file, and no --after; see repram export --help");
        return EXIT_CODE_USAGE;
    }
    if (after != NULL && (*after == '\0' || strlen(after) > CLIENT_KEY_MAX)) {
        client_say(c, "--after takes a key, of 1 to %d bytes", CLIENT_KEY_MAX);
        return EXIT_CODE_USAGE;
    }
    return -1;
}

static int export_entries(struct client *c)
{
    const struct transfer_shape shape = {.connections = CONNECTIONS,
                                         .depth =
                                             BATCHES + 2, /* a page, and one that is waited for */
                                         .body_max = CLIENT_BODY_MAX,
                                         .pending_max = TRANSFER_BODY_MAX};
    const int wrong = check_words(c);
    if (wrong >= 0) {
        return wrong;
    }
    struct dump *d = mem_new(1, sizeof(*d));
    int code = EXIT_CODE_FAILED;
    d->client = c;
    d->batches = mem_new(BATCHES, sizeof(*d->batches));
    buf_init(&d->out, FLUSH_BYTES + EXPORT_LINE_MAX);
    export_page_init(&d->page, c->extras[EXPORT_PREFIX]);
    for (size_t i = 0; i < BATCHES; i++) {
        transfer_reply_init(&d->batches[i].reply);
    }
    if (!transfer_begin(&d->transfer, c, &shape)) {
        transfer_end(&d->transfer);
    } else if (export_file_open(&d->file, c->word_count > 0 ? c->words[0] : NULL,
                                c->extras[EXPORT_RESUME] != NULL) != RC_OK) {
        transfer_end(&d->transfer);
        client_say(c, "%s", d->file.problem);
    } else {
        code = dump_entries(d);
    }
    export_page_fini(&d->page);
    for (size_t i = 0; i < BATCHES; i++) {
        transfer_reply_fini(&d->batches[i].reply);
    }
    buf_fini(&d->out);
    free(d->batches);
    free(d);
    return code;
}

int command_export(int argc, char **argv)
{
    const struct client_usage usage = {.extras = export_extras,
                                       .extra_count = EXPORT_EXTRA_COUNT,
                                       .words_max = 1,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, export_entries);
}
