#include "gossip/replication/overlay.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1000 };

static struct uuid uuid_of(uint32_t number)
{
    struct uuid uuid = {{0xab}};
    memcpy(uuid.bytes + 12, &number, sizeof(number));
    return uuid;
}

/* The overlay of node `self` among nodes 0 to count - 1. */
static void fill(struct overlay *o, uint32_t self, uint32_t count)
{
    const struct uuid own = uuid_of(self);
    overlay_init(o, &own, 2);
    for (uint32_t i = 0; i < count; i++) {
        const struct uuid other = uuid_of(i);
        (void)overlay_add(o, &other);
    }
}

static uint32_t number_of(const struct uuid *uuid)
{
    uint32_t number = 0;
    memcpy(&number, uuid->bytes + 12, sizeof(number));
    return number;
}

static void an_enclave_is_large_from_twelve_members_and_small_again_at_eight(void **state)
{
    (void)state;
    struct overlay o;
    fill(&o, 0, 11);
    assert_false(o.is_large);
    struct uuid uuid = uuid_of(11);
    assert_true(overlay_add(&o, &uuid));
    assert_int_equal(overlay_members(&o), OVERLAY_LARGE_UP);
    assert_true(o.is_large);
    for (uint32_t i = 11; i > 8; i--) {
        uuid = uuid_of(i);
        assert_true(overlay_remove(&o, &uuid));
        assert_true(o.is_large);
    }
    uuid = uuid_of(8);
    assert_true(overlay_remove(&o, &uuid));
    assert_int_equal(overlay_members(&o), OVERLAY_SMALL_DOWN);
    assert_false(o.is_large);
    overlay_check(&o);
    overlay_fini(&o);
}

static void a_newcomer_between_the_bounds_takes_over_what_others_hold(void **state)
{
    (void)state;
    struct overlay o;
    fill(&o, 0, 9);
    assert_true(overlay_told_large(&o));
    assert_true(o.is_large);
    assert_false(overlay_told_large(&o));
    overlay_fini(&o);
    fill(&o, 0, 8);
    assert_false(overlay_told_large(&o));
    overlay_fini(&o);
}

static void who_is_added_twice_or_is_unknown_changes_nothing(void **state)
{
    (void)state;
    struct overlay o;
    fill(&o, 0, 20);
    const uint64_t changes = o.changes;
    const struct uuid known = uuid_of(5);
    const struct uuid own = uuid_of(0);
    const struct uuid unknown = uuid_of(77);
    assert_false(overlay_add(&o, &known));
    assert_false(overlay_add(&o, &own));
    assert_false(overlay_remove(&o, &unknown));
    assert_int_equal(o.changes, changes);
    overlay_fini(&o);
}

static void neighbours_are_mutual_on_every_ring(void **state)
{
    (void)state;
    struct overlay *all = mem_new(100, sizeof(*all));
    for (uint32_t i = 0; i < 100; i++) {
        fill(&all[i], i, 100);
        overlay_check(&all[i]);
    }
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t j = 0; j < 100; j++) {
            assert_int_equal(overlay_rings(&all[i], &all[j].self),
                             overlay_rings(&all[j], &all[i].self));
        }
    }
    for (uint32_t i = 0; i < 100; i++) {
        overlay_fini(&all[i]);
    }
    free(all);
}

static void the_order_of_arrival_and_those_who_left_do_not_matter(void **state)
{
    (void)state;
    struct overlay a;
    struct overlay b;
    fill(&a, 3, 60);
    fill(&b, 3, 0);
    for (uint32_t i = 90; i-- > 0;) {
        const struct uuid uuid = uuid_of(i);
        (void)overlay_add(&b, &uuid);
    }
    for (uint32_t i = 60; i < 90; i++) {
        const struct uuid uuid = uuid_of(i);
        assert_true(overlay_remove(&b, &uuid));
        overlay_check(&b);
    }
    for (uint32_t i = 0; i < 60; i++) {
        const struct uuid uuid = uuid_of(i);
        assert_int_equal(overlay_rings(&a, &uuid), overlay_rings(&b, &uuid));
    }
    overlay_fini(&a);
    overlay_fini(&b);
}

/* How many of the living nodes the first of them reaches. */
static uint32_t reached(const struct overlay *all, const bool *is_dead)
{
    uint32_t *queue = mem_new(MANY, sizeof(*queue));
    bool *is_seen = mem_new(MANY, sizeof(*is_seen));
    uint32_t count = 0;
    uint32_t first = 0;
    while (is_dead[first]) {
        first++;
    }
    is_seen[first] = true;
    queue[count++] = first;
    for (uint32_t i = 0; i < count; i++) {
        const struct uuid *uuid = NULL;
        for (uint32_t walk = 0; (uuid = overlay_next(&all[queue[i]], &walk)) != NULL;) {
            const uint32_t next = number_of(uuid);
            if (!is_seen[next] && !is_dead[next]) {
                is_seen[next] = true;
                queue[count++] = next;
            }
        }
    }
    free(queue);
    free(is_seen);
    return count;
}

static void a_thousand_are_connected_after_a_third_is_gone_at_once(void **state)
{
    (void)state;
    struct overlay *all = mem_new(MANY, sizeof(*all));
    struct rng rng;
    rng_init(&rng, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        fill(&all[i], i, MANY);
        uint32_t degree = 0;
        for (uint32_t walk = 0; overlay_next(&all[i], &walk) != NULL;) {
            degree++;
        }
        assert_int_equal(degree, 12); /* log2(1000) + 2, rounded up to whole rings */
    }
    for (int round = 0; round < 20; round++) {
        bool is_dead[MANY] = {false};
        uint32_t dead = 0;
        while (dead < 3 * MANY / 10) {
            const uint64_t node = rng_below(&rng, MANY);
            dead += !is_dead[node];
            is_dead[node] = true;
        }
        assert_int_equal(reached(all, is_dead), MANY - dead);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        overlay_fini(&all[i]);
    }
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_enclave_is_large_from_twelve_members_and_small_again_at_eight),
        cmocka_unit_test(a_newcomer_between_the_bounds_takes_over_what_others_hold),
        cmocka_unit_test(who_is_added_twice_or_is_unknown_changes_nothing),
        cmocka_unit_test(neighbours_are_mutual_on_every_ring),
        cmocka_unit_test(the_order_of_arrival_and_those_who_left_do_not_matter),
        cmocka_unit_test(a_thousand_are_connected_after_a_third_is_gone_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
