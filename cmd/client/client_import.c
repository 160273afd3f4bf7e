/*
 * `repram import`: writes what `repram export` wrote, with the time that each entry has left.
 *
 * No entry lives longer than it did. A PUT takes whole seconds and counts them from when it
 * arrives, so the seconds are rounded down, with a moment left for the way. The version in the
 * answer tells when it was taken; what would end too late is written again, shorter, if it is still
 * ours. Where an answer was lost, and the write that was said again finds something there, that is
 * looked at: it may be ours. Entries that have ended, or whose time lies outside the target's
 * bounds, are skipped and counted: the target would change it.
 *
 * A key that is there is left alone, unless --overwrite was given. So an import that was broken off
 * begins anew and only writes what is missing. Memory is bounded by the requests under way.
 */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/client/export_line.h"
#include "cmd/client/line_reader.h"
#include "cmd/client/transfer.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/siphash.h"
#include "core/base/units.h"
#include "net/sys/rfc3339.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 15000, /* of an answer, and of a node that fails */
    CONNECTIONS = 16,
    DEPTH = 32,
    PENDING_MAX = 64 << 20,
    WAY_MS = 200, /* what a write may take until it is there, usually */
    ROOM_S = 2,   /* beyond the target's least TTL, so that what was taken late can be shortened */
    MS_PER_S = 1000,
    BUCKETS = 256, /* for CONNECTIONS * DEPTH entries */
    TRIES_MAX = 4, /* of one entry, each shorter */
    ETAG_SIZE = 64,
    ETAG_MS_DIGITS = 12, /* a version begins with 48 bits of milliseconds */
    SHOWN_MAX = 10,      /* entries that were refused, with their lines */
    STATUS_GONE = 404,
    STATUS_THERE = 412,
    STATUS_FULL = 507,
};

enum import_extra { IMPORT_OVERWRITE, IMPORT_EXTRA_COUNT };

static const struct option_def import_extras[IMPORT_EXTRA_COUNT] = {
    [IMPORT_OVERWRITE] = {"overwrite", 0, false},
};

struct intake {
    struct client *client;
    struct transfer transfer;
    struct line_reader reader;
    const char *name;                /* of the file, for people */
    uint64_t size;                   /* of the file; 0 when that is not known */
    struct item *under_way[BUCKETS]; /* or late; by their keys, chained */
    struct item *late, **late_end;
    bool is_full;
    uint64_t stored, there, ended, outside, refused;
    uint64_t longer; /* stored, and could not be made to end in time */
    uint64_t single; /* stored, and the node named nobody else that holds it */
};

/* An entry under way. */
struct item {
    struct transfer_ask ask;
    struct intake *intake;
    struct export_line entry;
    uint64_t line;
    uint64_t ttl_s;
    uint32_t tries; /* of writing it */
    bool is_look;   /* it is read, as only that can tell when it ends */
    bool is_counted;
    char lines[ETAG_SIZE + 32]; /* the condition */
    struct item *next;          /* of those that are late */
    struct item *meet;          /* of the same bucket */
};

static struct item *item_new(struct intake *in)
{
    struct item *item = mem_new(1, sizeof(*item));
    item->intake = in;
    return item;
}

static void item_drop(struct item *item)
{
    export_line_fini(&item->entry);
    free(item->ask.target);
    free(item);
}

static struct item **bucket_of(struct intake *in, const struct export_line *entry)
{
    static const uint8_t seed[SIPHASH_KEY_BYTES]; /* few are under way, whatever keys meet */
    return &in->under_way[siphash(seed, entry->key, entry->key_len) % BUCKETS];
}

static bool is_under_way(struct intake *in, const struct export_line *entry)
{
    const struct item *item = *bucket_of(in, entry);
    while (item != NULL && (item->entry.key_len != entry->key_len ||
                            memcmp(item->entry.key, entry->key, entry->key_len) != 0)) {
        item = item->meet;
    }
    return item != NULL;
}

static void item_begin(struct item *item)
{
    struct item **bucket = bucket_of(item->intake, &item->entry);
    item->meet = *bucket;
    *bucket = item;
}

