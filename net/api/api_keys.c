#include "net/api/api_keys.h"

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/api/uri.h"
#include "net/http/json_out.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 16 * 1024,    /* of text; about what a socket takes at once */
    PIECE_KEYS = 512,           /* looked at; well under a millisecond */
    SIDE_BYTES_MAX = 64 * 1024, /* of base64 keys set aside */
    SIDE_PIECE_BYTES =
        4 * 1024, /* no more than the longest key needs, so it has room where that has */
    QUOTED_KEY_MAX = JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX) + 1, /* and a comma */
    CURSOR_TEXT_MAX = BASE64_TEXT_MAX(KEY_BYTES_MAX),
    LIMIT_TEXT_MAX = 16, /* leading zeroes are no mistake, a page of them is */
};

/* Written for each key that is passed over. The server asks for pieces until it has enough bytes
 * for one turn of its loop. Keys that left no bytes would all be passed over in one turn. JSON
 * allows spaces there. */
static const char PASSED_OVER[] = "        ";

enum stage {
    STAGE_BEGIN,
    STAGE_TEXT, /* walking; keys that are not UTF-8 are set aside */
    STAGE_SIDE, /* giving out what was set aside */
    STAGE_REST, /* walking again, for those that could not be set aside; never in a page */
    STAGE_CURSOR,
    STAGE_END,
};

struct listing {
    const struct engine *engine;
    struct api_clock clock;
    enum stage stage;
    bool is_page;
    bool needs_comma;
    bool has_rest; /* the side buffer is full: the rest begins after `rest` */
    uint64_t left; /* keys that the page may still hold */
    size_t prefix_len;
    size_t last_len; /* 0: from the start */
    size_t rest_len;
    uint8_t prefix[KEY_BYTES_MAX];
    uint8_t last[KEY_BYTES_MAX];
    uint8_t rest[KEY_BYTES_MAX];
    struct buf side;
};

static enum rc next_key(const struct listing *l, struct record *ret_record)
{
    return engine_next_key(l->engine, l->prefix, l->prefix_len, l->last, l->last_len,
                           l->clock.now_us(l->clock.arg), ret_record);
}

static void set_last(struct listing *l, const struct record *r)
{
    memcpy(l->last, r->key, r->key_len);
    l->last_len = r->key_len;
}

