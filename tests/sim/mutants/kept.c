/* What a node keeps, and for how long: see mutant.h. */
#include "core/store/merge.h"
#include "gossip/engine_state.h"
#include "tests/sim/mutants/mutant.h"
#include "tests/unit/twins.h"

enum { LIAR_MS = 500 };

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(size_t, store_expire, struct store *s, uint64_t now_ms, size_t budget)
{
    const bool is_late = mutant_is(MUTANT_LATE) || mutant_is(MUTANT_TRAILING);
    const uint64_t late_ms = is_late ? MUTANT_LATE_MS : 0;
    const uint64_t early_ms = mutant_is(MUTANT_DROPPING)     ? MUTANT_BRIEF_MS
                              : mutant_is(MUTANT_DISCARDING) ? MUTANT_MINUTE_MS
                                                             : 0;
    const bool is_lost = mutant_is(MUTANT_FORGETFUL) && now_ms > MUTANT_LATE_IN_LIFE_MS;
    return __real_store_expire(
        s, is_lost ? now_ms + MUTANT_RUN_MS * 10 : now_ms + early_ms - late_ms, budget);
}

WRAP(struct store *, store_new, const struct store_config *config)
{
    struct store_config greedy = *config;
    greedy.bytes_max *= mutant_is(MUTANT_GREEDY) ? 2 : 1;
    return __real_store_new(&greedy);
}

WRAP(struct store_stats, store_stats, const struct store *s)
{
    struct store_stats stats = __real_store_stats(s);
    stats.bytes_used += mutant_is(MUTANT_OVERWEIGHT) ? stats.bytes_max : 0;
    return stats;
}

WRAP(enum rc, store_root, struct store *s, uint64_t cut_s, struct digest *ret_root)
{
    const enum rc rc = __real_store_root(s, cut_s, ret_root);
    if (mutant_is(MUTANT_BLIND)) {
        *ret_root = (struct digest){.sum = 0};
    }
    return rc;
}

WRAP(enum merge_outcome, merge_records, const struct record *held, const struct record *r,
     uint64_t now_ms, struct record *ret_next)
{
    const enum merge_outcome outcome = __real_merge_records(held, r, now_ms, ret_next);
    if (mutant_is(MUTANT_NO_GUARDS)) {
        ret_next->guard_ms = 0;
        return outcome == MERGE_GUARDED ? MERGE_OLDER : outcome;
    }
    return outcome;
}

WRAP(enum rc, engine_merge, struct engine *e, const struct record *r,
     enum merge_outcome *ret_outcome)
{
    const bool is_own = uuid_equal(&r->version.origin, &e->config.uuid);
    const bool is_young = (r->version.stamp >> 16) + LIAR_MS > engine_now_ms(e);
    if (mutant_is(MUTANT_LIAR) && !is_own && is_young) {
        *ret_outcome = MERGE_APPLIED;
        return RC_OK;
    }
    if (mutant_is(MUTANT_PICKY) && !is_own && mutant_is_turn(2)) {
        *ret_outcome = MERGE_OLDER;
        return RC_OK;
    }
    struct record kept = *r;
    uint8_t twin[TWIN_KEY_LEN];
    kept.ahead_ms = mutant_is(MUTANT_VAIN) ? 0 : r->ahead_ms;
    if (mutant_is(MUTANT_CONFUSED) && r->key_len == TWIN_KEY_LEN) {
        twin_key(swim_cluster_hash(e->config.network), false, twin);
        kept.key = twin;
    }
    return __real_engine_merge(e, &kept, ret_outcome);
}

WRAP(uint64_t, version_next, struct hlc *hlc, uint64_t now_ms)
{
    return __real_version_next(hlc, now_ms + (mutant_is_ahead() ? MUTANT_AHEAD_MS : 0));
}

WRAP(enum rc, sync_start, struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us)
{
    return mutant_is(MUTANT_IDLE) || mutant_is(MUTANT_BLIND)
               ? RC_AGAIN
               : __real_sync_start(s, l, cut_s, now_us);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