static void item_free(struct item *item)
{
    struct item **at = bucket_of(item->intake, &item->entry);
    while (*at != item) {
        at = &(*at)->meet;
    }
    *at = item->meet;
    item_drop(item);
}

static void drop_all(struct intake *in)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct item *item = in->under_way[i], *after = NULL; item != NULL; item = after) {
            after = item->meet;
            item_drop(item);
        }
    }
}

/* ---- Answers ---- */

/* Why the node refused an entry: its code. */
static void say_refused(struct intake *in, const struct item *item,
                        const struct pipeline_answer *answer)
{
    in->refused++;
    if (in->refused > SHOWN_MAX) {
        return;
    }
    if (answer->rc != RC_OK) {
        client_say(in->client, "%s line %" PRIu64 ": %s", in->name, item->line, answer->error);
        return;
    }
    cJSON *root = cJSON_ParseWithLength((const char *)answer->body, answer->body_len);
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "code"));
    client_say(in->client, "%s line %" PRIu64 ": the node answers %d%s%.64s", in->name, item->line,
               answer->status, code != NULL ? " " : "", code != NULL ? code : "");
    cJSON_Delete(root);
}

/* When it was written. The answer to a write has only the version, whose stamp may run ahead of the
 * clock, and then it was earlier. */
static bool read_written(const struct pipeline_answer *answer, uint64_t *ret_ms)
{
    const char *created = pipeline_header_of(answer, "X-Created-At");
    const char *etag = pipeline_header_of(answer, "ETag");
    if (etag == NULL || created != NULL) {
        return etag != NULL && rfc3339_parse(created, ret_ms) == RC_OK;
    }
    return strlen(etag) >= 1 + ETAG_MS_DIGITS &&
           parse_hex_u64(etag + 1, ETAG_MS_DIGITS, ret_ms) == RC_OK;
}

static bool read_ttl(const struct pipeline_answer *answer, uint64_t *ret_s)
{
    const char *ttl = pipeline_header_of(answer, "X-Original-TTL");
    return ttl != NULL && parse_u64(ttl, strlen(ttl), UINT32_MAX, ret_s) == RC_OK;
}

/* When the entry will end at the latest; 0 when the answer does not say. */
static uint64_t end_of(const struct pipeline_answer *answer, uint64_t ttl_s)
{
    uint64_t written_ms = 0, seconds = 0;
    if (!read_written(answer, &written_ms) || !read_ttl(answer, &seconds)) {
        return 0;
    }
    return written_ms + (seconds > ttl_s ? seconds : ttl_s) * MS_PER_S;
}

/* Whether what a GET has brought is what this item wrote, though the answer to that was lost: its
 * value, its TTL, and written since the import began. Who else has written just that meanwhile is
 * another import of the same entry. */
static bool is_ours(const struct item *item, const struct pipeline_answer *answer)
{
    uint64_t written_ms = 0, seconds = 0;
    return read_written(answer, &written_ms) && written_ms >= item->intake->transfer.clock_ms &&
           read_ttl(answer, &seconds) && seconds == item->ttl_s &&
           answer->body_len == item->entry.value_len &&
           (answer->body_len == 0 ||
            memcmp(answer->body, item->entry.value, answer->body_len) == 0);
}

static void send_later(struct item *item, bool is_look)
{
    struct intake *in = item->intake;
    item->is_look = is_look;
    item->next = NULL;
    *in->late_end = item;
    in->late_end = &item->next;
}

/* True when there is more to be done, as it would end too late: it is written again with less time;
 * or looked at, where only its own times can tell. */
static bool is_too_late(struct item *item, const struct pipeline_answer *answer)
{
    struct intake *in = item->intake;
    const uint64_t end_ms = end_of(answer, item->ttl_s);
    if (end_ms != 0 && end_ms <= item->entry.expires_ms) {
        return false;
    }
    const uint64_t excess_s =
        end_ms == 0 ? 0 : (end_ms - item->entry.expires_ms + MS_PER_S - 1) / MS_PER_S;
    if (end_ms != 0 && item->tries < TRIES_MAX &&
        item->ttl_s >= in->transfer.ttl_min_s + excess_s) {
        (void)snprintf(item->lines, sizeof(item->lines), "If-Match: %.60s\r\n",
                       pipeline_header_of(answer, "ETag"));
        item->ttl_s -= excess_s;
        send_later(item, false);
        return true;
    }
    if (!item->is_look) {
        send_later(item, true);
        return true;
    }
    in->longer++;
    return false;
}

