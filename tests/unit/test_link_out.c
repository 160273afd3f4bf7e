#include "gossip/link_out.h"

#include "engine_rig.h"

enum { NOW_US = START_US + SECOND_US, MOST = 65536, TTL_MS = 60000 };

/* A node that has a clock, with a link to one mate, on which nothing waits. */
struct fixture {
    struct engine *e;
    struct link *l;
    struct buf out;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct action action;
    f.e = make_as(1, 8 << 20);
    engine_candidates_done(f.e, true, START_US);
    engine_tick(f.e, NOW_US);
    const struct frame_hello hello = hello_of(2, NOW_US);
    f.l = mesh_find(f.e->mesh, link_with(f.e, &hello, NOW_US));
    assert_non_null(f.l);
    buf_init(&f.out, 1 << 20);
    while (link_out_take(f.e, f.l, &f.out, NULL, MOST) > 0) {
    }
    while (outbox_next(f.e->outbox, &action)) {
    }
    buf_clear(&f.out);
    f.l->repair.reasons = 0;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->out);
    engine_check(f->e);
    engine_free(f->e);
    return 0;
}

/* A client's write, which waits for the mate. */
static void put(struct fixture *f, const char *key, const char *value)
{
    const struct put write = {.token = 7,
                              .key = (const uint8_t *)key,
                              .key_len = strlen(key),
                              .value = (const uint8_t *)value,
                              .value_len = strlen(value),
                              .ttl_ms = TTL_MS};
    assert_int_equal(engine_put(f->e, &write, f->e->now_us), RC_OK);
}

/* Takes the first frame of what was taken as output: its type, 0 for none, and its payload. */
static uint8_t next_frame(struct fixture *f, struct cursor *ret_payload)
{
    *ret_payload = cursor_reader(NULL, 0);
    if (f->out.len == 0) {
        return 0;
    }
    struct cursor c = cursor_reader(buf_data(&f->out), f->out.len);
    const uint8_t type = cursor_u8(&c);
    (void)cursor_u8(&c);
    const uint32_t len = cursor_u32(&c);
    *ret_payload = cursor_reader(cursor_bytes(&c, len), len);
    assert_true(cursor_ok(&c));
    buf_consume(&f->out, FRAME_HEADER_BYTES + len);
    return type;
}

/* The next frame is the record of this key and value. */
static void assert_record(struct fixture *f, const char *key, const char *value)
{
    struct cursor payload;
    struct frame_record r;
    assert_int_equal(next_frame(f, &payload), FRAME_RECORD);
    frame_record_read(&payload, false, &r);
    assert_true(cursor_ok(&payload));
    assert_int_equal(r.record.key_len, strlen(key));
    assert_memory_equal(r.record.key, key, strlen(key));
    assert_int_equal(r.record.value_len, strlen(value));
    assert_memory_equal(r.record.value, value, strlen(value));
}

static void control_goes_before_writes_and_those_in_their_order(void **state)
{
    struct fixture *f = *state;
    const uint8_t byte = 0;
    struct cursor payload;
    put(f, "a", "one");
    put(f, "b", "two");
    assert_int_equal(mesh_send(f->e->mesh, f->l, FRAME_STATE, &byte, 1), RC_OK);
    assert_true(f->l->is_output_asked);
    const uint64_t sent = f->e->counters.records_sent;
    const size_t len = link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_int_equal(len, f->out.len);
    assert_int_equal(f->e->counters.records_sent, sent + 2);
    assert_false(f->l->is_output_asked); /* what comes now asks again */
    assert_int_equal(next_frame(f, &payload), FRAME_STATE);
    assert_record(f, "a", "one");
    assert_record(f, "b", "two");
    assert_int_equal(next_frame(f, &payload), 0);
    assert_int_equal(link_out_take(f->e, f->l, &f->out, NULL, MOST), 0);
    put(f, "c", "three");
    assert_true(f->l->is_output_asked);
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_int_equal(f->e->counters.records_sent, sent + 3);
}

