/* What two members exchange until they hold the same. (What a peer may say: test_sync_frames.c.) */
#include "gossip/repair/sync.h"

#include "gossip/repair/initiator.h"
#include "sync_pair.h"

/* How many notices of finished sessions wait, which go; each is of so many records. */
static uint32_t sessions_told(struct end *e, int64_t records)
{
    struct action action;
    uint32_t count = 0;
    while (outbox_next(e->outbox, &action)) {
        if (action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_SYNC_DONE) {
            assert_int_equal(action.notice->value, records);
            count++;
        }
    }
    return count;
}

static void a_small_difference_travels_and_nothing_else(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 5000; i++) {
        const uint64_t ttl_ms = 60000 + (uint64_t)(i % 500) * 60000;
        if (i % 1000 != 1) {
            store_one(&p->ends[0], i, ttl_ms);
        }
        if (i % 1000 != 2) {
            store_one(&p->ends[1], i, ttl_ms);
        }
    }
    run_session(p, 0);
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 5000);
    assert_int_equal(p->ends[0].counters.sync_records_sent, 5);
    assert_int_equal(p->ends[1].counters.sync_records_sent, 5);
    assert_int_equal(p->ends[0].counters.syncs_finished, 1);
    assert_int_equal(p->ends[0].counters.syncs_vain, 0);
    assert_int_equal(sessions_told(&p->ends[0], 10), 1);
    assert_true(p->ends[0].bytes + p->ends[1].bytes < 20000);
}

static void equal_sides_exchange_their_sums_only(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 1000; i++) {
        store_one(&p->ends[0], i, 60000 + (uint64_t)i * 1000);
        store_one(&p->ends[1], i, 60000 + (uint64_t)i * 1000);
    }
    run_session(p, 1);
    assert_int_equal(p->ends[1].counters.syncs_finished, 1);
    assert_int_equal(p->ends[1].counters.syncs_vain, 1);
    assert_int_equal(sessions_told(&p->ends[1], 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(p->ends[i].counters.sync_bytes_sent, p->ends[i].bytes);
    }
    assert_int_equal(p->ends[0].counters.syncs_vain, 0);
    assert_int_equal(p->ends[0].counters.sync_records_sent, 0);
    assert_true(p->ends[0].bytes + p->ends[1].bytes < 200);
}

/* What is left of an entry refuses older ones on the other side too. */
static void shadows_are_sent_as_records_are_and_counted_among_them(void **state)
{
    struct pair *p = *state;
    char key[16];
    enum merge_outcome outcome = MERGE_SAME;
    struct record shadow = record_of(1, 60000, key);
    shadow.is_shadow = true;
    shadow.value_len = 0;
    assert_int_equal(store_merge(p->ends[0].store, &shadow, NOW_MS, &outcome), RC_OK);
    store_one(&p->ends[0], 2, 60000);
    run_session(p, 1);
    assert_equal_contents(p);
    assert_int_equal(store_stats(p->ends[1].store).shadows, 1);
    assert_int_equal(p->ends[0].counters.sync_records_sent, 2);
    assert_int_equal(p->ends[0].counters.sync_shadows_sent, 1);
    assert_int_equal(p->ends[1].counters.sync_shadows_sent, 0);
}

static void a_large_epoch_is_compared_by_cells(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 20000; i++) {
        if (i != 77) {
            store_one(&p->ends[0], i, 600000);
        }
        if (i != 12345) {
            store_one(&p->ends[1], i, 600000);
        }
    }
    run_session(p, 0);
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 20000);
    /* 20,000 ids alone would be 160,000 bytes. */
    assert_true(p->ends[0].bytes + p->ends[1].bytes < 1500);
}

static void an_empty_side_gets_everything(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 3000; i++) {
        store_one(&p->ends[1], i, 30000 + (uint64_t)(i % 100) * 60000);
    }
    run_session(p, 0);
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 3000);
}

