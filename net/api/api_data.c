#include "net/api/api_data.h"

#include "core/base/digits.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/api/etag.h"
#include "net/api/uri.h"
#include "net/sys/rfc3339.h"

#include <string.h>

/* A duration with more characters than this is no duration but a mistake. */
enum { TTL_TEXT_MAX = 128 };

struct data_key {
    uint8_t bytes[KEY_BYTES_MAX];
    size_t len;
};

static bool read_key(struct http_text text, struct http_response *rs, struct data_key *ret_key)
{
    const enum rc rc = uri_decode(text, ret_key->bytes, sizeof(ret_key->bytes), &ret_key->len);
    if (rc == RC_TOO_LONG) {
        http_problem(rs, 414, "key_too_long", "A key has at most %d bytes.", KEY_BYTES_MAX);
        return false;
    }
    if (rc != RC_OK) {
        http_problem(rs, 400, "invalid_key", "A %% in the key is not followed by two hex digits.");
        return false;
    }
    if (ret_key->len == 0 || memchr(ret_key->bytes, '\0', ret_key->len) != NULL) {
        http_problem(rs, 400, "invalid_key", "A key has 1 to %d bytes, any but NUL.",
                     KEY_BYTES_MAX);
        return false;
    }
    return true;
}

static bool read_conditions(const struct http_request *rq, struct http_response *rs,
                            struct etag_list *ret_match, struct etag_list *ret_none_match)
{
    if (etag_read(rq, "If-Match", true, ret_match) == RC_OK &&
        etag_read(rq, "If-None-Match", false, ret_none_match) == RC_OK) {
        return true;
    }
    http_problem(rs, 400, "invalid_request",
                 "If-Match and If-None-Match are each * or a list of quoted entity-tags.");
    return false;
}

static void answer_precondition(struct http_response *rs)
{
    http_problem(rs, 412, "precondition_failed",
                 "What this node holds for the key does not meet the condition.");
}

static void add_lifetime(struct http_response *rs, const struct version *version, uint64_t ttl_ms,
                         uint64_t expiry_ms, uint64_t clock_ms)
{
    char etag[ETAG_TEXT_SIZE];
    http_add_text(rs, "ETag", etag_format(version, etag));
    http_add_number(rs, "X-Original-TTL", ttl_ms / 1000);
    http_add_number(rs, "X-Remaining-TTL",
                    expiry_ms > clock_ms ? (expiry_ms - clock_ms) / 1000 : 0);
}

static void add_record_lifetime(struct http_response *rs, const struct record *r, uint64_t clock_ms)
{
    add_lifetime(rs, &r->version, r->expiry_ms - record_written_ms(r), r->expiry_ms, clock_ms);
}

/* ---- GET and HEAD ---- */

