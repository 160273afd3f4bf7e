#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/membership/suspicion.h"

static const struct uuid accusers[] = {{{1}}, {{2}}, {{3}}, {{4}}, {{5}}};

static uint64_t wait_us(const struct suspicion *s)
{
    return suspicion_deadline(s) - s->started_us;
}

static void the_time_shrinks_with_each_accuser_from_maximum_to_minimum(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 10, 1, 0, 1000);
    s.is_first_hand = true;
    assert_true(suspicion_accuse(&s, &accusers[0]));
    assert_int_equal(wait_us(&s), 3000000);
    uint64_t last_us = wait_us(&s);
    for (int i = 1; i <= 3; i++) {
        assert_true(suspicion_accuse(&s, &accusers[i]));
        assert_true(wait_us(&s) < last_us);
        last_us = wait_us(&s);
    }
    assert_int_equal(last_us, 500000);
    assert_false(suspicion_accuse(&s, &accusers[4]));
    assert_int_equal(wait_us(&s), 500000);
}

static void an_accuser_counts_once(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 10, 1, 0, 0);
    assert_true(suspicion_accuse(&s, &accusers[0]));
    assert_false(suspicion_accuse(&s, &accusers[0]));
    assert_int_equal(s.accuser_count, 1);
}

static void two_members_have_the_maximum_for_nobody_can_confirm(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 2, 1, 0, 0);
    s.is_first_hand = true;
    assert_int_equal(s.confirmations_wanted, 0);
    (void)suspicion_accuse(&s, &accusers[0]);
    (void)suspicion_accuse(&s, &accusers[1]);
    assert_int_equal(wait_us(&s), s.max_us);
    suspicion_start(&s, 3, 1, 0, 0);
    assert_int_equal(s.confirmations_wanted, 1);
}

static void it_grows_with_the_cluster_and_with_ill_health_and_is_random(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 1000, 1, 0, 0);
    assert_int_equal(s.min_us, 1500000);
    suspicion_start(&s, 10, 9, 0, 0);
    assert_int_equal(s.min_us, 4500000);
    suspicion_start(&s, 10, 1, 250000, 0);
    assert_int_equal(s.min_us, 750000);
    suspicion_start(&s, 10, 1, UINT64_MAX, 0);
    assert_in_range(s.min_us, 500000, 750000);
}

static void hearsay_waits_twice_as_long(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 10, 1, 0, 0);
    (void)suspicion_accuse(&s, &accusers[0]);
    assert_int_equal(wait_us(&s), 2 * s.max_us);
}

static void proof_shortens_it_once_and_a_pause_moves_it(void **state)
{
    (void)state;
    struct suspicion s;
    suspicion_start(&s, 10, 1, 0, 1000);
    suspicion_prove(&s, 2000);
    suspicion_prove(&s, 300000);
    assert_int_equal(suspicion_deadline(&s), 402000);
    suspicion_delay(&s, 5000000);
    assert_int_equal(suspicion_deadline(&s), 5402000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_shrinks_with_each_accuser_from_maximum_to_minimum),
        cmocka_unit_test(an_accuser_counts_once),
        cmocka_unit_test(two_members_have_the_maximum_for_nobody_can_confirm),
        cmocka_unit_test(it_grows_with_the_cluster_and_with_ill_health_and_is_random),
        cmocka_unit_test(hearsay_waits_twice_as_long),
        cmocka_unit_test(proof_shortens_it_once_and_a_pause_moves_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
