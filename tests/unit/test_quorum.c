#include "gossip/replication/quorum.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIMEOUT_US UINT64_C(5000000)

struct fixture {
    struct outbox *outbox;
    struct quorum *quorum;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.outbox = outbox_new();
    f.quorum = quorum_new(TIMEOUT_US, f.outbox);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    quorum_free(f->quorum);
    outbox_free(f->outbox);
    return 0;
}

/* The uuid of a member; borrowed for the call that it is an argument of. */
static const struct uuid *of(uint32_t member)
{
    static struct uuid uuid;
    uuid = (struct uuid){{1, (uint8_t)(member >> 8), (uint8_t)member}};
    return &uuid;
}

static uint32_t wait_for(struct fixture *f, uint64_t token, uint32_t quorum, uint64_t now_us)
{
    uint8_t key[] = "key";
    uint32_t waiter = 0;
    const struct waiting w = {
        .done = {.token = token,
                 .have = 1,
                 .members = 5,
                 .version = {.stamp = token},
                 .ttl_ms = 1000 * token,
                 .expiry_ms = 1001 * token},
        .record_id = token * 31,
        .quorum = quorum,
        .key = key,
        .key_len = 3,
    };
    assert_int_equal(quorum_wait(f->quorum, &w, now_us, &waiter), RC_OK);
    assert_int_not_equal(waiter, 0);
    return waiter;
}

/* The oldest action is the whole answer to the write that waited under this token. */
static void assert_told(struct fixture *f, uint64_t token, enum put_status status, uint32_t have)
{
    struct action action;
    assert_true(outbox_next(f->outbox, &action));
    assert_int_equal(action.kind, ACTION_PUT_DONE);
    assert_int_equal(action.put.token, token);
    assert_int_equal(action.put.status, status);
    assert_int_equal(action.put.have, have);
    assert_int_equal(action.put.members, 5);
    assert_int_equal(action.put.version.stamp, token);
    assert_int_equal(action.put.ttl_ms, 1000 * token);
    assert_int_equal(action.put.expiry_ms, 1001 * token);
}

static void the_quorum_is_a_majority_of_the_factor_or_of_fewer_members(void **state)
{
    (void)state;
    assert_int_equal(quorum_size(1, 3), 1);
    assert_int_equal(quorum_size(2, 3), 2);
    assert_int_equal(quorum_size(3, 3), 2);
    assert_int_equal(quorum_size(100, 3), 2);
    assert_int_equal(quorum_size(100, 5), 3);
}

static void one_member_counts_once_however_often_it_says_so(void **state)
{
    struct fixture *f = *state;
    struct action action;
    const uint32_t w = wait_for(f, 1, 3, 0);
    quorum_held(f->quorum, w, of(7));
    quorum_held(f->quorum, w, of(7));
    assert_false(outbox_next(f->outbox, &action));
    assert_int_equal(quorum_part(f->quorum, w, of(7)), QUORUM_HOLDS);
    quorum_held(f->quorum, w, of(8));
    assert_told(f, 1, PUT_QUORUM, 3);
    quorum_check(f->quorum);
}

static void who_put_a_write_off_or_refused_it_may_hold_it_after_all_and_then_does(void **state)
{
    struct fixture *f = *state;
    struct action action;
    const uint32_t w = wait_for(f, 1, 4, 0);
    quorum_note(f->quorum, w, of(7), QUORUM_PUT_OFF);
    quorum_note(f->quorum, w, of(8), QUORUM_REFUSED);
    quorum_note(f->quorum, w, of(9), QUORUM_ASKED);
    assert_int_equal(quorum_part(f->quorum, w, of(6)), QUORUM_NONE);
    assert_int_equal(quorum_part(f->quorum, w, of(7)), QUORUM_PUT_OFF);
    assert_int_equal(quorum_parts(f->quorum, w, QUORUM_REFUSED), 1);
    quorum_held(f->quorum, w, of(7));
    quorum_held(f->quorum, w, of(8));
    quorum_note(f->quorum, w, of(8), QUORUM_REFUSED);
    assert_int_equal(quorum_part(f->quorum, w, of(8)), QUORUM_HOLDS);
    assert_int_equal(quorum_parts(f->quorum, w, QUORUM_HOLDS), 2);
    assert_false(outbox_next(f->outbox, &action));
    quorum_held(f->quorum, w, of(9));
    assert_true(outbox_next(f->outbox, &action));
    assert_int_equal(action.put.status, PUT_QUORUM);
    assert_int_equal(quorum_part(f->quorum, w, of(8)), QUORUM_NONE);
    quorum_check(f->quorum);
}