static void answer_record(const struct record *r, struct http_response *rs, uint64_t clock_ms)
{
    char created[RFC3339_TEXT_SIZE];
    if (r->blob != NULL) {
        rs->status = 200;
        rs->kind = HTTP_BODY_BLOB;
        rs->blob = blob_hold(r->blob);
        http_add(rs, "Content-Type", "application/octet-stream");
    } else {
        http_set_body(rs, 200, "application/octet-stream", r->value, r->value_len);
    }
    http_add_text(rs, "X-Created-At", rfc3339_format(record_written_ms(r), created));
    add_record_lifetime(rs, r, clock_ms);
    http_add_lines(rs, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
}

static void data_get(const struct api_view *view, const struct http_request *rq,
                     const struct data_key *key, struct http_response *rs)
{
    struct etag_list match;
    struct etag_list none_match;
    struct record r = {0};
    if (!read_conditions(rq, rs, &match, &none_match)) {
        return;
    }
    const enum rc rc = engine_get(view->engine, key->bytes, key->len, view->now_us, &r);
    if (rc == RC_JOINING) {
        http_problem(rs, 503, "joining",
                     "This node does not hold the key, but is still catching up with the others.");
    } else if (rc != RC_OK) {
        http_problem(rs, 404, "not_found", "No such key, or its time to live is over.");
    } else if (match.is_present && !etag_has(&match, &r.version)) {
        answer_precondition(rs);
    } else if (none_match.is_present && etag_has(&none_match, &r.version)) {
        rs->status = 304;
        add_record_lifetime(rs, &r, engine_clock_ms(view->engine, view->now_us));
        http_add(rs, "Cache-Control", "no-store");
    } else {
        answer_record(&r, rs, engine_clock_ms(view->engine, view->now_us));
    }
}

/* ---- PUT ---- */

/* The time to live that the client gives by ?ttl=, else by X-TTL, else the default; not yet
 * clamped. RC_EXISTS: given twice. RC_MALFORMED. RC_RANGE: a duration, but one beyond counting. */
static enum rc find_ttl(const struct http_request *rq, uint64_t *ttl_s)
{
    struct http_text text = {0};
    const size_t parameters = uri_query(rq->query, "ttl", &text);
    const size_t headers = http_count(rq, "X-TTL");
    if (parameters > 1 || headers > 1) {
        return RC_EXISTS;
    }
    if (parameters == 1) {
        uint8_t decoded[TTL_TEXT_MAX];
        size_t len = 0;
        const enum rc rc = uri_decode_query(text, decoded, sizeof(decoded), &len);
        return rc != RC_OK ? RC_MALFORMED : parse_duration_s((const char *)decoded, len, ttl_s);
    }
    if (headers == 1) {
        const struct http_header *header = http_find(rq, "X-TTL");
        return parse_duration_s(header->value.data, header->value.len, ttl_s);
    }
    return RC_OK;
}

enum rc api_data_ttl_s(const struct api_config *config, const struct http_request *rq,
                       uint64_t *ret_ttl_s)
{
    uint64_t ttl_s = config->ttl_default_s;
    const enum rc rc = find_ttl(rq, &ttl_s);
    if (rc == RC_RANGE) {
        ttl_s = UINT64_MAX; /* clamped like any other */
    } else if (rc != RC_OK) {
        return rc;
    }
    ttl_s = min_u64(ttl_s, config->ttl_max_s);
    *ret_ttl_s = ttl_s < config->ttl_min_s ? config->ttl_min_s : ttl_s;
    return RC_OK;
}

static bool read_ttl(const struct api_config *config, const struct http_request *rq,
                     struct http_response *rs, uint64_t *ret_ttl_s)
{
    const enum rc rc = api_data_ttl_s(config, rq, ret_ttl_s);
    if (rc == RC_EXISTS) {
        http_problem(rs, 400, "invalid_ttl", "The time to live is given more than once.");
    } else if (rc != RC_OK) {
        http_problem(rs, 400, "invalid_ttl", "A time to live is " PARSE_DURATION_S_TAKES ".");
    }
    return rc == RC_OK;
}

/* The answer to a refused write. */
struct refusal {
    enum rc rc;
    int status;
    const char *code;
    const char *detail;
};

static const struct refusal REFUSALS[] = {
    {RC_JOINING, 503, "joining",
     "This node is starting and takes no writes yet; /readyz says what it waits for."},
    {RC_DRAINING, 503, "draining", "This node is shutting down and takes no more writes."},
    {RC_OVERLOADED, 503, "overloaded", "Too many writes wait for other nodes; try again."},
    {RC_AHEAD, 503, "clock_ahead",
     "Other nodes' clocks run ahead of this one by more than the entry would live; try again."},
    {RC_FULL, 507, "storage_full", "This node's storage is full; entries leave by TTL alone."},
    {RC_NO_MEMORY, 507, "storage_full", "This node is out of memory."},
    {RC_TOO_LONG, 413, "value_too_large", "The value is larger than this cluster takes."},
    {RC_MALFORMED, 400, "invalid_request", "The entry is malformed."},
    {RC_RANGE, 400, "invalid_ttl", "The time to live is out of range."},
};

static void answer_refusal(enum rc rc, struct http_response *rs)
{
    if (rc == RC_PRECONDITION) {
        answer_precondition(rs);
        return;
    }
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        if (REFUSALS[i].rc == rc) {
            http_problem(rs, REFUSALS[i].status, REFUSALS[i].code, "%s", REFUSALS[i].detail);
            return;
        }
    }
    http_problem(rs, 500, "internal", "The write failed: %s.", rc_text(rc));
}

/*
 * Fills the write's condition. The engine judges one condition. Where there are two, If-Match comes
 * first (RFC 9110, 13.2.2) and is judged here, in the same turn and so against the same state.
 * False: it failed.
 */