static void no_more_is_taken_than_the_socket_has_room_for(void **state)
{
    struct fixture *f = *state;
    struct cursor payload;
    put(f, "a", "one");
    put(f, "b", "two");
    (void)link_out_take(f->e, f->l, &f->out, NULL, 1);
    assert_record(f, "a", "one");
    assert_int_equal(next_frame(f, &payload), 0);
    assert_true(link_has_output(f->l));
    (void)link_out_take(f->e, f->l, &f->out, NULL, 1);
    assert_record(f, "b", "two");
}

static void a_client_that_waits_for_a_replaced_write_is_served_by_the_later_one(void **state)
{
    struct fixture *f = *state;
    struct cursor payload;
    put(f, "key", "one");
    put(f, "key", "two");
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_record(f, "key", "two");
    assert_record(f, "key", "two");
    assert_int_equal(next_frame(f, &payload), 0);
    /* Nobody waits any more: it is not sent. */
    put(f, "key", "three");
    quorum_give_up(f->e->quorum, f->l->live.items[f->l->live.head].waiter);
    put(f, "key", "four");
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_record(f, "key", "four");
    assert_int_equal(next_frame(f, &payload), 0);
}

static void what_has_expired_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct cursor payload;
    put(f, "key", "one");
    engine_advance(f->e, f->e->now_us + UINT64_C(1000) * TTL_MS);
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_int_equal(next_frame(f, &payload), 0);
}

static void after_a_queue_that_was_full_the_link_is_looked_at_for_its_repair(void **state)
{
    struct fixture *f = *state;
    f->e->peers_at_us = NEVER;
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_true(f->e->peers_at_us == NEVER);
    put(f, "key", "one");
    struct queued_write w = f->l->live.items[f->l->live.head];
    while (link_enqueue(f->l, &w, false) == RC_OK) {
    }
    spread_write(engine_spread(f->e), &w, 1, false);
    assert_int_equal(f->l->live.count, 1);
    assert_int_equal(f->l->repair.reasons & REPAIR_NO_ROOM, REPAIR_NO_ROOM);
    f->e->peers_at_us = NEVER;
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_record(f, "key", "one");
    assert_int_equal(f->e->peers_at_us, f->e->now_us);
    f->l->repair.reasons = 0;
}

static void a_link_that_is_closing_is_gone_after_its_last_byte(void **state)
{
    struct fixture *f = *state;
    struct action action;
    struct cursor payload;
    const uint32_t link = f->l->id;
    const uint8_t byte = 0;
    bool is_closed = false;
    put(f, "key", "one");
    assert_int_equal(mesh_send(f->e->mesh, f->l, FRAME_STATE, &byte, 1), RC_OK);
    link_clear_queue(f->l, false);
    peer_end(f->e, f->l, CLOSE_IDLE);
    (void)link_out_take(f->e, f->l, &f->out, NULL, 1);
    assert_int_equal(next_frame(f, &payload), FRAME_STATE);
    assert_non_null(mesh_find(f->e->mesh, link));
    (void)link_out_take(f->e, f->l, &f->out, NULL, MOST);
    assert_int_equal(next_frame(f, &payload), FRAME_CLOSE);
    assert_int_equal(cursor_u8(&payload), CLOSE_IDLE);
    assert_null(mesh_find(f->e->mesh, link));
    while (outbox_next(f->e->outbox, &action)) {
        is_closed = is_closed || (action.kind == ACTION_CLOSE && action.link == link);
    }
    assert_true(is_closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(control_goes_before_writes_and_those_in_their_order),
        TEST(no_more_is_taken_than_the_socket_has_room_for),
        TEST(a_client_that_waits_for_a_replaced_write_is_served_by_the_later_one),
        TEST(what_has_expired_is_not_sent),
        TEST(after_a_queue_that_was_full_the_link_is_looked_at_for_its_repair),
        TEST(a_link_that_is_closing_is_gone_after_its_last_byte),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
