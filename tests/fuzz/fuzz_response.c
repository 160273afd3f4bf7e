/*
 * fuzz_response: any bytes as the answers of a connection, and the same bytes in other pieces.
 *
 * The first byte chooses the pieces. However the network cuts them, and whether headers and bodies
 * are kept or only counted, the same answers come out of them, with the same statuses, and the same
 * end.
 */
#include "core/base/assert.h"
#include "net/out/response_parser.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 2000, HEAD_MAX = 16 * 1024 };

struct outcome {
    enum rc rc; /* RC_AGAIN: the bytes ended within an answer, or between two */
    uint32_t answer_count;
    uint64_t statuses; /* a sum of them that depends on their order */
    size_t taken;      /* bytes of the answers that are complete */
};

static void check_answer(const struct response_parser *p, bool keeps_nothing)
{
    size_t body_len = 0;
    const uint8_t *body = response_parser_body(p, &body_len);
    ASSERT(body_len <= BODY_MAX && (body != NULL || body_len == 0));
    ASSERT(!keeps_nothing || body_len == 0);
    const char *length = response_parser_header(p, "Content-Length");
    ASSERT(!keeps_nothing || length == NULL);
    ASSERT(length == NULL || strlen(length) <= HEAD_MAX);
}

static struct outcome parse(const uint8_t *data, size_t size, size_t step, bool keeps_nothing)
{
    struct outcome o = {.rc = RC_AGAIN};
    struct response_parser *p = response_parser_new(false, BODY_MAX);
    if (keeps_nothing) {
        response_parser_keep_nothing(p);
    }
    for (size_t at = 0; at < size && o.rc == RC_AGAIN;) {
        const size_t len = size - at < step ? size - at : step;
        const size_t before = response_parser_length(p);
        o.rc = response_parser_feed(p, data + at, len);
        if (o.rc != RC_OK && o.rc != RC_AGAIN) {
            ASSERT(o.rc == RC_MALFORMED || o.rc == RC_TOO_LONG);
            break;
        }
        const size_t used = response_parser_length(p) - before;
        ASSERT(used <= len && (o.rc == RC_OK || used == len));
        at += used;
        if (o.rc == RC_OK) {
            o.answer_count++;
            o.statuses = o.statuses * 31 + (uint64_t)response_parser_status(p);
            o.taken = at;
            check_answer(p, keeps_nothing);
            if (!response_parser_is_keep_alive(p)) {
                break;
            }
            response_parser_next(p);
            o.rc = RC_AGAIN;
        }
    }
    response_parser_free(p);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const struct outcome whole = parse(data + 1, size - 1, SIZE_MAX, false);
    const struct outcome cut = parse(data + 1, size - 1, 1 + (size_t)data[0] % 40, false);
    const struct outcome counted = parse(data + 1, size - 1, SIZE_MAX, true);
    /* When two things are wrong, the pieces may decide which one is met first. */
    ASSERT((whole.rc < 0 && whole.rc != RC_AGAIN) == (cut.rc < 0 && cut.rc != RC_AGAIN));
    ASSERT(whole.answer_count == cut.answer_count && whole.statuses == cut.statuses);
    ASSERT(whole.taken == cut.taken);
    ASSERT(whole.rc == counted.rc && whole.answer_count == counted.answer_count);
    ASSERT(whole.statuses == counted.statuses && whole.taken == counted.taken);
    return 0;
}