static void who_holds_a_write_is_noted_however_many_have_refused_it(void **state)
{
    struct fixture *f = *state;
    const uint32_t w = wait_for(f, 1, QUORUM_HOLDERS_MAX + 1, 0);
    for (uint32_t member = 0; member < 2 * QUORUM_PARTS_MAX; member++) {
        quorum_note(f->quorum, w, of(member), QUORUM_REFUSED);
    }
    assert_int_equal(quorum_parts(f->quorum, w, QUORUM_REFUSED), QUORUM_PARTS_MAX);
    for (uint32_t member = 1000; member < 1000 + QUORUM_HOLDERS_MAX - 1; member++) {
        quorum_held(f->quorum, w, of(member));
        quorum_held(f->quorum, w, of(member));
    }
    assert_int_equal(quorum_parts(f->quorum, w, QUORUM_HOLDS), QUORUM_HOLDERS_MAX - 1);
    quorum_check(f->quorum);
    quorum_held(f->quorum, w, of(1));
    assert_int_equal(quorum_count(f->quorum), 0);
}

static size_t bytes_in_use(void)
{
    const struct mallinfo2 info = mallinfo2(); /* 0 under the sanitizers */
    return info.uordblks + info.hblkhd;
}

static void a_waiting_write_of_a_small_enclave_costs_little_memory(void **state)
{
    struct fixture *f = *state;
    enum { WRITES = 1000, BYTES_MAX = 400 }; /* with the rooms that are free yet */
    const size_t before = bytes_in_use();
    for (uint64_t token = 1; token <= WRITES; token++) {
        const uint32_t w = wait_for(f, token, 3, 0);
        quorum_held(f->quorum, w, of(1));
        quorum_note(f->quorum, w, of(2), QUORUM_REFUSED);
        quorum_note(f->quorum, w, of(3), QUORUM_PUT_OFF);
        quorum_note(f->quorum, w, of(4), QUORUM_ASKED);
    }
    assert_in_range(bytes_in_use() - before, 0, (size_t)WRITES * BYTES_MAX);
    quorum_check(f->quorum);
}

static void those_that_have_held_or_refused_a_write_are_listed(void **state)
{
    struct fixture *f = *state;
    uint32_t at = 0;
    const uint32_t w = wait_for(f, 1, 4, 0);
    quorum_note(f->quorum, w, of(7), QUORUM_ASKED);
    quorum_note(f->quorum, w, of(8), QUORUM_REFUSED);
    quorum_note(f->quorum, w, of(9), QUORUM_PUT_OFF);
    quorum_held(f->quorum, w, of(7));
    assert_true(uuid_equal(quorum_next_settled(f->quorum, w, &at), of(7)));
    assert_true(uuid_equal(quorum_next_settled(f->quorum, w, &at), of(8)));
    assert_null(quorum_next_settled(f->quorum, w, &at));
    quorum_give_up(f->quorum, w);
    at = 0;
    assert_null(quorum_next_settled(f->quorum, w, &at));
}

static void what_cannot_reach_its_quorum_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    struct action action;
    const uint32_t first = wait_for(f, 1, 3, 0);
    const uint32_t second = wait_for(f, 2, 3, 0);
    quorum_held(f->quorum, first, of(7));
    quorum_give_up(f->quorum, first);
    assert_told(f, 1, PUT_PENDING, 2);
    quorum_give_up(f->quorum, first);
    quorum_note(f->quorum, first, of(8), QUORUM_REFUSED);
    assert_false(outbox_next(f->outbox, &action));
    assert_int_equal(quorum_first(f->quorum), second);
    quorum_check(f->quorum);
}

static void a_late_holder_of_a_settled_write_finds_nobody(void **state)
{
    struct fixture *f = *state;
    struct action action;
    const uint32_t w = wait_for(f, 1, 2, 0);
    quorum_held(f->quorum, w, of(7));
    assert_true(outbox_next(f->outbox, &action));
    const uint32_t next = wait_for(f, 2, 2, 0);
    assert_int_not_equal(next, w);
    quorum_held(f->quorum, w, of(8));
    assert_null(quorum_at(f->quorum, w));
    assert_false(outbox_next(f->outbox, &action));
    assert_int_equal(quorum_count(f->quorum), 1);
}

