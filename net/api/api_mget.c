#include "net/api/api_mget.h"

#include "core/base/mem.h"
#include "net/http/json_out.h"
#include "net/http/value_out.h"
#include "net/sys/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 16 * 1024, /* of text; about what a socket takes at once */
    PIECE_KEYS = 256,        /* looked up for it; well under a millisecond */
    KEY_TEXT_MAX = 32 + JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX),
    FIGURES_TEXT_MAX = 192 + 2 * RFC3339_TEXT_SIZE + VERSION_TEXT_SIZE,
};

/* A piece that is begun below PIECE_BYTES ends within what the server takes. */
_Static_assert(PIECE_BYTES + KEY_TEXT_MAX + FIGURES_TEXT_MAX + VALUE_OUT_TEXT_MAX < 64 * 1024,
               "an entry fits");

struct batch {
    const struct engine *engine;
    struct api_clock clock;
    struct mget_request request;
    size_t next;
    bool is_begun;
};

static size_t write_key(const struct batch *b, const struct mget_key *key, char *ret_text)
{
    const uint8_t *bytes = b->request.bytes + key->at;
    const char *name = key->is_text ? "{\"key\":" : "{\"key_base64\":\"";
    size_t len = strlen(name);
    memcpy(ret_text, name, len);
    if (key->is_text) {
        return len + json_out_quote(bytes, key->len, ret_text + len);
    }
    len += base64_encode(bytes, key->len, ret_text + len);
    ret_text[len++] = '"';
    return len;
}

static size_t write_figures(const struct record *r, uint64_t clock_ms, char *ret_text)
{
    char created[RFC3339_TEXT_SIZE], expires[RFC3339_TEXT_SIZE];
    char etag[VERSION_TEXT_SIZE];
    return (size_t)snprintf(ret_text, FIGURES_TEXT_MAX,
                            ",\"found\":true,\"created_at\":\"%s\",\"expires_at\":\"%s\""
                            ",\"ttl_ms\":%" PRIu64 ",\"size\":%zu,\"etag\":\"%s\"",
                            rfc3339_format(record_written_ms(r), created),
                            rfc3339_format(r->expiry_ms, expires),
                            r->expiry_ms > clock_ms ? r->expiry_ms - clock_ms : 0, r->value_len,
                            version_format(&r->version, etag));
}

static enum rc write_entry(const struct batch *b, const struct mget_key *key, uint64_t now_us,
                           struct buf *out)
{
    char text[2 + KEY_TEXT_MAX + FIGURES_TEXT_MAX + VALUE_OUT_TEXT_MAX];
    struct record r = {0};
    size_t len = 0;
    if (b->next > 0) {
        text[len++] = ',';
    }
    len += write_key(b, key, text + len);
    if (key->is_forbidden) {
        static const char FORBIDDEN[] = ",\"forbidden\":true";
        memcpy(text + len, FORBIDDEN, sizeof(FORBIDDEN) - 1);
        len += sizeof(FORBIDDEN) - 1;
    } else if (engine_get(b->engine, b->request.bytes + key->at, key->len, now_us, &r) == RC_OK) {
        len += write_figures(&r, engine_clock_ms(b->engine, now_us), text + len);
        len += value_out_member(&r, text + len);
    } else {
        static const char MISSING[] = ",\"found\":false";
        memcpy(text + len, MISSING, sizeof(MISSING) - 1);
        len += sizeof(MISSING) - 1;
    }
    text[len++] = '}';
    return buf_append(out, text, len);
}

static enum rc say(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

static bool produce(void *arg, struct buf *out)
{
    struct batch *b = arg;
    const uint64_t now_us = b->clock.now_us(b->clock.arg);
    const size_t start = out->len;
    enum rc rc = b->is_begun ? RC_OK : say(out, "{\"entries\":[");
    b->is_begun = b->is_begun || rc == RC_OK;
    for (size_t i = 0; i < PIECE_KEYS && rc == RC_OK && b->next < b->request.count &&
                       out->len - start < PIECE_BYTES;
         i++) {
        rc = write_entry(b, &b->request.keys[b->next], now_us, out);
        b->next += rc == RC_OK;
    }
    if (rc == RC_OK && b->next == b->request.count) {
        rc = say(out, "]}");
        if (rc == RC_OK) {
            return false;
        }
    }
    /* An entry that does not fit now goes into the next piece. If it does not fit there either, the
     * answer ends cut short, which its client can see. */
    return out->len > start;
}

static void done(void *arg)
{
    struct batch *b = arg;
    mget_request_fini(&b->request);
    free(b);
}

/* The body in one piece; the caller frees it. NULL when there is no memory. */
static char *copy_body(const struct http_request *rq)
{
    char *text = malloc(rq->body_len + 1);
    for (size_t at = 0; text != NULL && at < rq->body_len;) {
        const uint8_t *run = rq->body;
        const size_t len = rq->blob == NULL ? rq->body_len : blob_run(rq->blob, at, &run);
        memcpy(text + at, run, len);
        at += len;
    }
    return text;
}

/* Once, at the beginning: the rules may change while the answer is read. */
static void judge(struct mget_request *request, const struct access *access, uint32_t user)
{
    for (size_t i = 0; access != NULL && i < request->count; i++) {
        struct mget_key *key = &request->keys[i];
        const struct acl_ask ask = {
            .verb = ACL_READ, .key = request->bytes + key->at, .key_len = key->len};
        key->is_forbidden = access_judge(access, user, &ask).why != ACL_ALLOWED;
    }
}

static void answer(struct batch *b, const struct access *access, const struct http_request *rq,
                   struct http_response *rs)
{
    bool is_key = false;
    char *text = copy_body(rq);
    const char *wrong =
        text == NULL ? NULL : mget_request_read(text, rq->body_len, &b->request, &is_key);
    free(text);
    if (text == NULL || b->request.is_short) {
        done(b);
        http_problem(rs, 500, "internal", "There is no memory for this request.");
        return;
    }
    if (wrong != NULL) {
        done(b);
        http_problem(rs, 400, is_key ? "invalid_key" : "invalid_request", "%s", wrong);
        return;
    }
    judge(&b->request, access, rq->route.user);
    http_stream_json(rs, produce, done, b);
}

void api_mget(const struct engine *e, const struct api_clock *clock, const struct access *access,
              const struct http_request *rq, struct http_response *rs)
{
    if ((engine_unready(e) & (READY_JOINING | READY_NO_CLOCK)) != 0) {
        http_problem(rs, 503, "joining",
                     "This node does not hold all entries yet; try again, or ask another.");
    } else {
        struct batch *b = mem_new(1, sizeof(*b));
        b->engine = e;
        b->clock = *clock;
        answer(b, access, rq, rs);
    }
}
