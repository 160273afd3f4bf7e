#include "core/store/merge.h"

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t merge_reach_ms(const struct record *r)
{
    return later(r->expiry_ms, r->guard_ms);
}

void merge_shadow(struct record *r)
{
    *r = (struct record){
        .key = r->key,
        .key_len = r->key_len,
        .version = r->version,
        .expiry_ms = merge_reach_ms(r),
        .is_shadow = true,
    };
}

/* True when that made a difference. */
static bool raise_guard(struct record *r, uint64_t guard_ms)
{
    if (guard_ms <= merge_reach_ms(r)) {
        return false;
    }
    *(r->is_shadow ? &r->expiry_ms : &r->guard_ms) = guard_ms;
    return true;
}

/* <0, 0 or >0 as `r` loses to, is the same as or wins over `held`. */
static int compare(const struct record *r, const struct record *held)
{
    const int order = version_compare(&r->version, &held->version);
    if (order != 0 || r->is_shadow || held->is_shadow) {
        return order;
    }
    return r->expiry_ms > held->expiry_ms;
}

enum merge_outcome merge_records(const struct record *held, const struct record *r, uint64_t now_ms,
                                 struct record *ret_next)
{
    const int order = held == NULL ? 1 : compare(r, held);
    if (order <= 0) {
        *ret_next = *held;
        const bool is_raised = raise_guard(ret_next, merge_reach_ms(r));
        return order == 0 ? MERGE_SAME : is_raised ? MERGE_GUARDED : MERGE_OLDER;
    }
    *ret_next = *r;
    if (held != NULL) {
        (void)raise_guard(ret_next, merge_reach_ms(held));
    }
    if (merge_reach_ms(ret_next) <= now_ms) {
        return MERGE_EXPIRED;
    }
    if (ret_next->expiry_ms <= now_ms) {
        merge_shadow(ret_next);
    }
    return MERGE_APPLIED;
}