static enum rc append_text(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

/* One array element, whole or not at all. */
static enum rc append_key(struct buf *out, const struct record *r, bool is_text, bool has_comma)
{
    char text[QUOTED_KEY_MAX];
    size_t len = 0;
    if (has_comma) {
        text[len++] = ',';
    }
    if (is_text) {
        len += json_out_quote(r->key, r->key_len, text + len);
    } else {
        text[len++] = '"';
        len += base64_encode(r->key, r->key_len, text + len);
        text[len++] = '"';
    }
    return buf_append(out, text, len);
}

/* ---- The stages. Each returns RC_OK when it has made a step; an error means that `out` has no
 * room now, and that the same step is to be made again. ---- */

static enum rc step_begin(struct listing *l, struct buf *out)
{
    const enum rc rc = append_text(out, "{\"keys\":[");
    if (rc == RC_OK) {
        l->stage = STAGE_TEXT;
    }
    return rc;
}

/* The first walk is over. */
static enum rc end_text(struct listing *l, struct buf *out)
{
    const bool has_side = l->side.len > 0;
    const enum rc rc = append_text(out, has_side ? "],\"keys_base64\":[" : "]");
    if (rc == RC_OK) {
        l->stage = has_side ? STAGE_SIDE : STAGE_CURSOR;
    }
    return rc;
}

/* A full listing's key for which there is no room aside: the second walk will come to it. */
static enum rc leave_for_rest(struct listing *l, struct buf *out)
{
    const enum rc rc = append_text(out, PASSED_OVER);
    if (rc == RC_OK && !l->has_rest) {
        memcpy(l->rest, l->last, l->last_len);
        l->rest_len = l->last_len;
        l->has_rest = true;
    }
    return rc;
}

static enum rc step_text(struct listing *l, struct buf *out)
{
    struct record r = {0};
    if (l->left == 0 || next_key(l, &r) != RC_OK) {
        return end_text(l, out);
    }
    enum rc rc = RC_OK;
    if (json_out_is_utf8(r.key, r.key_len)) {
        rc = append_key(out, &r, true, l->needs_comma);
        l->needs_comma = l->needs_comma || rc == RC_OK;
    } else if (l->has_rest || append_key(&l->side, &r, false, l->side.len > 0) != RC_OK) {
        if (l->is_page) {
            return end_text(l, out);
        }
        rc = leave_for_rest(l, out);
    }
    if (rc == RC_OK) {
        set_last(l, &r);
        l->left--;
    }
    return rc;
}

static enum rc end_side(struct listing *l, struct buf *out)
{
    const enum rc rc = append_text(out, "]");
    if (rc == RC_OK) {
        l->stage = STAGE_CURSOR;
    }
    return rc;
}

static enum rc step_side(struct listing *l, struct buf *out)
{
    const size_t len = l->side.len < SIDE_PIECE_BYTES ? l->side.len : SIDE_PIECE_BYTES;
    if (len == 0 && !l->has_rest) {
        return end_side(l, out);
    }
    if (len == 0) {
        memcpy(l->last, l->rest, l->rest_len);
        l->last_len = l->rest_len;
        l->stage = STAGE_REST;
        return RC_OK;
    }
    const enum rc rc = buf_append(out, buf_data(&l->side), len);
    if (rc == RC_OK) {
        buf_consume(&l->side, len);
    }
    return rc;
}

static enum rc step_rest(struct listing *l, struct buf *out)
{
    struct record r = {0};
    if (next_key(l, &r) != RC_OK) {
        return end_side(l, out);
    }
    const bool is_text = json_out_is_utf8(r.key, r.key_len);
    const enum rc rc = is_text ? append_text(out, PASSED_OVER) : append_key(out, &r, false, true);
    if (rc == RC_OK) {
        set_last(l, &r);
    }
    return rc;
}

/* The cursor is the last key of the page, and is there only when a key follows it. */
static enum rc step_cursor(struct listing *l, struct buf *out)
{
    static const char NAME[] = ",\"next_cursor\":\"";
    char text[sizeof(NAME) + CURSOR_TEXT_MAX + 2];
    size_t len = 0;
    struct record r = {0};
    if (l->is_page && l->last_len > 0 && next_key(l, &r) == RC_OK) {
        memcpy(text, NAME, sizeof(NAME) - 1);
        len = sizeof(NAME) - 1;
        len += base64_url_encode(l->last, l->last_len, text + len);
        text[len++] = '"';
    }
    text[len++] = '}';
    const enum rc rc = buf_append(out, text, len);
    if (rc == RC_OK) {
        l->stage = STAGE_END;
    }
    return rc;
}

static enum rc step(struct listing *l, struct buf *out)
{
    switch (l->stage) {
    case STAGE_BEGIN:
        return step_begin(l, out);
    case STAGE_TEXT:
        return step_text(l, out);
    case STAGE_SIDE:
        return step_side(l, out);
    case STAGE_REST:
        return step_rest(l, out);
    case STAGE_CURSOR:
        return step_cursor(l, out);
    case STAGE_END:
        break;
    }
    return RC_OK;
}

static bool listing_produce(void *arg, struct buf *out)
{
    struct listing *l = arg;
    const size_t start = out->len;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < PIECE_KEYS && rc == RC_OK; i++) {
        if (l->stage == STAGE_END || out->len - start >= PIECE_BYTES) {
            break;
        }
        rc = step(l, out);
    }
    if (l->stage == STAGE_END) {
        return false;
    }
    if (out->len > start) {
        return true;
    }
    /* Every key was set aside. A space keeps the stream going, as an empty piece would stop it. If
     * not even that fits, the answer ends cut short, which its client can see. */
    return buf_append(out, " ", 1) == RC_OK;
}