static bool set_condition(const struct api_view *view, const struct etag_list *match,
                          const struct etag_list *none_match, struct put *put)
{
    if (match->is_present && none_match->is_present) {
        struct record r = {0};
        if (engine_get(view->engine, put->key, put->key_len, view->now_us, &r) != RC_OK ||
            !etag_has(match, &r.version)) {
            return false;
        }
    }
    const struct etag_list *list = none_match->is_present ? none_match : match;
    if (list->is_present) {
        put->condition = list == match ? PUT_IF_MATCH : PUT_IF_NONE_MATCH;
        put->is_any = list->is_any;
        put->versions = list->versions;
        put->version_count = list->count;
    }
    return true;
}

static void data_put(const struct api_view *view, const struct http_request *rq,
                     const struct data_key *key, struct http_response *rs)
{
    struct etag_list match;
    struct etag_list none_match;
    uint64_t ttl_s = 0;
    if (!read_ttl(view->config, rq, rs, &ttl_s) || !read_conditions(rq, rs, &match, &none_match)) {
        return;
    }
    if (rq->body_len > view->config->value_max) {
        answer_refusal(RC_TOO_LONG, rs);
        return;
    }
    struct put put = {.token = rq->id,
                      .began_us = view->began_us,
                      .key = key->bytes,
                      .key_len = key->len,
                      .value = rq->body,
                      .blob = rq->blob,
                      .value_len = rq->body_len,
                      .ttl_ms = ttl_s * 1000,
                      .condition = PUT_ALWAYS};
    enum rc rc = RC_PRECONDITION;
    if (set_condition(view, &match, &none_match, &put)) {
        rc = engine_put(view->engine, &put, view->now_us);
    }
    if (rc != RC_OK) {
        answer_refusal(rc, rs);
        return;
    }
    rs->kind = HTTP_BODY_DEFER;
    rs->is_brief = true;
}

void api_data_done(const struct put_done *done, uint64_t clock_ms, struct http_response *rs)
{
    const bool is_quorum = done->status == PUT_QUORUM;
    const char *text = is_quorum ? "OK" : "Accepted (quorum pending)";
    http_set_body(rs, is_quorum ? 201 : 202, "text/plain; charset=utf-8", text, strlen(text));
    add_lifetime(rs, &done->version, done->ttl_ms, done->expiry_ms, clock_ms);
    char replicas[(size_t)2 * DIGITS_U64_MAX + sizeof("/")];
    size_t len = digits_decimal(done->have, replicas);
    replicas[len++] = '/';
    len += digits_decimal(done->members, replicas + len);
    replicas[len] = '\0';
    http_add_text(rs, "X-Replicas", replicas);
}

/* ---- Any method ---- */

const char *api_data_why_not(enum http_method method)
{
    if (method == HTTP_DELETE_) {
        return "REPRAM has no delete, by design: entries leave when their time to live is over.";
    }
    if (method == HTTP_POST_) {
        return "Values are written with PUT, and there is no delete by design: entries leave when "
               "their time to live is over.";
    }
    return "The methods of a key are GET, HEAD and PUT.";
}

bool api_data_is_good(const struct api_config *config, const struct http_request *rq,
                      struct http_response *rs)
{
    struct data_key key;
    struct etag_list match;
    struct etag_list none_match;
    uint64_t ttl_s = 0;
    if (!read_key(rq->route.rest, rs, &key)) {
        return false;
    }
    if (rq->method != HTTP_PUT_) {
        return true;
    }
    if (!read_ttl(config, rq, rs, &ttl_s) || !read_conditions(rq, rs, &match, &none_match)) {
        return false;
    }
    if (rq->body_len > config->value_max) {
        answer_refusal(RC_TOO_LONG, rs);
        return false;
    }
    return true;
}

void api_data_handle(const struct api_view *view, const struct http_request *rq,
                     struct http_text key_text, struct http_response *rs)
{
    struct data_key key;
    if (!read_key(key_text, rs, &key)) {
        return;
    }
    if (rq->method == HTTP_PUT_) {
        data_put(view, rq, &key, rs);
    } else {
        data_get(view, rq, &key, rs);
    }
}