static void a_hundred_thousand_entries_of_one_epoch_arrive_in_one_session(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 100000; i++) {
        store_one(&p->ends[1], i, 600000);
    }
    run_session(p, 0);
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 100000);
    assert_int_equal(p->ends[1].counters.sync_records_sent, 100000);
}

static void two_hundred_thousand_differences_of_one_epoch_take_one_session(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 210000; i++) {
        store_one(&p->ends[i % 2], i, 600000);
        if (i < 10000) {
            store_one(&p->ends[1 - i % 2], i, 600000);
        }
    }
    run_session(p, 0);
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 210000);
    /* Each missing record went once. */
    assert_int_equal(p->ends[0].received + p->ends[1].received, 200000);
    assert_true(p->ends[0].counters.sync_bytes_sent + p->ends[1].counters.sync_bytes_sent <
                UINT64_C(200000) * 27);
}

static void records_that_arrive_meanwhile_do_no_harm(void **state)
{
    struct pair *p = *state;
    uint32_t number = 0;
    for (; number < 20000; number++) {
        store_one(&p->ends[number % 2], number, 600000);
    }
    assert_int_equal(sync_start(p->ends[0].sync, p->ends[0].link, SYNC_CUT_ALL, p->now_us), RC_OK);
    for (int round = 0; round < 1000; round++) {
        store_one(&p->ends[round % 2], number++, 600000);
        step(p);
    }
    for (int session = 0; session < 3; session++) {
        run_session(p, session % 2);
    }
    assert_equal_contents(p);
    assert_int_equal(keys(&p->ends[0]), 21000);
}

static void two_sessions_begun_at_once_become_one(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 100; i++) {
        store_one(&p->ends[i % 2], i, 600000);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sync_start(p->ends[i].sync, p->ends[i].link, SYNC_CUT_ALL, p->now_us),
                         RC_OK);
    }
    for (int i = 0; i < 50; i++) {
        step(p);
    }
    assert_true(is_idle(&p->ends[0]) && is_idle(&p->ends[1]));
    assert_equal_contents(p);
    assert_int_equal(p->ends[0].counters.sync_records_sent, 50);
    assert_int_equal(p->ends[1].counters.sync_records_sent, 50);
}

static void a_session_whose_peer_is_silent_is_given_up(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    store_one(e, 1, 600000);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_AGAIN);
    for (uint64_t us = 0; us < SYNC_STALL_US + 2000000; us += 100000) {
        p->now_us += 100000;
        sync_turn(e->sync, p->now_us, NOW_MS, false);
    }
    assert_false(e->link->sync->is_active);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
}

/* There is no memory for it, say. */
static void a_session_whose_last_word_does_not_go_is_not_over(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    e->link->sync->is_answered = true;
    const size_t max = e->link->bulk.max;
    e->link->bulk.max = e->link->bulk.len;
    assert_false(initiator_finish(&e->config, e->link, p->now_us));
    assert_true(e->link->sync->is_active);
    assert_int_equal(e->counters.syncs_finished, 0);
    e->link->bulk.max = max;
    assert_true(initiator_finish(&e->config, e->link, p->now_us));
    assert_false(e->link->sync->is_active);
    assert_int_equal(e->counters.syncs_finished, 1);
}

/* How many cells a session asks for first that guesses so many differences. */
static uint32_t asked_first(uint32_t guess)
{
    void *state = NULL;
    uint8_t bytes[2];
    (void)set_up(&state);
    struct pair *p = state;
    struct end *e = &p->ends[0];
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    struct session *side = e->link->sync;
    assert_int_equal(scope_add(&side->stream_scope, 1, 1), RC_OK);
    side->list_entries = UINT64_MAX; /* too many for a list */
    side->groups_differing = guess;
    side->epochs = 0;
    buf_clear(&e->link->bulk);
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, side->session);
    cursor_put_u8(&c, 1); /* the last of the answer */
    assert_int_equal(feed(p, FRAME_SYNC_EPOCHS, &c), RC_OK);
    c = cursor_reader(buf_data(&e->link->bulk), e->link->bulk.len);
    assert_int_equal(cursor_u8(&c), FRAME_SYNC_SCOPE);
    (void)cursor_bytes(&c, FRAME_HEADER_BYTES - 1 + 1); /* session */
    const uint32_t cells = cursor_u32(&c);
    assert_int_equal(side->stream->until, cells);
    (void)tear_down(&state);
    return cells;
}

