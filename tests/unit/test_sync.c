#include "gossip/repair/sync.h"

#include "core/base/mem.h"
#include "gossip/repair/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1767225600000)

enum { STEP_US = 1000, OUTPUT_BYTES = 64 * 1024, ROUNDS_MAX = 200000 };

/* One of two members, joined by a link in memory. */
struct end {
    struct store *store;
    struct mesh *mesh;
    struct outbox *outbox;
    struct quorum *quorum;
    struct sync *sync;
    struct engine_counters counters;
    struct link *link;
    struct member peer; /* the other member, as this one knows it */
    struct uuid uuid;
    uint64_t bytes;    /* sent */
    uint64_t received; /* records */
};

struct pair {
    struct end ends[2];
    uint64_t now_us;
};

static void set_up_end(struct pair *p, int i)
{
    struct end *e = &p->ends[i];
    const struct store_config store = {
        .bytes_max = 256 << 20, .table_seed = (uint64_t)i + 1, .digest_seed = 7};
    const struct addr addr = {.port = 1};
    e->uuid = (struct uuid){{(uint8_t)(i + 1)}};
    const struct member_card card = {
        .uuid = {{(uint8_t)(2 - i)}}, .name = "n", .enclave = "default"};
    member_set_card(&e->peer, &card);
    e->peer.flags = MEMBER_IS_CAUGHT_UP;
    e->peer.is_mate = true;
    e->outbox = outbox_new();
    e->store = store_new(&store);
    e->mesh = mesh_new(e->outbox);
    e->quorum = quorum_new(1000000, e->outbox);
    static const uint8_t secrets[2][SIPHASH_KEY_BYTES] = {{1}, {2}};
    const struct sync_config sync = {
        .store = e->store,
        .mesh = e->mesh,
        .quorum = e->quorum,
        .outbox = e->outbox,
        .counters = &e->counters,
        .secret = secrets[i],
    };
    e->sync = sync_new(&sync);
    e->link = mesh_add(e->mesh, LINK_OPEN, i == 0, &addr, 0);
    e->link->member = &e->peer;
    e->peer.link = e->link->id;
}

static int set_up(void **state)
{
    struct pair *p = mem_new(1, sizeof(*p));
    p->now_us = 1000000;
    set_up_end(p, 0);
    set_up_end(p, 1);
    *state = p;
    return 0;
}

static void lose_link(struct end *e)
{
    if (e->link != NULL) {
        sync_link_gone(e->sync, e->link);
        mesh_remove(e->mesh, e->link);
        e->link = NULL;
    }
}

static int tear_down(void **state)
{
    struct pair *p = *state;
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        lose_link(e);
        sync_free(e->sync);
        mesh_free(e->mesh);
        quorum_free(e->quorum);
        store_free(e->store);
        outbox_free(e->outbox);
    }
    free(p);
    return 0;
}

static struct record record_of(uint32_t number, uint64_t ttl_ms, char key[static 16])
{
    const int len = snprintf(key, 16, "key-%u", number);
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = (size_t)len,
        .value = (const uint8_t *)"value",
        .value_len = 5,
        .version = {.stamp = (NOW_MS - 60000) << 16, .origin = {{9}}},
        .expiry_ms = NOW_MS + ttl_ms,
    };
}

static void store_one(struct end *e, uint32_t number, uint64_t ttl_ms)
{
    char key[16];
    enum merge_outcome outcome = MERGE_SAME;
    const struct record r = record_of(number, ttl_ms, key);
    assert_int_equal(store_merge(e->store, &r, NOW_MS, &outcome), RC_OK);
}

static uint64_t keys(const struct end *e)
{
    return store_stats(e->store).keys;
}

/* ---- The link in memory ---- */

static void take(struct end *e, const struct frame_record *f)
{
    enum merge_outcome outcome = MERGE_SAME;
    assert_int_equal(f->kind & RECORD_IS_COUNTED, 0);
    assert_int_equal(store_merge(e->store, &f->record, NOW_MS, &outcome), RC_OK);
    e->link->progress++;
    e->received++;
}

static void take_batch(struct end *e, const struct cursor *c)
{
    struct batch_reader reader;
    struct frame_record f;
    assert_int_equal(batch_read(&reader, c), RC_OK);
    enum rc rc = RC_OK;
    while ((rc = batch_next(&reader, &f)) == RC_OK) {
        take(e, &f);
    }
    assert_int_equal(rc, RC_NOT_FOUND);
}