static void what_waits_too_long_is_answered_pending_in_order(void **state)
{
    struct fixture *f = *state;
    (void)wait_for(f, 1, 2, 0);
    (void)wait_for(f, 2, 2, 10);
    assert_int_equal(quorum_deadline(f->quorum), TIMEOUT_US);
    assert_int_equal(quorum_expire(f->quorum, TIMEOUT_US - 1), 0);
    assert_int_equal(quorum_expire(f->quorum, TIMEOUT_US + 10), 2);
    for (uint64_t token = 1; token <= 2; token++) {
        assert_told(f, token, PUT_PENDING, 1);
    }
    assert_int_equal(quorum_deadline(f->quorum), UINT64_MAX);
}

/* The first is answered in its own time, the others by the new one. */
static void in_a_hurry_no_write_waits_longer_than_is_said(void **state)
{
    struct fixture *f = *state;
    for (uint64_t token = 1; token <= 4; token++) {
        (void)wait_for(f, token, 2, 10 * (token - 1));
    }
    quorum_hurry(f->quorum, TIMEOUT_US + 10);
    quorum_check(f->quorum);
    assert_int_equal(quorum_deadline(f->quorum), TIMEOUT_US);
    assert_int_equal(quorum_expire(f->quorum, TIMEOUT_US), 1);
    assert_int_equal(quorum_deadline(f->quorum), TIMEOUT_US + 10);
    assert_int_equal(quorum_expire(f->quorum, TIMEOUT_US + 9), 0);
    assert_int_equal(quorum_expire(f->quorum, TIMEOUT_US + 10), 3);
    quorum_hurry(f->quorum, 0);
    assert_int_equal(quorum_deadline(f->quorum), UINT64_MAX);
}

static void waiting_writes_are_found_by_record_id_and_listed_in_order(void **state)
{
    struct fixture *f = *state;
    uint32_t waiters[200];
    for (uint64_t i = 0; i < 200; i++) {
        waiters[i] = wait_for(f, i + 1, 2, i);
    }
    quorum_check(f->quorum);
    quorum_held(f->quorum, waiters[100], of(1));
    size_t n = 0;
    for (uint32_t w = quorum_first(f->quorum); w != 0; w = quorum_next(f->quorum, w)) {
        n += n == 100;
        assert_int_equal(w, waiters[n]);
        n++;
    }
    assert_int_equal(n, 200);
    assert_int_equal(quorum_next(f->quorum, waiters[100]), 0); /* it waits no more */
    const struct version version = {.stamp = 51};
    const struct version settled = {.stamp = 101};
    const struct version other = {.stamp = 52};
    assert_int_equal(quorum_find(f->quorum, UINT64_C(51) * 31, &version), waiters[50]);
    assert_int_equal(quorum_find(f->quorum, UINT64_C(51) * 31, &other), 0);
    assert_int_equal(quorum_find(f->quorum, UINT64_C(101) * 31, &settled), 0);
    quorum_check(f->quorum);
}

static void more_than_the_maximum_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t key[] = "k";
    uint32_t waiter = 0;
    for (uint64_t i = 0; i < QUORUM_WAITING_MAX; i++) {
        waiter = wait_for(f, i + 1, 2, 0);
        assert_non_null(quorum_at(f->quorum, waiter));
        assert_int_equal(quorum_at(f->quorum, waiter)->done.token, i + 1);
    }
    const struct waiting w = {.done = {.have = 1}, .quorum = 2, .key = key, .key_len = 1};
    assert_int_equal(quorum_wait(f->quorum, &w, 0, &waiter), RC_OVERLOADED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_quorum_is_a_majority_of_the_factor_or_of_fewer_members,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_member_counts_once_however_often_it_says_so, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            who_put_a_write_off_or_refused_it_may_hold_it_after_all_and_then_does, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_waiting_write_of_a_small_enclave_costs_little_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_holds_a_write_is_noted_however_many_have_refused_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_that_have_held_or_refused_a_write_are_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_reach_its_quorum_is_answered_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_late_holder_of_a_settled_write_finds_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_waits_too_long_is_answered_pending_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(in_a_hurry_no_write_waits_longer_than_is_said, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(waiting_writes_are_found_by_record_id_and_listed_in_order,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_the_maximum_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
