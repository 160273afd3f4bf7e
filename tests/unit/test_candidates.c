#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/membership/candidates.h"

static const uint8_t secret[SIPHASH_KEY_BYTES] = {1, 2, 3};

static struct addr addr_number(uint32_t i)
{
    const uint8_t ip[4] = {10, 1, (uint8_t)(i >> 8), (uint8_t)i};
    return addr_v4(ip, 8081);
}

static void silence_is_asked_three_times_then_dialed_once_then_forgotten(void **state)
{
    (void)state;
    const uint64_t asks_us[] = {1000, 101000, 301000};
    const struct addr addr = addr_number(1);
    struct candidates cs;
    struct candidate_ask ask;
    candidates_init(&cs, 1, secret);
    assert_true(candidates_add(&cs, &addr, 1000));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(candidates_deadline(&cs), asks_us[i]);
        assert_int_equal(candidates_due(&cs, asks_us[i], &ask), CANDIDATE_ASK);
        assert_true(addr_equal(&ask.addr, &addr) && candidates_has_asked(&cs, ask.seq));
        assert_int_equal(candidates_due(&cs, asks_us[i], &ask), CANDIDATE_WAIT);
        candidates_check(&cs);
    }
    assert_int_equal(candidates_due(&cs, 501000, &ask), CANDIDATE_DIAL);
    assert_int_equal(candidates_due(&cs, 2000999, &ask), CANDIDATE_WAIT);
    assert_int_equal(cs.count, 1);
    assert_int_equal(candidates_due(&cs, 2001000, &ask), CANDIDATE_WAIT);
    assert_int_equal(cs.count, 0);
    assert_int_equal(candidates_deadline(&cs), UINT64_MAX);
    candidates_check(&cs);
    candidates_fini(&cs);
}

static void a_refusal_is_dialed_at_once(void **state)
{
    (void)state;
    const struct addr addr = addr_number(1), other = addr_number(2);
    struct candidates cs;
    struct candidate_ask ask;
    candidates_init(&cs, 1, secret);
    assert_true(candidates_add(&cs, &addr, 0));
    assert_int_equal(candidates_due(&cs, 0, &ask), CANDIDATE_ASK);
    assert_false(candidates_refused(&cs, &other, 50));
    assert_true(candidates_refused(&cs, &addr, 50));
    assert_int_equal(candidates_due(&cs, 50, &ask), CANDIDATE_DIAL);
    assert_true(candidates_refused(&cs, &addr, 60));
    assert_int_equal(candidates_due(&cs, 60, &ask), CANDIDATE_WAIT);
    assert_true(candidates_settle(&cs, &addr));
    assert_false(candidates_settle(&cs, &addr));
    candidates_fini(&cs);
}

static void who_sends_a_cookie_is_asked_again_with_it_at_once_and_closely(void **state)
{
    (void)state;
    const struct addr addr = addr_number(1);
    struct candidates cs;
    struct candidate_ask ask;
    candidates_init(&cs, 1, secret);
    assert_true(candidates_add(&cs, &addr, 0));
    assert_int_equal(candidates_due(&cs, 0, &ask), CANDIDATE_ASK);
    assert_true(ask.cookie == 0);
    const uint32_t seq = ask.seq;
    assert_false(candidates_cookie(&cs, seq + 1, 99, 50));
    assert_true(candidates_cookie(&cs, seq, 77, 50));
    assert_int_equal(candidates_deadline(&cs), 50);
    assert_int_equal(candidates_due(&cs, 50, &ask), CANDIDATE_ASK);
    assert_true(ask.cookie == 77 && ask.seq == seq);
    assert_true(candidates_cookie(&cs, seq, 78, 60));
    assert_int_equal(candidates_due(&cs, 60, &ask), CANDIDATE_WAIT);
    for (uint32_t asks = 1; asks < CANDIDATE_COOKIE_ASKS_MAX; asks++) {
        assert_int_equal(candidates_deadline(&cs), 50 + asks * CANDIDATE_COOKIE_ASK_MIN_US);
        assert_int_equal(candidates_due(&cs, candidates_deadline(&cs), &ask), CANDIDATE_ASK);
        assert_true(ask.cookie == 77);
    }
    assert_int_equal(candidates_due(&cs, candidates_deadline(&cs), &ask), CANDIDATE_DIAL);
    assert_true(candidates_cookie(&cs, seq, 79, 1000000));
    assert_true(candidates_settle(&cs, &addr));
    assert_false(candidates_cookie(&cs, seq, 77, 1000000));
    candidates_check(&cs);
    candidates_fini(&cs);
}

