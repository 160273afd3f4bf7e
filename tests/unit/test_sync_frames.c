/* What a peer says in reconciliation: how much of it is taken, and what is answered to how much. */
#include "gossip/repair/sync.h"

#include "sync_pair.h"

static void frames_that_are_not_right_are_refused(void **state)
{
    struct pair *p = *state;
    uint8_t bytes[64];
    for (size_t len = 0; len < 12; len++) {
        struct cursor c = cursor_writer(bytes, sizeof(bytes));
        for (size_t i = 0; i < len; i++) {
            cursor_put_u8(&c, 0xff);
        }
        assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_SYNC_EPOCHS, &c), RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_SYNC_SCOPE, &c), RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_SYNC_DONE, &c), len == 5 ? RC_OK : RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_SYNC_MORE, &c), len == 10 ? RC_OK : RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_SYNC_WANT, &c), len == 6 ? RC_OK : RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_JOIN, &c), RC_MALFORMED);
        assert_int_equal(feed(p, FRAME_JOIN_DONE, &c), RC_MALFORMED);
    }
}

/* Of an epoch of which the peer has others: by their ids, or by cells. */
static void so_many_entries_are_listed_and_more_are_streamed(void **state)
{
    enum { LISTED = 56, TTL_MS = 600000 };
    const uint64_t epoch = (NOW_MS + TTL_MS) / EPOCH_MS;
    (void)state;
    for (uint32_t count = LISTED - 1; count <= LISTED + 1; count++) {
        struct pair *p = NULL;
        uint8_t bytes[32];
        (void)set_up((void **)&p);
        struct end *e = &p->ends[0];
        for (uint32_t i = 0; i < count; i++) {
            store_one(e, i, TTL_MS);
        }
        assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
        struct cursor c = cursor_writer(bytes, sizeof(bytes));
        cursor_put_u8(&c, e->link->sync->session);
        cursor_put_u8(&c, 1);
        cursor_put_u32(&c, (uint32_t)(epoch / EPOCHS_PER_GROUP));
        cursor_put_u8(&c, 0);
        cursor_put_u64(&c, UINT64_C(1) << epoch % EPOCHS_PER_GROUP);
        cursor_put_u32(&c, 0);
        cursor_put_varint(&c, 1);
        assert_int_equal(feed(p, FRAME_SYNC_EPOCHS, &c), RC_OK);
        assert_int_equal(e->link->sync->list != NULL, count <= LISTED);
        assert_int_equal(e->link->sync->stream != NULL, count > LISTED);
        (void)tear_down((void **)&p);
    }
}

/* The answer to a peer that has nothing: the epochs of a group one by one, or the group as one. */
static void so_many_epochs_are_named_and_with_more_only_their_groups(void **state)
{
    enum { NAMED = 1536, EPOCH_LIFE = EPOCH_MS };
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    for (uint32_t i = 1; i <= NAMED + 1; i++) {
        store_one(e, i, (uint64_t)i * EPOCH_LIFE);
        if (i < NAMED) {
            continue;
        }
        uint8_t bytes[17];
        struct cursor c = cursor_writer(bytes, sizeof(bytes));
        cursor_put_u8(&c, 1);
        cursor_put_u64(&c, SYNC_CUT_ALL);
        cursor_put_u64(&c, 99);
        buf_clear(&e->link->bulk);
        assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_OK);
        struct cursor answer = cursor_reader(buf_data(&e->link->bulk), e->link->bulk.len);
        assert_int_equal(cursor_u8(&answer), FRAME_SYNC_EPOCHS);
        (void)cursor_bytes(&answer, FRAME_HEADER_BYTES - 1 + 2 + 4); /* session, last, group */
        assert_int_equal(cursor_u8(&answer), i > NAMED);
    }
}

/* A peer may say that as many groups differ as a scope has room for: each as a whole, and in an
 * epoch of which nothing is here. */
