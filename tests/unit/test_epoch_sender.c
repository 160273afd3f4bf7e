/* Records of whole epochs, sent as fast as the link takes them. */
#include "gossip/repair/epoch_sender.h"

#include "core/base/mem.h"
#include "gossip/replication/mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1767225600000)

enum { ENTRIES = 20, VALUE_BYTES = 1000 };

struct scene {
    struct store *store;
    struct outbox *outbox;
    struct mesh *mesh;
    struct quorum *quorum;
    struct engine_counters counters;
    struct member peer;
    struct epoch_sender_env env;
    struct epoch_sender *job;
};

static struct record record_of(uint32_t number, char key[static 16])
{
    static const uint8_t value[VALUE_BYTES];
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = (size_t)snprintf(key, 16, "key-%u", number),
        .value = value,
        .value_len = sizeof(value),
        .version = {.stamp = (NOW_MS - 60000) << VERSION_COUNTER_BITS, .origin = {{9}}},
        .expiry_ms = NOW_MS + 600000,
    };
}

static int set_up(void **state)
{
    struct scene *s = mem_new(1, sizeof(*s));
    const struct store_config store = {.bytes_max = 8 << 20, .table_seed = 1, .digest_seed = 2};
    const struct member_card card = {.uuid = {{2}}, .name = "n", .enclave = "default"};
    const struct addr addr = {.port = 1};
    member_set_card(&s->peer, &card);
    s->store = store_new(&store);
    s->outbox = outbox_new();
    s->mesh = mesh_new(s->outbox);
    s->quorum = quorum_new(1000000, s->outbox);
    s->env = (struct epoch_sender_env){.store = s->store,
                                       .link = mesh_add(s->mesh, LINK_OPEN, true, &addr, 0),
                                       .quorum = s->quorum,
                                       .counters = &s->counters,
                                       .now_ms = NOW_MS};
    s->env.link->member = &s->peer;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        char key[16];
        enum merge_outcome outcome = MERGE_SAME;
        const struct record r = record_of(i, key);
        assert_int_equal(store_merge(s->store, &r, NOW_MS, &outcome), RC_OK);
    }
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    epoch_sender_free(s->job, s->store);
    member_fini(&s->peer);
    quorum_free(s->quorum);
    mesh_free(s->mesh);
    outbox_free(s->outbox);
    store_free(s->store);
    free(s);
    return 0;
}

/* A job over everything. */
static void begin(struct scene *s, enum epoch_sender_kind kind)
{
    struct scope scope = {.rows = NULL};
    epoch_sender_select_part(&scope, s->store, 0, 1);
    s->job = epoch_sender_new(kind, &scope);
    assert_int_equal(scope.count, 0);
}

/* Steps until the job is done or waits for room. */
static enum rc go_on(struct scene *s)
{
    enum rc rc = RC_AGAIN;
    for (int i = 0; i < 1000 && rc == RC_AGAIN; i++) {
        rc = epoch_sender_step(s->job, &s->env);
    }
    return rc;
}

/* Other frames take all room for bulk. */
static void fill(struct scene *s)
{
    static const uint8_t payload[1024];
    while (link_bulk_has_room(s->env.link)) {
        assert_int_equal(link_bulk(s->env.link, FRAME_SYNC_LIST, payload, sizeof(payload)), RC_OK);
    }
}

static void drain(struct scene *s)
{
    struct buf out;
    const struct link_source source = {.store = s->store, .now_ms = NOW_MS};
    buf_init(&out, 1 << 20);
    while (link_fill(s->env.link, &source, &out, 65536) > 0) {
        buf_clear(&out);
    }
    buf_fini(&out);
}