static void count(struct item *item, uint64_t *counter)
{
    *counter += !item->is_counted;
    item->is_counted = true;
}

static bool is_single(const struct pipeline_answer *answer)
{
    const char *replicas = pipeline_header_of(answer, "X-Replicas");
    return replicas == NULL || strncmp(replicas, "1/", 2) == 0;
}

static void written(struct transfer_ask *ask, const struct pipeline_answer *answer)
{
    struct item *item = ask->arg;
    struct intake *in = item->intake;
    if (answer->rc == RC_OK && (answer->status == 201 || answer->status == 202)) {
        count(item, &in->stored);
        in->single += is_single(answer);
        if (is_too_late(item, answer)) {
            return;
        }
    } else if (answer->rc == RC_OK && answer->status == STATUS_THERE) {
        if (ask->is_doubtful) {
            send_later(item, true);
            return;
        }
        /* Of a later try: somebody has replaced it, and its end is no more ours. */
        count(item, &in->there);
    } else if (answer->rc == RC_OK && answer->status == STATUS_FULL) {
        in->is_full = true;
    } else {
        say_refused(in, item, answer);
    }
    item_free(item);
}

static void looked_at(struct transfer_ask *ask, const struct pipeline_answer *answer)
{
    struct item *item = ask->arg;
    struct intake *in = item->intake;
    if (answer->rc == RC_OK && answer->status == 200 && is_ours(item, answer)) {
        count(item, &in->stored);
        if (is_too_late(item, answer)) {
            return;
        }
    } else if (answer->rc == RC_OK && (answer->status == 200 || answer->status == STATUS_GONE)) {
        count(item, &in->there);
    } else {
        say_refused(in, item, answer);
    }
    item_free(item);
}

/* ---- Entries ---- */

/* What is left of it when `way_ms` have passed. */
static uint64_t seconds_left(const struct intake *in, const struct export_line *entry,
                             uint64_t way_ms)
{
    const uint64_t then_ms = transfer_now_ms(&in->transfer) + way_ms;
    return entry->expires_ms > then_ms ? (entry->expires_ms - then_ms) / MS_PER_S : 0;
}

/* It may have waited, and the next write may take as long as the last one: each leaves a second
 * more for the way, where there is room for that. */
static void leave_time(const struct intake *in, struct item *item)
{
    const uint64_t left_s =
        seconds_left(in, &item->entry, WAY_MS + (uint64_t)item->tries * MS_PER_S);
    const uint64_t least_s = in->transfer.ttl_min_s;
    item->ttl_s = min_u64(item->ttl_s, left_s > least_s ? left_s : least_s);
}

static enum rc send_item(struct intake *in, struct item *item)
{
    char target[CLIENT_TARGET_MAX], query[32], key[KEY_BYTES_MAX + 1];
    memcpy(key, item->entry.key, item->entry.key_len);
    key[item->entry.key_len] = '\0';
    (void)snprintf(query, sizeof(query), "ttl=%" PRIu64, item->ttl_s);
    enum rc rc = client_data_target(key, item->is_look ? "" : query, target, sizeof(target));
    if (rc == RC_OK) {
        const size_t len = strlen(target);
        item->ask = (struct transfer_ask){.method = item->is_look ? "GET" : "PUT",
                                          .target = mem_new(len + 1, 1),
                                          .lines = item->is_look ? "" : item->lines,
                                          .body = item->entry.value,
                                          .body_len = item->is_look ? 0 : item->entry.value_len,
                                          .done = item->is_look ? looked_at : written,
                                          .arg = item};
        memcpy(item->ask.target, target, len);
        item->tries += !item->is_look;
        rc = transfer_send(&in->transfer, &item->ask);
    }
    if (rc != RC_OK) {
        item_free(item);
    }
    return rc;
}

