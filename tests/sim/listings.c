#include "tests/sim/listings.h"

#include "tests/sim/stage.h"
#include "tests/sim/writes_state.h"

#include <string.h>

bool listings_is_same(const struct record *x, const struct record *y)
{
    return x->key_len == y->key_len && memcmp(x->key, y->key, x->key_len) == 0 &&
           version_compare(&x->version, &y->version) == 0 && x->expiry_ms == y->expiry_ms;
}

/* Whether the key is the later one in byte order. */
static bool is_after(const struct record *r, const struct record *before)
{
    const size_t len = r->key_len < before->key_len ? r->key_len : before->key_len;
    const int order = len == 0 ? 0 : memcmp(r->key, before->key, len);
    return order > 0 || (order == 0 && r->key_len > before->key_len);
}

/* What is wrong with an entry that is listed after another one; NULL: nothing. */
static const char *fault_of(const struct engine *e, uint64_t now_us, const struct record *r,
                            const struct record *before)
{
    struct record same;
    if (!is_after(r, before)) {
        return "out of order";
    }
    if (engine_get(e, r->key, r->key_len, now_us, &same) != RC_OK || !listings_is_same(&same, r)) {
        return "that it does not show so";
    }
    /* A key is the first that begins with it. */
    if (engine_next_key(e, r->key, r->key_len, NULL, 0, now_us, &same) != RC_OK ||
        !listings_is_same(&same, r)) {
        return "that it does not list by its prefix";
    }
    return NULL;
}

void listings_judge(struct writes *w, uint32_t node)
{
    const struct engine *e = w->config.cluster->nodes[node].engine;
    const uint64_t now_us = stage_now_us(w->config.cluster, node);
    struct record before = {.key = NULL};
    struct record r;
    uint32_t listed = 0;
    uint32_t shown = 0;
    while (engine_next_key(e, NULL, 0, before.key, before.key_len, now_us, &r) == RC_OK) {
        const char *fault = fault_of(e, now_us, &r, &before);
        if (fault != NULL) {
            oracle_broken(w->oracle, INVARIANT_LISTED, "node %u lists a key %s", node, fault);
            return;
        }
        before = r;
        listed++;
    }
    for (uint32_t key = 0; key < w->config.key_count; key++) {
        shown += writes_get(w, node, key, &r) == RC_OK;
    }
    if (listed != shown) {
        oracle_broken(w->oracle, INVARIANT_LISTED, "node %u lists %u keys, and shows %u", node,
                      listed, shown);
    }
}