static void without_room_in_the_link_each_kind_of_job_waits_for_it(void **state)
{
    struct scene *s = *state;
    for (int kind = EPOCH_SENDER_PUSH; kind <= EPOCH_SENDER_JOIN; kind++) {
        begin(s, (enum epoch_sender_kind)kind);
        s->counters.sync_records_sent = 0;
        fill(s);
        assert_int_equal(epoch_sender_step(s->job, &s->env), RC_FULL);
        assert_int_equal(s->job->sent, 0);
        drain(s);
        while (go_on(s) == RC_FULL) {
            drain(s);
        }
        assert_int_equal(s->job->sent, ENTRIES);
        assert_int_equal(s->counters.sync_records_sent, ENTRIES);
        epoch_sender_free(s->job, s->store);
        s->job = NULL;
        drain(s);
    }
}

/* It says that all is sent: it must not come before a value that takes its time. */
static void the_last_frame_waits_for_large_values_and_room(void **state)
{
    struct scene *s = *state;
    begin(s, EPOCH_SENDER_JOIN);
    s->job->big_until = 1;
    while (go_on(s) == RC_FULL && !s->job->is_over) {
        drain(s);
    }
    drain(s);
    assert_true(s->job->is_over);
    s->job->big_until = 1;
    s->env.link->big_done = 0;
    assert_int_equal(epoch_sender_step(s->job, &s->env), RC_FULL);
    s->env.link->big_done = 1;
    fill(s);
    assert_int_equal(epoch_sender_step(s->job, &s->env), RC_FULL);
    drain(s);
    assert_int_equal(epoch_sender_step(s->job, &s->env), RC_OK);
}

/* What came of a list: ids that are wanted, and how often the last of them was said to have come.
 */
struct wanted {
    uint64_t ids;
    uint32_t frames, lasts;
};

/* Reads the requests that wait on the link, and takes them. */
static void read_wanted(struct scene *s, struct wanted *w)
{
    struct cursor c = cursor_reader(buf_data(&s->env.link->bulk), s->env.link->bulk.len);
    while (cursor_left(&c) > 0) {
        const uint8_t type = cursor_u8(&c);
        (void)cursor_u8(&c);
        const uint32_t len = cursor_u32(&c);
        struct cursor frame = cursor_reader(cursor_bytes(&c, len), len);
        assert_true(cursor_ok(&c));
        if (type == FRAME_SYNC_WANT) {
            (void)cursor_u8(&frame);
            const uint8_t flags = cursor_u8(&frame);
            assert_int_equal(flags & WANT_OF_LIST, WANT_OF_LIST);
            assert_int_equal(cursor_u32(&frame), s->job->sent);
            w->ids += cursor_left(&frame) / 8;
            w->lasts += (flags & WANT_IS_LAST) != 0;
            w->frames++;
        }
    }
    drain(s);
}

static void ids_that_are_not_here_are_asked_for_in_frames_of_which_the_last_says_so(void **state)
{
    struct scene *s = *state;
    static const uint32_t counts[] = {0, SYNC_LIST_MAX, SYNC_LIST_MAX + 1, 6 * SYNC_LIST_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct wanted w = {.ids = 0};
        begin(s, EPOCH_SENDER_ANSWER);
        for (uint64_t id = 1; id <= counts[i]; id++) {
            assert_int_equal(idset_add(&s->job->ids, id * UINT64_C(0x9e3779b97f4a7c15)), RC_OK);
        }
        while (go_on(s) == RC_FULL) {
            read_wanted(s, &w);
        }
        read_wanted(s, &w);
        assert_int_equal(w.ids, counts[i]);
        assert_int_equal(w.lasts, 1);
        assert_int_equal(w.frames, counts[i] == 0 ? 1 : (counts[i] - 1) / SYNC_LIST_MAX + 1);
        epoch_sender_free(s->job, s->store);
        s->job = NULL;
    }
}