static void deliver(struct pair *p, struct end *to, const struct buf *bytes)
{
    struct cursor all = cursor_reader(buf_data(bytes), bytes->len);
    while (cursor_left(&all) > 0) {
        const uint8_t type = cursor_u8(&all);
        (void)cursor_u8(&all);
        const size_t len = cursor_u32(&all);
        struct cursor c = cursor_reader(cursor_bytes(&all, len), len);
        assert_true(cursor_ok(&all));
        if (type == FRAME_RECORDS) {
            take_batch(to, &c);
        } else if (type != FRAME_SYNC_ROOT) {
            assert_int_equal(
                sync_frame(to->sync, to->link, (enum frame_type)type, &c, &to->uuid, p->now_us),
                RC_OK);
        }
    }
}

static void pass(struct pair *p, int from)
{
    struct end *e = &p->ends[from];
    struct buf out;
    const struct link_source source = {.store = e->store, .now_ms = NOW_MS};
    buf_init(&out, 1 << 20);
    if (link_fill(e->link, &source, &out, OUTPUT_BYTES) > 0) {
        e->bytes += out.len;
        sync_wake(e->sync, e->link);
        deliver(p, &p->ends[1 - from], &out);
    }
    buf_fini(&out);
}

static void step(struct pair *p)
{
    p->now_us += STEP_US;
    for (int i = 0; i < 2; i++) {
        sync_turn(p->ends[i].sync, p->now_us, NOW_MS, false);
        sync_check(p->ends[i].sync);
        pass(p, i);
    }
}

static bool is_idle(const struct end *e)
{
    const struct session *side = e->link->sync;
    return !link_has_output(e->link) && (side == NULL || session_is_idle(side));
}

/* One session, begun by `from`, to its end. */
static void run_session(struct pair *p, int from)
{
    struct end *e = &p->ends[from];
    int rounds = 0;
    while (sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us) != RC_OK) {
        assert_int_not_equal(rounds++, ROUNDS_MAX);
        step(p);
    }
    do {
        assert_int_not_equal(rounds++, ROUNDS_MAX);
        step(p);
    } while (!is_idle(&p->ends[0]) || !is_idle(&p->ends[1]));
}

static void assert_equal_contents(struct pair *p)
{
    struct digest roots[2];
    for (int i = 0; i < 2; i++) {
        store_check(p->ends[i].store);
        assert_int_equal(store_root(p->ends[i].store, NOW_MS / 1000, &roots[i]), RC_OK);
    }
    assert_int_equal(roots[0].sum, roots[1].sum);
    assert_int_equal(keys(&p->ends[0]), keys(&p->ends[1]));
}

/* ---- The tests ---- */

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

static enum rc feed(struct pair *p, enum frame_type type, const struct cursor *payload)
{
    struct end *e = &p->ends[0];
    struct cursor c = cursor_reader(payload->out, payload->pos);
    if (!frame_fits((uint8_t)type, payload->out, payload->pos)) {
        return RC_MALFORMED;
    }
    return sync_frame(e->sync, e->link, type, &c, &e->uuid, p->now_us);
}

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

/* The peer begins a session of which it names the key, and a scope of one epoch. */
static void begin_as_peer(struct pair *p, bool is_list)
{
    uint8_t bytes[64];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 1);
    cursor_put_u64(&c, SYNC_CUT_ALL);
    cursor_put_u64(&c, 99);
    assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_OK);
    c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 1);
    cursor_put_u32(&c, 64);
    cursor_put_u8(&c, 0);
    for (int i = 0; i < 2; i++) {
        cursor_put_u16(&c, (i == 0) == is_list);
        if ((i == 0) == is_list) {
            cursor_put_u32(&c, 1);
            cursor_put_u64(&c, 1);
        }
    }
    assert_int_equal(feed(p, FRAME_SYNC_SCOPE, &c), RC_OK);
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
        TEST(what_a_loss_owes_does_not_wait_out_a_long_session),
        TEST(a_session_that_was_crossed_keeps_the_stream_to_a_joining_node),
        TEST(frames_that_are_not_right_are_refused),
        TEST(the_lists_of_a_hostile_peer_are_bounded),
        TEST(cells_that_were_not_asked_for_are_refused),
        TEST(garbled_cells_end_a_stream_and_harm_nothing),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