static void as_many_groups_as_may_differ_are_asked_for(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    enum { SIZE = 2 + SCOPE_ROWS_MAX * (13 + 13 + 5), ROW_BYTES = 4 + 8 };
    uint8_t *bytes = mem_new(1, SIZE);
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    struct cursor c = cursor_writer(bytes, SIZE);
    cursor_put_u8(&c, e->link->sync->session);
    cursor_put_u8(&c, 1);
    for (uint32_t group = 0; group < SCOPE_ROWS_MAX; group++) {
        cursor_put_u32(&c, group);
        cursor_put_u8(&c, 1);
        cursor_put_u64(&c, 0);
        cursor_put_u32(&c, group);
        cursor_put_u8(&c, 0);
        cursor_put_u64(&c, 1);
        cursor_put_u32(&c, 0);
        cursor_put_varint(&c, 1);
    }
    buf_clear(&e->link->bulk);
    assert_int_equal(feed(p, FRAME_SYNC_EPOCHS, &c), RC_OK);
    struct cursor asked = cursor_reader(buf_data(&e->link->bulk), e->link->bulk.len);
    assert_int_equal(cursor_u8(&asked), FRAME_SYNC_SCOPE);
    (void)cursor_bytes(&asked, FRAME_HEADER_BYTES - 1 + 1 + 4 + 1); /* session, cells, share */
    assert_int_equal(cursor_u16(&asked), SCOPE_ROWS_MAX);
    (void)cursor_bytes(&asked, (size_t)SCOPE_ROWS_MAX * ROW_BYTES);
    assert_int_equal(cursor_u16(&asked), SCOPE_ROWS_MAX);
    (void)cursor_bytes(&asked, (size_t)SCOPE_ROWS_MAX * ROW_BYTES);
    assert_true(cursor_ok(&asked));
    free(bytes);
}

/* Past some at once a session is answered by nothing, as one that gives way, until time passes. */
static void a_peer_begins_so_many_sessions_at_once_and_then_a_few_a_second(void **state)
{
    enum { NOTHING = FRAME_HEADER_BYTES + 2 };
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    uint8_t bytes[17];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 1);
    cursor_put_u64(&c, SYNC_CUT_ALL);
    cursor_put_u64(&c, 99);
    store_one(e, 1, 600000);
    p->now_us += UINT64_C(1000) * SYNC_ASK_US;
    for (uint32_t i = 1; i <= SYNC_ASKS_MAX + 1; i++) {
        buf_clear(&e->link->bulk);
        assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_OK);
        assert_int_equal(e->link->bulk.len > NOTHING, i <= SYNC_ASKS_MAX);
        assert_int_equal(e->counters.syncs_refused, i > SYNC_ASKS_MAX);
    }
    for (uint32_t i = 0; i < 3; i++) {
        p->now_us += i == 0 ? SYNC_ASK_US - 1 : 1;
        buf_clear(&e->link->bulk);
        assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_OK);
        assert_int_equal(e->link->bulk.len > NOTHING, i == 1);
    }
}

static void a_peer_joins_so_often_at_once(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    const uint8_t bytes[] = {0, 1};
    for (uint32_t i = 1; i <= SYNC_ASKS_MAX + 1; i++) {
        struct cursor c = cursor_writer((uint8_t[2]){0}, 2);
        cursor_put_bytes(&c, bytes, sizeof(bytes));
        assert_int_equal(feed(p, FRAME_JOIN, &c), RC_OK);
        const bool is_taken = e->link->sync->job_count > 0;
        assert_int_equal(is_taken, i <= SYNC_ASKS_MAX);
        session_drop(e->link->sync, e->store);
    }
    assert_int_equal(e->counters.syncs_refused, 1);
}

static void more_cells_of_no_stream_are_not_sent(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    uint8_t bytes[10];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    assert_int_equal(sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us), RC_OK);
    cursor_put_u8(&c, e->link->sync->session);
    cursor_put_u8(&c, 0);
    cursor_put_u32(&c, 0);
    cursor_put_u32(&c, 64);
    buf_clear(&e->link->bulk);
    assert_int_equal(feed(p, FRAME_SYNC_MORE, &c), RC_OK);
    assert_int_equal(e->link->bulk.len, 0);
}

static void the_lists_of_a_hostile_peer_are_bounded(void **state)
{
    struct pair *p = *state;
    enum { SIZE = 2 + 8 * SYNC_LIST_MAX };
    uint8_t *bytes = mem_new(1, SIZE);
    uint64_t id = 1, fed = 0;
    enum rc rc = RC_OK;
    begin_as_peer(p, true);
    for (uint32_t frame = 0; frame < 1000 && rc == RC_OK; frame++) {
        struct cursor c = cursor_writer(bytes, SIZE);
        cursor_put_u8(&c, 1);
        cursor_put_u8(&c, 0);
        for (int i = 0; i < SYNC_LIST_MAX; i++) {
            cursor_put_u64(&c, id++ * UINT64_C(0x9e3779b97f4a7c15));
        }
        rc = feed(p, FRAME_SYNC_LIST, &c);
        fed += rc == RC_OK ? SYNC_LIST_MAX : 0;
    }
    assert_int_equal(rc, RC_MALFORMED);
    assert_true(fed <= EPOCH_SENDER_IDS_MAX);
    free(bytes);
}