static void each_part_of_a_join_has_the_epochs_of_its_remainder(void **state)
{
    struct scene *s = *state;
    enum { PARTS = 3 };
    struct digest digest;
    uint64_t epoch = 0, all = 0, in_parts = 0;
    assert_int_equal(store_next_epoch(s->store, UINT64_MAX, &epoch, &digest), RC_OK);
    for (int part = 0; part < PARTS; part++) {
        struct scope scope = {.rows = NULL};
        uint64_t found = 0;
        epoch_sender_select_part(&scope, s->store, (uint8_t)part, PARTS);
        while (scope_pop(&scope, &found)) {
            assert_int_equal(found % PARTS, part);
            in_parts++;
        }
        scope_fini(&scope);
    }
    for (; store_next_epoch(s->store, UINT64_MAX, &epoch, &digest) == RC_OK; epoch++) {
        all++;
    }
    assert_true(all > 0);
    assert_int_equal(in_parts, all);
}

static void what_is_over_this_moment_is_not_sent_any_more(void **state)
{
    struct scene *s = *state;
    char key[16];
    const struct record r = record_of(0, key);
    for (uint64_t left_ms = 0; left_ms < 2; left_ms++) {
        begin(s, EPOCH_SENDER_PUSH);
        s->env.now_ms = r.expiry_ms - left_ms;
        while (go_on(s) == RC_FULL) {
            drain(s);
        }
        assert_int_equal(s->job->sent, left_ms == 0 ? 0 : ENTRIES);
        epoch_sender_free(s->job, s->store);
        s->job = NULL;
        drain(s);
    }
}

/* Its acknowledgement counts for the client. */
static void what_a_client_waits_for_goes_as_a_counted_write_to_who_is_not_known_to_hold_it(
    void **state)
{
    struct scene *s = *state;
    struct link *l = s->env.link;
    char key[16];
    const struct record r = record_of(0, key);
    uint8_t name[] = "key-0";
    uint32_t waiter = 0;
    const struct waiting write = {.done = {.have = 1, .version = r.version},
                                  .quorum = 3,
                                  .record_id = record_write_id(&r, store_digest_seed(s->store)),
                                  .key = name,
                                  .key_len = (uint16_t)r.key_len};
    while (waiter != 1) { /* numbers come round, to the smallest too */
        quorum_give_up(s->quorum, waiter);
        assert_int_equal(quorum_wait(s->quorum, &write, 0, &waiter), RC_OK);
    }
    assert_true(epoch_sender_send_record(&s->env, &r));
    assert_int_equal(s->counters.sync_records_sent, 0);
    assert_int_equal(l->live.count, 1);
    assert_int_equal(l->live.items[l->live.head].waiter, waiter);
    assert_int_equal(l->live.items[l->live.head].kind, RECORD_IS_COUNTED);
    quorum_held(s->quorum, waiter, &s->peer.uuid);
    assert_true(epoch_sender_send_record(&s->env, &r));
    assert_int_equal(l->live.count, 1);
    assert_int_equal(s->counters.sync_records_sent, 1);
}

/* The peer's list has nothing of what was written after its cut, so that it does not say whether
 * that is missing. */
static void an_answer_has_what_was_written_up_to_the_cut(void **state)
{
    struct scene *s = *state;
    const uint64_t written_s = (NOW_MS - 60000) / 1000;
    for (uint64_t cut_s = written_s - 1; cut_s <= written_s; cut_s++) {
        begin(s, EPOCH_SENDER_ANSWER);
        s->job->cut_s = cut_s;
        while (go_on(s) == RC_FULL) {
            drain(s);
        }
        assert_int_equal(s->job->sent, cut_s < written_s ? 0 : ENTRIES);
        epoch_sender_free(s->job, s->store);
        s->job = NULL;
        drain(s);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_room_in_the_link_each_kind_of_job_waits_for_it),
        TEST(the_last_frame_waits_for_large_values_and_room),
        TEST(ids_that_are_not_here_are_asked_for_in_frames_of_which_the_last_says_so),
        TEST(each_part_of_a_join_has_the_epochs_of_its_remainder),
        TEST(what_is_over_this_moment_is_not_sent_any_more),
        TEST(what_a_client_waits_for_goes_as_a_counted_write_to_who_is_not_known_to_hold_it),
        TEST(an_answer_has_what_was_written_up_to_the_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
