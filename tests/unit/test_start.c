/* When a node that has started takes writes. */
#include "engine_rig.h"

enum {
    WAIT_US = 3000 * 1000, /* so long a member that is only named is waited for */
    FACTOR = 3             /* of the rig */
};

#define NOW_US (START_US + UINT64_C(100) * SECOND_US)

/* A node that lacks nothing but members, so many of which count, itself included. One more may turn
 * up, which has not answered. */
static struct engine *started(uint32_t voters)
{
    struct member *more = NULL;
    const struct frame_hello hello = hello_of(99, NOW_US);
    struct engine *e = make_as(1, 8 << 20);
    engine_advance(e, NOW_US);
    assert_int_equal(swim_meet(e->swim, &hello.card, NULL, NOW_US, &more), RC_OK);
    more->has_answered = false;
    engine_settle(e);
    assert_int_equal(e->pass_over_us, NOW_US);
    for (uint32_t i = 1; i < voters; i++) {
        (void)link_of_voter(e, (uint8_t)(i + 1), MEMBER_IS_CAUGHT_UP, NOW_US);
    }
    assert_int_equal(voters_count(e), voters);
    clock_source_found(e);
    sync_join_alone(e->sync);
    assert_false(e->has_formed);
    return e;
}

static void a_quorum_that_may_grow_is_waited_for(void **state)
{
    (void)state;
    struct engine *e = started(FACTOR - 1);
    engine_settle(e);
    assert_int_equal(engine_unready(e), READY_NO_QUORUM);
    engine_advance(e, NOW_US + WAIT_US);
    engine_settle(e);
    assert_int_equal(engine_unready(e), READY_NO_QUORUM);
    engine_advance(e, NOW_US + WAIT_US + 1);
    engine_settle(e);
    assert_int_equal(engine_unready(e), 0);
    char text[NOTICE_TEXT_SIZE];
    assert_int_equal(notices(e, NOTICE_READY, text), 1);
    assert_string_equal(text, "2");
    engine_free(e);
}

static void beyond_the_replication_factor_nobody_is_waited_for(void **state)
{
    (void)state;
    struct engine *e = started(FACTOR);
    engine_settle(e);
    assert_int_equal(engine_unready(e), 0);
    engine_free(e);
}

/* The datagram came back from a port of this host where discovery said that somebody was. */
static void a_candidate_that_is_no_node_ends_the_first_pass_at_once(void **state)
{
    (void)state;
    static const uint8_t ip[] = {127, 0, 0, 1};
    char text[NOTICE_TEXT_SIZE];
    const struct addr addr = addr_v4(ip, 1001);
    struct engine *e = make_as(1, 8 << 20);
    engine_candidate(e, &addr, START_US);
    engine_candidates_done(e, true, START_US);
    assert_false(e->is_pass_over);
    engine_refused(e, &addr, START_US + 1);
    assert_true(e->is_pass_over);
    assert_int_equal(e->pass_over_us, START_US + 1);
    assert_int_equal(notices(e, NOTICE_PASS_FAILED, text), 0);
    assert_int_equal(engine_unready(e), 0);
    engine_free(e);
}

static void a_provider_that_never_answers_is_waited_for_ten_seconds(void **state)
{
    (void)state;
    char text[NOTICE_TEXT_SIZE];
    const uint64_t over_us = START_US + UINT64_C(10) * SECOND_US;
    struct engine *e = make_as(1, 8 << 20);
    engine_candidates_done(e, false, START_US);
    engine_advance(e, over_us - 1);
    engine_settle(e);
    assert_int_not_equal(engine_unready(e) & READY_DISCOVERING, 0);
    engine_advance(e, over_us);
    engine_settle(e);
    assert_int_equal(engine_unready(e), 0);
    assert_int_equal(notices(e, NOTICE_PASS_FAILED, text), 1);
    engine_free(e);
}

/* An operator hears of it a second later, and again when there are more. */
static void an_enclave_that_lacks_members_says_how_many_there_are(void **state)
{
    (void)state;
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = make_as(1, 8 << 20);
    expect_init(&e->expect, 9);
    engine_candidates_done(e, true, START_US);
    engine_advance(e, START_US + SECOND_US - 1);
    engine_settle(e);
    assert_int_equal(notices(e, NOTICE_EXPECTING, text), 0);
    engine_advance(e, START_US + SECOND_US);
    engine_settle(e);
    assert_int_equal(notices(e, NOTICE_EXPECTING, text), 1);
    assert_string_equal(text, "1 of 9");
    engine_settle(e);
    assert_int_equal(notices(e, NOTICE_EXPECTING, text), 0);
    (void)link_of_voter(e, 2, 0, e->now_us);
    engine_settle(e);
    assert_int_equal(notices(e, NOTICE_EXPECTING, text), 1);
    assert_string_equal(text, "2 of 9");
    engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_candidate_that_is_no_node_ends_the_first_pass_at_once),
        cmocka_unit_test(a_provider_that_never_answers_is_waited_for_ten_seconds),
        cmocka_unit_test(an_enclave_that_lacks_members_says_how_many_there_are),
        cmocka_unit_test(a_quorum_that_may_grow_is_waited_for),
        cmocka_unit_test(beyond_the_replication_factor_nobody_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