static void an_answer_finds_its_candidate_by_number_once(void **state)
{
    (void)state;
    const struct addr addr = addr_number(1);
    struct candidates cs;
    struct addr got;
    struct candidate_ask ask;
    candidates_init(&cs, 1, secret);
    assert_true(candidates_add(&cs, &addr, 0));
    assert_int_equal(candidates_due(&cs, 0, &ask), CANDIDATE_ASK);
    assert_false(candidates_settle_seq(&cs, ask.seq & 0x7fffffffU, &got));
    assert_false(candidates_settle_seq(&cs, ask.seq + 1, &got));
    assert_true(candidates_settle_seq(&cs, ask.seq, &got));
    assert_true(addr_equal(&got, &addr));
    assert_false(candidates_settle_seq(&cs, ask.seq, &got));
    /* Its successor in the same slot has another number. */
    struct candidate_ask later;
    assert_true(candidates_add(&cs, &addr, 0));
    assert_int_equal(candidates_due(&cs, 0, &later), CANDIDATE_ASK);
    assert_int_not_equal(ask.seq, later.seq);
    candidates_fini(&cs);
}

/* Each bit but the one that marks it as a candidate's: else few numbers are left to try. */
static void no_part_of_a_number_can_be_told(void **state)
{
    (void)state;
    for (uint8_t first = 1; first <= 16; first++) {
        const uint8_t other_secret[SIPHASH_KEY_BYTES] = {first};
        struct candidates cs;
        struct candidate_ask ask;
        uint32_t ever = 0, always = UINT32_MAX;
        candidates_init(&cs, 1, other_secret);
        for (uint32_t i = 0; i < 64; i++) {
            const struct addr addr = addr_number(1);
            assert_true(candidates_add(&cs, &addr, i));
            assert_int_equal(candidates_due(&cs, i, &ask), CANDIDATE_ASK);
            assert_true(candidates_settle(&cs, &addr));
            ever |= ask.seq;
            always &= ask.seq;
        }
        assert_true(ever == UINT32_MAX && always == 0x80000000U);
        candidates_fini(&cs);
    }
}

static void repeated_own_and_impossible_hints_cost_nothing(void **state)
{
    (void)state;
    const struct addr addr = addr_number(1), own = addr_number(2);
    struct addr bad = addr_number(3);
    struct candidates cs;
    candidates_init(&cs, 1, secret);
    candidates_add_own(&cs, &own);
    assert_true(candidates_is_own(&cs, &own));
    assert_false(candidates_add(&cs, &own, 0));
    assert_true(candidates_add(&cs, &addr, 0));
    assert_false(candidates_add(&cs, &addr, 0));
    bad.port = 0;
    assert_false(candidates_add(&cs, &bad, 0));
    const uint8_t any[4] = {0};
    bad = addr_v4(any, 8081);
    assert_false(candidates_add(&cs, &bad, 0));
    candidates_fini(&cs);
}

static void a_long_list_is_bounded_and_asked_in_bursts(void **state)
{
    (void)state;
    struct candidates cs;
    struct candidate_ask ask;
    candidates_init(&cs, 1, secret);
    for (uint32_t i = 0; i < CANDIDATES_MAX; i++) {
        const struct addr addr = addr_number(i);
        assert_true(candidates_add(&cs, &addr, 0));
    }
    const struct addr one_more = addr_number(CANDIDATES_MAX);
    assert_false(candidates_add(&cs, &one_more, 0));
    candidates_check(&cs);
    for (uint64_t burst = 0; burst < 3; burst++) {
        for (uint32_t i = 0; i < CANDIDATE_BURST; i++) {
            assert_int_equal(candidates_due(&cs, burst * CANDIDATE_BURST_US, &ask), CANDIDATE_ASK);
        }
        assert_int_equal(candidates_due(&cs, burst * CANDIDATE_BURST_US, &ask), CANDIDATE_WAIT);
    }
    for (uint32_t i = 0; i < CANDIDATES_MAX; i += 2) {
        const struct addr addr = addr_number(i);
        assert_true(candidates_settle(&cs, &addr));
    }
    candidates_check(&cs);
    assert_true(candidates_add(&cs, &one_more, 0));
    candidates_fini(&cs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_asked_three_times_then_dialed_once_then_forgotten),
        cmocka_unit_test(a_refusal_is_dialed_at_once),
        cmocka_unit_test(who_sends_a_cookie_is_asked_again_with_it_at_once_and_closely),
        cmocka_unit_test(an_answer_finds_its_candidate_by_number_once),
        cmocka_unit_test(no_part_of_a_number_can_be_told),
        cmocka_unit_test(repeated_own_and_impossible_hints_cost_nothing),
        cmocka_unit_test(a_long_list_is_bounded_and_asked_in_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