static enum rc send_late(struct intake *in)
{
    struct item *item = in->late;
    in->late = item->next;
    in->late_end = in->late == NULL ? &in->late : in->late_end;
    if (!item->is_look) {
        leave_time(in, item);
    }
    return send_item(in, item);
}

/* Of several lines of one key the first is done before the next begins, even where it is said
 * again: the file's order decides which one stays. */
static enum rc wait_for_key(struct intake *in, const struct export_line *entry)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && is_under_way(in, entry)) {
        rc = in->late != NULL ? send_late(in) : transfer_step(&in->transfer);
    }
    return rc;
}

/* The seconds that it may live there; 0 when it is skipped. */
static uint64_t time_left_s(struct intake *in, const struct export_line *entry)
{
    if (entry->expires_ms <= transfer_now_ms(&in->transfer)) {
        in->ended++;
        return 0;
    }
    const uint64_t seconds = seconds_left(in, entry, WAY_MS);
    if (seconds < in->transfer.ttl_min_s + ROOM_S || seconds > in->transfer.ttl_max_s) {
        in->outside++;
        return 0;
    }
    return seconds;
}

static enum rc begin(struct intake *in, struct item *item)
{
    const enum rc rc = wait_for_key(in, &item->entry);
    if (rc != RC_OK || in->is_full) {
        item_drop(item);
        return rc;
    }
    item_begin(item);
    return send_item(in, item);
}

/* Sends what a line says. RC_MALFORMED when it says nothing that makes sense. */
static enum rc take_line(struct intake *in, const char *text, size_t len)
{
    struct item *item = item_new(in);
    const char *wrong = export_line_read(text, len, &item->entry);
    if (wrong == NULL && in->reader.number == 1 && !item->entry.is_head) {
        wrong = "it is no head of an export";
    }
    item->line = in->reader.number;
    item->ttl_s = wrong == NULL && !item->entry.is_head ? time_left_s(in, &item->entry) : 0;
    if (item->ttl_s > 0) {
        const bool overwrites = in->client->extras[IMPORT_OVERWRITE] != NULL;
        (void)snprintf(item->lines, sizeof(item->lines), "%s",
                       overwrites ? "" : "If-None-Match: *\r\n");
        return begin(in, item);
    }
    item_drop(item);
    if (wrong != NULL) {
        client_say(in->client, "%s line %" PRIu64 ": %s%s", in->name, in->reader.number, wrong,
                   in->reader.is_cut ? ", and it has no end: the export was broken off" : "");
    }
    return wrong == NULL ? RC_OK : RC_MALFORMED;
}

static enum rc next_line(struct intake *in)
{
    const char *text = NULL;
    size_t len = 0;
    const enum rc rc = line_reader_next(&in->reader, &text, &len);
    if (rc == RC_OK) {
        return take_line(in, text, len);
    }
    if (rc == RC_NOT_FOUND && in->reader.number == 0) {
        client_say(in->client, "%s is empty: it is no export", in->name);
        return RC_MALFORMED;
    }
    if (rc != RC_NOT_FOUND) {
        client_say(in->client, "%s line %" PRIu64 ": %s", in->name, in->reader.number,
                   rc == RC_IO ? strerror(errno)
                               : (rc == RC_TOO_LONG ? "it is longer than any entry" : rc_text(rc)));
    }
    return rc;
}

/* ---- The run ---- */

static void show(struct intake *in)
{
    const uint64_t done = in->stored + in->there + in->ended + in->outside + in->refused;
    const uint64_t total =
        in->reader.bytes > 0
            ? (uint64_t)((double)done * (double)in->size / (double)in->reader.bytes)
            : 0;
    transfer_show(&in->transfer, "imported", done, total);
}

/* Reads until the end, or until something is wrong; then what is under way is waited for, unless
 * the node is away. */