static void put_cells(struct cursor *c, uint32_t first, uint32_t count)
{
    cursor_put_u8(c, 1);
    cursor_put_u8(c, 0);
    cursor_put_u32(c, 0);
    cursor_put_u32(c, first);
    for (uint32_t i = 0; i < count; i++) {
        cursor_put_u64(c, (first + i + 1) * UINT64_C(0x9e3779b97f4a7c15));
        cursor_put_u32(c, i);
        cursor_put_signed(c, -(int64_t)i * 1000);
    }
}

static void cells_that_were_not_asked_for_are_refused(void **state)
{
    struct pair *p = *state;
    uint8_t bytes[4096];
    begin_as_peer(p, false);
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    put_cells(&c, 1, 1); /* not the first ones */
    assert_int_equal(feed(p, FRAME_SYNC_CELLS, &c), RC_MALFORMED);
    c = cursor_writer(bytes, sizeof(bytes));
    put_cells(&c, 0, 64);
    assert_int_equal(feed(p, FRAME_SYNC_CELLS, &c), RC_OK);
    c = cursor_writer(bytes, sizeof(bytes));
    put_cells(&c, 64, 1); /* one more than was wanted */
    assert_int_equal(feed(p, FRAME_SYNC_CELLS, &c), RC_MALFORMED);
}

static void garbled_cells_end_a_stream_and_harm_nothing(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    uint8_t *bytes = mem_new(1, 1 << 17);
    for (uint32_t i = 0; i < 100; i++) {
        store_one(e, i, 600000);
    }
    begin_as_peer(p, false);
    uint32_t sent = 0;
    for (int i = 0; i < 2000 && e->link->sync->sink != NULL; i++) {
        const struct cells_sink *k = e->link->sync->sink;
        if (k->slice_bits == 0 && sent < k->until) {
            const uint32_t count = k->until - sent < 3000 ? k->until - sent : 3000;
            struct cursor c = cursor_writer(bytes, 1 << 17);
            put_cells(&c, sent, count);
            assert_int_equal(feed(p, FRAME_SYNC_CELLS, &c), RC_OK);
            sent += count;
        }
        p->now_us += 100000;
        sync_turn(e->sync, p->now_us, NOW_MS, false);
    }
    assert_null(e->link->sync->sink);
    assert_int_equal(e->counters.syncs_undecoded, 1);
    assert_int_equal(keys(e), 100);
    free(bytes);
}

/* Streams of which ids are held. */
static uint32_t taken_in(struct link *const *links, uint32_t count)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        taken += links[i]->sync->sink->column.block_count > 0;
    }
    return taken;
}

/* Each has a column of ids, so that others wait until one of them is over; and then they are not
 * forgotten. */
static void take_in_streams(struct pair *p, bool is_one_addr, uint32_t most)
{
    enum { STREAMS = SYNC_SINKS_MAX + 2, TTL_MS = 600000, TURNS = 50 };
    struct end *e = &p->ends[0];
    struct link *links[STREAMS] = {e->link};
    store_one(e, 1, TTL_MS);
    for (uint32_t i = 0; i < STREAMS; i++) {
        const struct addr addr = {.ip = {is_one_addr ? 0 : (uint8_t)i}, .port = 1};
        links[i] = i == 0 ? e->link : mesh_add(e->mesh, LINK_OPEN, true, &addr, 0);
        links[i]->member = &e->peer;
        e->link = links[i];
        begin_of_epoch(p, false, (NOW_MS + TTL_MS) / EPOCH_MS);
        for (int turn = 0; turn < TURNS; turn++) {
            sync_turn(e->sync, p->now_us, NOW_MS, false);
        }
        assert_int_equal(taken_in(links, i + 1), i < most ? i + 1 : most);
    }
    for (uint32_t lost = 0; lost < STREAMS; lost++) {
        const uint32_t left = STREAMS - 1 - lost;
        e->link = links[lost];
        lose_link(e);
        for (int turn = 0; turn < TURNS; turn++) {
            sync_turn(e->sync, p->now_us, NOW_MS, false);
        }
        assert_int_equal(taken_in(links + lost + 1, left), left < most ? left : most);
    }
}

