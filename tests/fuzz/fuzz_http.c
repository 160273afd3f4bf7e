/*
 * fuzz_http: any bytes as an HTTP request, and the same bytes in other pieces.
 *
 * The first byte chooses the pieces. Whatever comes in, the parser takes at least a byte of what it
 * is given, ends in DONE or REFUSED with a status we have a phrase for, keeps its limits, and ends
 * the same way however the network cut the bytes.
 */
#include "core/base/assert.h"
#include "core/store/record.h"
#include "net/http/http_parse.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 5000 };

struct outcome {
    enum http_parse_state state;
    size_t taken, header_count, body_len, path_len;
    int status;
};

static void check_request(struct http_parse *p)
{
    const struct http_request *rq = http_parse_request(p);
    ASSERT(rq->body_len <= BODY_MAX && rq->header_count <= HTTP_HEADERS_MAX);
    ASSERT((rq->blob != NULL) == (rq->body == NULL));
    ASSERT(rq->blob == NULL || blob_len(rq->blob) == rq->body_len);
    ASSERT(rq->blob != NULL || rq->body_len <= VALUE_INLINE_MAX);
    ASSERT(rq->path.len > 0 && (rq->path.data[0] == '/' || rq->path.data[0] == '*'));
    ASSERT(memchr(rq->target.data, '\0', rq->target.len) == NULL);
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct http_header *header = &rq->headers[i];
        ASSERT(header->name.len > 0 && memchr(header->name.data, ':', header->name.len) == NULL);
        ASSERT(memchr(header->value.data, '\r', header->value.len) == NULL);
        ASSERT(memchr(header->value.data, '\n', header->value.len) == NULL);
        ASSERT(http_text_weight(header->value, "text/plain") <= 1000);
    }
}

static struct outcome parse(struct http_parse *p, const uint8_t *data, size_t size, size_t step)
{
    struct outcome o = {.state = HTTP_PARSE_HEAD};
    http_parse_reset(p);
    for (;;) {
        o.state = http_parse_state(p);
        if (o.state == HTTP_PARSE_HEADERS) {
            http_parse_accept(p, BODY_MAX);
            continue;
        }
        if ((o.state != HTTP_PARSE_HEAD && o.state != HTTP_PARSE_BODY) || o.taken == size) {
            break;
        }
        const size_t left = size - o.taken;
        const size_t used = http_parse_feed(p, data + o.taken, left < step ? left : step);
        ASSERT(used > 0 && used <= left);
        o.taken += used;
    }
    if (o.state == HTTP_PARSE_DONE) {
        check_request(p);
        o.header_count = http_parse_request(p)->header_count;
        o.body_len = http_parse_request(p)->body_len;
        o.path_len = http_parse_request(p)->path.len;
    } else if (o.state == HTTP_PARSE_REFUSED) {
        o.status = http_parse_refusal(p)->status;
        ASSERT(o.status >= 400 && strcmp(http_reason(o.status), "Unknown") != 0);
        ASSERT(http_parse_refusal(p)->detail != NULL && http_parse_refusal(p)->code != NULL);
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct http_parse *p = http_parse_new(NULL);
    const struct outcome whole = parse(p, data + 1, size - 1, SIZE_MAX);
    const struct outcome cut = parse(p, data + 1, size - 1, 1 + (size_t)data[0] % 40);
    http_parse_free(p);
    /* When two things are wrong, the pieces may decide which one is met first, but not whether the
     * request is refused. */
    ASSERT(whole.state == cut.state);
    ASSERT(whole.state == HTTP_PARSE_REFUSED || whole.taken == cut.taken);
    ASSERT(whole.header_count == cut.header_count && whole.body_len == cut.body_len &&
           whole.path_len == cut.path_len);
    return 0;
}