static enum rc run(struct intake *in)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && !in->is_full) {
        if (in->late != NULL) {
            rc = send_late(in);
        } else if (!transfer_is_idle(&in->transfer) && line_reader_would_wait(&in->reader)) {
            rc = transfer_step(&in->transfer);
        } else {
            rc = next_line(in);
        }
        show(in);
    }
    const enum rc why = rc;
    rc = rc == RC_REFUSED ? rc : RC_OK;
    while (rc == RC_OK && (!transfer_is_idle(&in->transfer) || in->late != NULL)) {
        rc = in->late != NULL ? send_late(in) : transfer_step(&in->transfer);
        show(in);
    }
    return rc != RC_OK ? rc : why;
}

/* A node that was alone has lost what it took when it starts again. False when that may be, or is
 * not known; it was said. */
static bool is_kept(struct intake *in)
{
    char where[NODE_TEXT_SIZE + 16];
    bool is_same = true;
    const enum rc rc = in->single > 0 ? transfer_is_same(&in->transfer, &is_same) : RC_OK;
    if (rc == RC_OK && !is_same) {
        client_say(in->client,
                   "%s was started again, or another node answers there: what only it held may be "
                   "lost; import again",
                   client_server_text(&in->transfer.server, where, sizeof(where)));
    }
    return rc == RC_OK && is_same;
}

static void print(const struct intake *in, bool is_whole)
{
    if (in->client->is_json) {
        (void)printf("{\"imported\":%" PRIu64 ",\"already_there\":%" PRIu64 ",\"ended\":%" PRIu64
                     ",\"outside_ttl_bounds\":%" PRIu64 ",\"refused\":%" PRIu64
                     ",\"longer\":%" PRIu64 ",\"complete\":%s}\n",
                     in->stored, in->there, in->ended, in->outside, in->refused, in->longer,
                     is_whole ? "true" : "false");
        return;
    }
    (void)printf("imported %" PRIu64 " entries\n", in->stored);
    const struct {
        uint64_t count;
        const char *text;
    } skipped[] = {{in->there, "there already"},
                   {in->ended, "ended"},
                   {in->outside, "outside the target's bounds of a TTL"},
                   {in->refused, "refused"}};
    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        if (skipped[i].count > 0) {
            (void)printf("skipped %" PRIu64 ": %s\n", skipped[i].count, skipped[i].text);
        }
    }
    if (in->longer > 0) {
        (void)printf("%" PRIu64 " of them end later than they did\n", in->longer);
    }
}

static int import_lines(struct intake *in, int fd)
{
    line_reader_init(&in->reader, fd, EXPORT_LINE_MAX);
    const enum rc rc = run(in);
    line_reader_fini(&in->reader);
    const bool is_whole = rc == RC_NOT_FOUND && !in->is_full && is_kept(in);
    transfer_end(&in->transfer);
    drop_all(in);
    if (in->is_full) {
        client_say(in->client, "the node is full; import again when entries have ended");
    }
    print(in, is_whole);
    return is_whole && in->refused == 0 && in->longer == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int import(struct client *c)
{
    const struct transfer_shape shape = {.connections = CONNECTIONS,
                                         .depth = DEPTH,
                                         .body_max =
                                             CLIENT_BODY_MAX, /* where an entry is looked at */
                                         .pending_max = PENDING_MAX};
    const bool is_stdin = c->word_count == 0 || strcmp(c->words[0], "-") == 0;
    const int fd = is_stdin ? STDIN_FILENO : open(c->words[0], O_RDONLY | O_CLOEXEC);
    struct intake in = {.client = c, .name = is_stdin ? "standard input" : c->words[0]};
    struct stat st;
    int code = EXIT_CODE_FAILED;
    if (fd < 0) {
        client_say(c, "%s: %s", in.name, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    in.late_end = &in.late;
    in.size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (transfer_begin(&in.transfer, c, &shape)) {
        code = import_lines(&in, fd);
    } else {
        transfer_end(&in.transfer);
    }
    if (!is_stdin) {
        (void)close(fd);
    }
    return code;
}

int command_import(int argc, char **argv)
{
    const struct client_usage usage = {.extras = import_extras,
                                       .extra_count = IMPORT_EXTRA_COUNT,
                                       .words_max = 1,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, import);
}