static void of_many_cells_half_are_asked_for_at_first_and_a_quarter_of_a_table_at_most(void **state)
{
    (void)state;
    enum { WHOLE_MAX = 256, MOST = CELLS_WANTED_MAX / 4 };
    uint32_t few = 1;
    while (cells_for(few + 1, 0) < WHOLE_MAX) {
        few++;
    }
    assert_int_equal(asked_first(few), cells_for(few, 0));
    assert_int_equal(asked_first(few + 1), cells_for(few + 1, 0) / 2);
    uint32_t many = few;
    while (cells_for(many + 1, 0) / 2 < MOST) {
        many++;
    }
    assert_int_equal(asked_first(many), cells_for(many, 0) / 2);
    assert_int_equal(asked_first(many + 1), MOST);
    assert_int_equal(asked_first(many + many / 8), MOST);
    assert_int_equal(asked_first(4 * many), MOST);
}

static void what_a_loss_owes_does_not_wait_out_a_long_session(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    store_one(e, 1, 600000);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    p->now_us += 4000000; /* a network that loses much */
    for (int i = 0; i < 100 && e->link->sync->is_active; i++) {
        step(p);
    }
    assert_false(e->link->sync->is_active);
    p->now_us += SYNC_PAUSE_US;
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_AGAIN);
    sync_hurry(e->link);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
}

static void a_session_that_was_crossed_keeps_the_stream_to_a_joining_node(void **state)
{
    struct pair *p = *state;
    for (uint32_t i = 0; i < 5000; i++) {
        store_one(&p->ends[1], i, 600000 + (uint64_t)(i % 50) * 64000);
    }
    /* The donor, which has the larger id, has a session of its own when the smaller one's comes. */
    sync_join(p->ends[0].sync, p->now_us);
    p->now_us += 1000000;
    sync_turn(p->ends[0].sync, p->now_us, NOW_MS, false);
    assert_int_equal(sync_start(p->ends[1].sync, p->ends[1].link, SYNC_CUT_ALL, p->now_us), RC_OK);
    assert_int_equal(sync_start(p->ends[0].sync, p->ends[0].link, SYNC_CUT_ALL, p->now_us), RC_OK);
    for (int i = 0; i < 1000 && sync_is_joining(p->ends[0].sync); i++) {
        step(p);
    }
    assert_false(sync_is_joining(p->ends[0].sync));
    assert_int_equal(keys(&p->ends[0]), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_small_difference_travels_and_nothing_else),
        TEST(equal_sides_exchange_their_sums_only),
        TEST(shadows_are_sent_as_records_are_and_counted_among_them),
        TEST(a_large_epoch_is_compared_by_cells),
        TEST(an_empty_side_gets_everything),
        TEST(a_hundred_thousand_entries_of_one_epoch_arrive_in_one_session),
        TEST(two_hundred_thousand_differences_of_one_epoch_take_one_session),
        TEST(records_that_arrive_meanwhile_do_no_harm),
        TEST(two_sessions_begun_at_once_become_one),
        TEST(a_session_whose_peer_is_silent_is_given_up),
        TEST(a_session_whose_last_word_does_not_go_is_not_over),
        cmocka_unit_test(
            of_many_cells_half_are_asked_for_at_first_and_a_quarter_of_a_table_at_most),
        TEST(what_a_loss_owes_does_not_wait_out_a_long_session),
        TEST(a_session_that_was_crossed_keeps_the_stream_to_a_joining_node),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