static void so_many_streams_are_taken_in_at_once(void **state)
{
    take_in_streams(*state, false, SYNC_SINKS_MAX);
}

/* One that has to wait for its turn, and would send many cells at once, sends them then. */
static void a_stream_that_waits_is_sent_few_cells(void **state)
{
    enum { TTL_MS = 600000, STREAMS = SYNC_SINKS_MAX + 2, MANY = SYNC_WAITING_CELLS_MAX + 1 };
    static const uint32_t cells[STREAMS] = {MANY, MANY, MANY, MANY, MANY - 1, MANY};
    const uint64_t epoch = (NOW_MS + TTL_MS) / EPOCH_MS;
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    struct link *links[STREAMS] = {e->link};
    store_one(e, 1, TTL_MS);
    for (uint32_t i = 0; i < STREAMS; i++) {
        const struct addr addr = {.ip = {(uint8_t)i}, .port = 1};
        links[i] = i == 0 ? e->link : mesh_add(e->mesh, LINK_OPEN, true, &addr, 0);
        links[i]->member = &e->peer;
        e->link = links[i];
        begin_with_cells(p, false, epoch, cells[i]);
        const struct cells_sink *k = links[i]->sync->sink;
        const bool is_last = i == STREAMS - 1;
        assert_int_equal(k->is_held, is_last);
        assert_int_equal(k->until, is_last ? 0 : cells[i]);
    }
    for (uint32_t i = 0; i < STREAMS - 1; i++) {
        e->link = links[i];
        lose_link(e);
    }
    sync_turn(e->sync, p->now_us, NOW_MS, false);
    e->link = links[STREAMS - 1];
    assert_false(e->link->sync->sink->is_held);
    assert_in_range(e->link->sync->sink->until, CELLS_FIRST_MIN, SYNC_WAITING_CELLS_MAX);
    assert_int_equal(e->link->sync->sink->column.block_count, 1);
}

static void of_one_address_fewer_streams_are_taken_in_at_once(void **state)
{
    take_in_streams(*state, true, SYNC_SINKS_ADDR_MAX);
}

/* Who has only said HELLO gets nothing that costs much; the answer of a member comes soon. */
static void nothing_is_sent_to_who_has_answered_nothing(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    uint8_t bytes[2];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 0);
    cursor_put_u8(&c, 1);
    store_one(e, 1, 600000);
    e->link->is_dialed = false;
    e->link->terms.is_only_word = true;
    assert_int_equal(feed(p, FRAME_JOIN, &c), RC_OK);
    sync_turn(e->sync, p->now_us, NOW_MS, false);
    assert_false(link_has_output(e->link));
    assert_true(sync_deadline(e->sync) > 0); /* nor does it keep anybody busy */
    e->link->terms.is_only_word = false;
    sync_turn(e->sync, p->now_us, NOW_MS, false);
    assert_true(link_has_output(e->link));
}

/* sync_turn() says so as long as the link has no session of its own. */
static void a_link_that_needs_a_session_is_told_of_while_it_has_none(void **state)
{
    struct pair *p = *state;
    struct end *e = &p->ends[0];
    begin_as_peer(p, false);
    assert_false(sync_turn(e->sync, p->now_us, NOW_MS, false));
    link_ask_repair(e->link, REPAIR_MISSED);
    assert_true(sync_turn(e->sync, p->now_us, NOW_MS, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(frames_that_are_not_right_are_refused),
        cmocka_unit_test(so_many_entries_are_listed_and_more_are_streamed),
        TEST(so_many_epochs_are_named_and_with_more_only_their_groups),
        TEST(as_many_groups_as_may_differ_are_asked_for),
        TEST(a_peer_begins_so_many_sessions_at_once_and_then_a_few_a_second),
        TEST(a_peer_joins_so_often_at_once),
        TEST(more_cells_of_no_stream_are_not_sent),
        TEST(the_lists_of_a_hostile_peer_are_bounded),
        TEST(cells_that_were_not_asked_for_are_refused),
        TEST(garbled_cells_end_a_stream_and_harm_nothing),
        TEST(so_many_streams_are_taken_in_at_once),
        TEST(of_one_address_fewer_streams_are_taken_in_at_once),
        TEST(a_stream_that_waits_is_sent_few_cells),
        TEST(nothing_is_sent_to_who_has_answered_nothing),
        TEST(a_link_that_needs_a_session_is_told_of_while_it_has_none),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
