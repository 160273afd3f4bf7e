#include "core/store/version.h"

#include "core/base/digits.h"

int version_compare(const struct version *a, const struct version *b)
{
    if (a->stamp != b->stamp) {
        return a->stamp < b->stamp ? -1 : 1;
    }
    return uuid_compare(&a->origin, &b->origin);
}

uint64_t version_ms(const struct version *v)
{
    return v->stamp >> VERSION_COUNTER_BITS;
}

const char *version_format(const struct version *v, char ret_text[static VERSION_TEXT_SIZE])
{
    digits_hex_u64(v->stamp, ret_text);
    uuid_format(&v->origin, ret_text + 16);
    return ret_text;
}

uint64_t version_next(struct hlc *hlc, uint64_t now_ms)
{
    const uint64_t physical = now_ms << VERSION_COUNTER_BITS;
    hlc->last = physical > hlc->last ? physical : hlc->last + 1;
    return hlc->last;
}

void version_see(struct hlc *hlc, uint64_t stamp)
{
    if (stamp > hlc->last) {
        hlc->last = stamp;
    }
}
