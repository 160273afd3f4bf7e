#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gossip/membership/rotation.h"

enum { NODES_MAX = 40 };

static struct member_card card_number(uint32_t i)
{
    struct member_card card = {
        .uuid = {{2, (uint8_t)(i >> 8), (uint8_t)i}},
        .incarnation = 1,
        .name = "x",
        .enclave = "default",
    };
    return card;
}

/* The table of node `self` among `count`. */
static void start(struct roster *r, uint32_t self, uint32_t count)
{
    roster_init(r, 1, 5, self);
    const struct member_card own = card_number(self);
    assert_non_null(roster_add(r, &own, MEMBER_ALIVE, true, 0));
    for (uint32_t i = 0; i < count; i++) {
        const struct member_card card = card_number(i);
        assert_true(i == self || roster_add(r, &card, MEMBER_ALIVE, false, 0) != NULL);
    }
}

static uint32_t number_of(const struct member *m)
{
    return (uint32_t)m->uuid.bytes[1] << 8 | m->uuid.bytes[2];
}

static void in_each_round_each_member_is_probed_by_one_other(void **state)
{
    (void)state;
    static struct roster nodes[NODES_MAX];
    for (uint32_t count = 2; count <= NODES_MAX; count += 1 + count / 8) {
        for (uint32_t i = 0; i < count; i++) {
            start(&nodes[i], i, count);
        }
        for (uint64_t round = UINT64_MAX - 70; round != 70; round++) {
            uint32_t probes[NODES_MAX] = {0};
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t target = number_of(rotation_target(&nodes[i], round));
                assert_int_not_equal(target, i);
                probes[target]++;
            }
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(probes[i], 1);
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            roster_fini(&nodes[i]);
        }
    }
}

static void every_other_is_probed_once_before_a_node_begins_again(void **state)
{
    (void)state;
    for (uint32_t count = 2; count <= 300; count += 1 + count / 3) {
        struct roster r;
        uint32_t seen[300] = {0};
        start(&r, count / 2, count);
        for (uint64_t round = 1000; round < 1000 + count - 1; round++) {
            seen[number_of(rotation_target(&r, round))]++;
        }
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(seen[i], i == count / 2 ? 0 : 1);
        }
        roster_fini(&r);
    }
}

static void a_node_alone_probes_nobody(void **state)
{
    (void)state;
    struct roster r;
    start(&r, 0, 1);
    assert_null(rotation_target(&r, 5));
    roster_fini(&r);
}

static void rounds_follow_each_other_by_a_period_at_a_moment_of_the_tags(void **state)
{
    (void)state;
    static const uint32_t tags[] = {1, 0x40000000, 0x7fffffff, 0xffffffff};
    const uint64_t clock_us = UINT64_C(1700000000123456);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        const uint64_t round = rotation_round(clock_us, tags[i]);
        const uint64_t next_us = rotation_next_us(round, tags[i]);
        assert_true(next_us > clock_us && next_us - clock_us <= 3 * ROTATION_PERIOD_US / 2);
        assert_int_equal(next_us % ROTATION_PERIOD_US,
                         (uint64_t)tags[i] * ROTATION_PERIOD_US >> 32);
        /* A little early or late, as when the clock slews or the loop was busy. */
        assert_int_equal(rotation_round(next_us - 200, tags[i]), round + 1);
        assert_int_equal(rotation_round(next_us + 200000, tags[i]), round + 1);
        assert_int_equal(rotation_next_us(round + 1, tags[i]), next_us + ROTATION_PERIOD_US);
    }
    assert_int_equal(rotation_round(0, 0xffffffff), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_each_round_each_member_is_probed_by_one_other),
        cmocka_unit_test(every_other_is_probed_once_before_a_node_begins_again),
        cmocka_unit_test(a_node_alone_probes_nobody),
        cmocka_unit_test(rounds_follow_each_other_by_a_period_at_a_moment_of_the_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
