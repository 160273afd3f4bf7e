#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "net/api/pending.h"

static enum rc add(struct pending *p, uint64_t id)
{
    return pending_add(p, &(struct pending_put){.id = id, .expiry_ms = 3 * id});
}

static void a_write_is_taken_once_and_as_it_was_added(void **state)
{
    (void)state;
    struct pending p;
    struct pending_put put = {0};
    pending_init(&p);
    assert_int_equal(add(&p, 7), RC_OK);
    assert_false(pending_take(&p, 8, &put));
    assert_true(pending_take(&p, 7, &put));
    assert_int_equal(put.expiry_ms, 21);
    assert_false(pending_take(&p, 7, &put));
    assert_int_equal(p.count, 0);
    pending_fini(&p);
}

static void the_table_is_full_at_its_maximum_and_has_room_again_after_a_take(void **state)
{
    (void)state;
    struct pending p;
    pending_init(&p);
    for (uint64_t id = 0; id < PENDING_MAX; id++) {
        assert_int_equal(add(&p, id), RC_OK);
    }
    assert_int_equal(add(&p, PENDING_MAX), RC_FULL);
    assert_true(pending_take(&p, 12345, NULL));
    assert_int_equal(add(&p, PENDING_MAX), RC_OK);
    pending_fini(&p);
}

/* Removal moves entries about; an array of flags says what must be found. */
static void any_order_of_adding_and_taking_leaves_the_others_in_place(void **state)
{
    (void)state;
    enum { IDS = 512, ROUNDS = 50000 };
    static bool is_there[IDS];
    struct pending p;
    struct rng rng;
    pending_init(&p);
    rng_init(&rng, 1);
    for (size_t round = 0; round < ROUNDS; round++) {
        const uint64_t id = rng_below(&rng, IDS);
        struct pending_put put = {0};
        /* Multiples of a large stride fall onto few home slots. */
        const uint64_t key = id << 40;
        assert_int_equal(pending_take(&p, key, &put), is_there[id]);
        is_there[id] = rng_below(&rng, 2) == 0;
        if (is_there[id]) {
            assert_int_equal(add(&p, key), RC_OK);
        }
    }
    for (uint64_t id = 0; id < IDS; id++) {
        struct pending_put put = {0};
        assert_int_equal(pending_take(&p, id << 40, &put), is_there[id]);
    }
    assert_int_equal(p.count, 0);
    pending_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_taken_once_and_as_it_was_added),
        cmocka_unit_test(the_table_is_full_at_its_maximum_and_has_room_again_after_a_take),
        cmocka_unit_test(any_order_of_adding_and_taking_leaves_the_others_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
