#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/merge.h"

#include <string.h>

static struct record state_of(uint64_t version, uint64_t expiry, uint64_t guard, bool is_shadow)
{
    return (struct record){
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .version = {version, {{1}}},
        .expiry_ms = expiry,
        .guard_ms = guard,
        .is_shadow = is_shadow,
    };
}

/* The result of merging at instant 100, whether it is a shadow, its expiry and its guard. */
struct example {
    struct record held;
    struct record r;
    enum merge_outcome outcome;
    bool is_shadow;
    uint64_t expiry;
    uint64_t guard;
};

static void check(const struct example *x)
{
    struct record next;
    const enum merge_outcome outcome =
        merge_records(x->held.key == NULL ? NULL : &x->held, &x->r, 100, &next);
    assert_int_equal(outcome, x->outcome);
    if (outcome == MERGE_OLDER || outcome == MERGE_EXPIRED) {
        return;
    }
    const struct record *winner = outcome == MERGE_APPLIED ? &x->r : &x->held;
    assert_int_equal(version_compare(&next.version, &winner->version), 0);
    assert_int_equal(next.is_shadow, x->is_shadow);
    assert_int_equal(next.expiry_ms, x->expiry);
    assert_int_equal(next.guard_ms, x->guard);
}

#define NONE ((struct record){.key = NULL})
#define LIVE(version, expiry, guard) state_of(version, expiry, guard, false)
#define SHADOW(version, guard) state_of(version, guard, 0, true)

static void what_meets_nothing_is_taken_while_it_says_something(void **state)
{
    (void)state;
    check(&(struct example){NONE, LIVE(1, 101, 0), MERGE_APPLIED, false, 101, 0});
    check(&(struct example){NONE, LIVE(1, 100, 0), MERGE_EXPIRED, false, 0, 0});
    check(&(struct example){NONE, LIVE(1, 100, 101), MERGE_APPLIED, true, 101, 0});
    check(&(struct example){NONE, SHADOW(1, 101), MERGE_APPLIED, true, 101, 0});
    check(&(struct example){NONE, SHADOW(1, 100), MERGE_EXPIRED, true, 0, 0});
}

static void of_two_live_ones_the_later_wins_and_is_guarded_for_the_other(void **state)
{
    (void)state;
    check(&(struct example){LIVE(1, 200, 0), LIVE(2, 150, 0), MERGE_APPLIED, false, 150, 200});
    check(&(struct example){LIVE(1, 200, 300), LIVE(2, 150, 0), MERGE_APPLIED, false, 150, 300});
    check(&(struct example){LIVE(1, 200, 0), LIVE(2, 150, 250), MERGE_APPLIED, false, 150, 250});
    check(&(struct example){LIVE(2, 150, 0), LIVE(1, 200, 0), MERGE_GUARDED, false, 150, 200});
    check(&(struct example){LIVE(2, 150, 0), LIVE(1, 120, 180), MERGE_GUARDED, false, 150, 180});
    check(&(struct example){LIVE(2, 150, 0), LIVE(1, 150, 0), MERGE_OLDER, false, 0, 0});
    check(&(struct example){LIVE(2, 150, 0), LIVE(2, 150, 0), MERGE_SAME, false, 150, 0});
    check(&(struct example){LIVE(2, 150, 0), LIVE(2, 150, 170), MERGE_SAME, false, 150, 170});
    check(&(struct example){LIVE(2, 150, 0), LIVE(2, 160, 0), MERGE_APPLIED, false, 160, 0});
}

static void a_later_version_that_is_over_leaves_a_shadow(void **state)
{
    (void)state;
    check(&(struct example){LIVE(1, 200, 0), LIVE(2, 90, 0), MERGE_APPLIED, true, 200, 0});
    check(&(struct example){LIVE(2, 200, 0), LIVE(1, 90, 0), MERGE_OLDER, false, 0, 0});
}

static void a_shadow_refuses_up_to_its_own_version(void **state)
{
    (void)state;
    check(&(struct example){SHADOW(2, 200), LIVE(1, 150, 0), MERGE_OLDER, false, 0, 0});
    check(&(struct example){SHADOW(2, 200), LIVE(1, 250, 0), MERGE_GUARDED, true, 250, 0});
    check(&(struct example){SHADOW(2, 200), LIVE(2, 150, 0), MERGE_SAME, true, 200, 0});
    check(&(struct example){SHADOW(2, 200), LIVE(3, 150, 0), MERGE_APPLIED, false, 150, 200});
    check(&(struct example){SHADOW(2, 200), SHADOW(1, 300), MERGE_GUARDED, true, 300, 0});
    check(&(struct example){SHADOW(2, 200), SHADOW(3, 150), MERGE_APPLIED, true, 200, 0});
}

static void a_shadow_that_comes_takes_older_records_and_guards_others(void **state)
{
    (void)state;
    check(&(struct example){LIVE(1, 200, 0), SHADOW(2, 150), MERGE_APPLIED, true, 200, 0});
    check(&(struct example){LIVE(2, 150, 0), SHADOW(2, 200), MERGE_SAME, false, 150, 200});
    check(&(struct example){LIVE(3, 150, 0), SHADOW(2, 200), MERGE_GUARDED, false, 150, 200});
}

static void a_shadow_is_the_record_without_its_value(void **state)
{
    (void)state;
    struct record r = LIVE(5, 100, 300);
    r.value = (const uint8_t *)"x";
    r.value_len = 1;
    const uint8_t *key = r.key;
    merge_shadow(&r);
    assert_int_equal(r.value_len, 0);
    assert_null(r.value);
    assert_ptr_equal(r.key, key);
    assert_int_equal(r.key_len, 3);
    assert_int_equal(r.expiry_ms, 300);
    assert_int_equal(r.guard_ms, 0);
    assert_int_equal(r.version.stamp, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_meets_nothing_is_taken_while_it_says_something),
        cmocka_unit_test(of_two_live_ones_the_later_wins_and_is_guarded_for_the_other),
        cmocka_unit_test(a_later_version_that_is_over_leaves_a_shadow),
        cmocka_unit_test(a_shadow_refuses_up_to_its_own_version),
        cmocka_unit_test(a_shadow_that_comes_takes_older_records_and_guards_others),
        cmocka_unit_test(a_shadow_is_the_record_without_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