static void listing_done(void *arg)
{
    struct listing *l = arg;
    buf_fini(&l->side);
    free(l);
}

static struct listing *listing_new(const struct engine *e, const struct api_clock *clock)
{
    struct listing *l = mem_new(1, sizeof(*l));
    l->engine = e;
    l->clock = *clock;
    l->stage = STAGE_BEGIN;
    l->left = UINT64_MAX;
    buf_init(&l->side, SIDE_BYTES_MAX);
    return l;
}

/* ---- Parameters; each returns what is wrong with it, or NULL ---- */

static const char *read_prefix(struct http_text query, struct listing *l)
{
    struct http_text text = {0};
    const size_t count = uri_query(query, "prefix", &text);
    if (count > 1) {
        return "prefix is given more than once.";
    }
    if (count == 1 &&
        uri_decode_query(text, l->prefix, sizeof(l->prefix), &l->prefix_len) != RC_OK) {
        return "prefix is not percent-encoded, or longer than any key.";
    }
    return NULL;
}

static const char *read_limit(struct http_text query, struct listing *l)
{
    static const char WRONG[] = "limit is a number from 1 to 10000, given once.";
    struct http_text text = {0};
    uint8_t decoded[LIMIT_TEXT_MAX];
    size_t len = 0;
    const size_t count = uri_query(query, "limit", &text);
    if (count == 0) {
        return NULL;
    }
    uint64_t limit = 0;
    if (count > 1 || uri_decode_query(text, decoded, sizeof(decoded), &len) != RC_OK ||
        parse_u64((const char *)decoded, len, API_KEYS_LIMIT_MAX, &limit) != RC_OK || limit == 0) {
        return WRONG;
    }
    l->is_page = true;
    l->left = limit;
    return NULL;
}

static const char *read_cursor(struct http_text query, struct listing *l)
{
    static const char WRONG[] = "cursor is not one that a listing gave as next_cursor.";
    struct http_text text = {0};
    uint8_t decoded[CURSOR_TEXT_MAX];
    size_t len = 0;
    const size_t count = uri_query(query, "cursor", &text);
    if (count == 0) {
        return NULL;
    }
    if (count > 1 || uri_decode_query(text, decoded, sizeof(decoded), &len) != RC_OK ||
        base64_url_decode((const char *)decoded, len, l->last, sizeof(l->last), &l->last_len) !=
            RC_OK ||
        l->last_len == 0 || memchr(l->last, '\0', l->last_len) != NULL) {
        return WRONG;
    }
    if (!l->is_page) {
        l->is_page = true;
        l->left = API_KEYS_LIMIT_DEFAULT;
    }
    return NULL;
}

static const char *read_parameters(struct http_text query, struct listing *l)
{
    const char *wrong = read_prefix(query, l);
    if (wrong == NULL) {
        wrong = read_limit(query, l);
    }
    return wrong != NULL ? wrong : read_cursor(query, l);
}

bool api_keys_is_good(const struct http_request *rq, struct http_response *rs)
{
    static const struct api_clock none = {.now_us = NULL};
    struct listing *l = listing_new(NULL, &none);
    const char *wrong = read_parameters(rq->query, l);
    listing_done(l);
    if (wrong != NULL) {
        http_problem(rs, 400, "invalid_request", "%s", wrong);
    }
    return wrong == NULL;
}

void api_keys_list(const struct engine *e, const struct api_clock *clock,
                   const struct http_request *rq, struct http_response *rs)
{
    struct listing *l = listing_new(e, clock);
    const char *wrong = read_parameters(rq->query, l);
    if (wrong != NULL) {
        listing_done(l);
        http_problem(rs, 400, "invalid_request", "%s", wrong);
        return;
    }
    http_stream_json(rs, listing_produce, listing_done, l);
}

void api_keys_scan(const struct engine *e, const struct api_clock *clock, struct http_response *rs)
{
    http_stream_json(rs, listing_produce, listing_done, listing_new(e, clock));
}
