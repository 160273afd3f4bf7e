/*
 * Deliberately broken engines, each of which the oracle must catch. The linker puts a function of
 * ours before one of the engine's (--wrap), so the engine's object files are the very ones that are
 * shipped, and a check that does not look fails here.
 */
#include "core/merge.h"
#include "gossip/engine_state.h"
#include "gossip/view.h"
#include "tests/sim/faults.h"
#include "tests/sim/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum mutant {
    MUTANT_NONE,
    MUTANT_LATE,       /* expiry takes three seconds too long */
    MUTANT_NO_GUARDS,  /* what was replaced leaves no trace */
    MUTANT_LIAR,       /* acknowledges all records and keeps every seventh */
    MUTANT_HASTY,      /* one holder is a quorum */
    MUTANT_RASH,       /* declares somebody dead now and then */
    MUTANT_FAITHFUL,   /* declares nobody dead */
    MUTANT_OVERWEIGHT, /* holds more bytes than it may */
};

static enum mutant mutant;
static uint32_t turns;

enum { LATE_MS = 3000, SEEDS = 8, KEPT_EVERY = 7, RASH_EVERY = 50 };

/* The names are the linker's: __real_x is the engine's x, and __wrap_x is called for it. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
#define WRAP(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAP(enum rc, store_get, const struct store *s, const uint8_t *key, size_t key_len, uint64_t now_ms,
     struct record *ret_record)
{
    const uint64_t late_ms = mutant == MUTANT_LATE ? LATE_MS : 0;
    return __real_store_get(s, key, key_len, now_ms - late_ms, ret_record);
}

WRAP(size_t, store_expire, struct store *s, uint64_t now_ms, size_t budget,
     void (*expired)(void *arg, const struct record *r), void *arg)
{
    const uint64_t late_ms = mutant == MUTANT_LATE ? LATE_MS : 0;
    return __real_store_expire(s, now_ms - late_ms, budget, expired, arg);
}

WRAP(struct store_stats, store_stats, const struct store *s)
{
    struct store_stats stats = __real_store_stats(s);
    stats.bytes_used += mutant == MUTANT_OVERWEIGHT ? stats.bytes_max : 0;
    return stats;
}

WRAP(enum merge_outcome, merge_records, const struct record *held, const struct record *r,
     const uint8_t digest[static KEY_DIGEST_BYTES], uint64_t now_ms, struct record *ret_next)
{
    const enum merge_outcome outcome = __real_merge_records(held, r, digest, now_ms, ret_next);
    if (mutant == MUTANT_NO_GUARDS) {
        ret_next->guard_ms = 0;
        return outcome == MERGE_GUARDED ? MERGE_OLDER : outcome;
    }
    return outcome;
}

WRAP(enum rc, engine_merge, struct engine *e, const struct record *r,
     enum merge_outcome *ret_outcome)
{
    const bool is_own = uuid_equal(&r->version.origin, &e->config.uuid);
    if (mutant == MUTANT_LIAR && !is_own && turns++ % KEPT_EVERY != 0) {
        *ret_outcome = MERGE_APPLIED;
        return RC_OK;
    }
    return __real_engine_merge(e, r, ret_outcome);
}

WRAP(uint32_t, replica_quorum, uint32_t members, uint32_t factor)
{
    return mutant == MUTANT_HASTY ? 1 : __real_replica_quorum(members, factor);
}

WRAP(void, view_declare_dead, struct swim *s, struct member *m)
{
    if (mutant != MUTANT_FAITHFUL) {
        __real_view_declare_dead(s, m);
    }
}
WRAP(void, view_gossip, struct swim *s)
{
    uint32_t slot = 0;
    struct member *m = NULL;
    __real_view_gossip(s);
    while (mutant == MUTANT_RASH && turns++ % RASH_EVERY == 0 &&
           (m = swim_next_member(s, &slot)) != NULL) {
        if (!m->is_self && m->state == MEMBER_ALIVE) {
            view_suspect(s, m, &swim_self(s)->uuid);
            __real_view_declare_dead(s, m);
            return;
        }
        slot++;
        turns--;
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static uint64_t broken_by(enum mutant m, const char *scenario)
{
    struct figures figures = {.seeds = 0};
    volatile uint64_t now_us = 0;
    struct story story = {.nodes = 5,
                          .run_ms = 120000,
                          .settle_ms = 3000,
                          .delay_us = 500,
                          .jitter_us = 300,
                          .writes_per_1000_s = 3000,
                          .value_len = 100,
                          .ttl_ms = 40000,
                          .key_count = 16};
    assert_true(faults_find(scenario, 1, &story.faults));
    mutant = m;
    turns = 0;
    for (story.seed = 1; story.seed <= SEEDS; story.seed++) {
        story_run(&story, &figures, &now_us);
    }
    mutant = MUTANT_NONE;
    const uint64_t broken = figures.broken;
    assert_true(figures.reads > 0);
    figures_fini(&figures);
    return broken;
}

static void the_engine_as_it_is_breaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(broken_by(MUTANT_NONE, "steady"), 0);
    assert_int_equal(broken_by(MUTANT_NONE, "partition"), 0);
    assert_int_equal(broken_by(MUTANT_NONE, "crash"), 0);
}

static void reads_past_the_expiry_are_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_LATE, "steady"), 0);
}

static void a_value_that_comes_back_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_NO_GUARDS, "partition"), 0);
}

static void a_201_without_its_holders_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_LIAR, "steady"), 0);
}

static void a_201_below_the_quorum_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_HASTY, "steady"), 0);
}

static void a_false_death_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_RASH, "steady"), 0);
}

static void a_crash_that_nobody_notices_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_FAITHFUL, "crash"), 0);
}

static void a_cap_that_is_not_kept_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(broken_by(MUTANT_OVERWEIGHT, "steady"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_as_it_is_breaks_nothing),
        cmocka_unit_test(reads_past_the_expiry_are_caught),
        cmocka_unit_test(a_value_that_comes_back_is_caught),
        cmocka_unit_test(a_201_without_its_holders_is_caught),
        cmocka_unit_test(a_201_below_the_quorum_is_caught),
        cmocka_unit_test(a_false_death_is_caught),
        cmocka_unit_test(a_crash_that_nobody_notices_is_caught),
        cmocka_unit_test(a_cap_that_is_not_kept_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
