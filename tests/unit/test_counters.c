/* What the engine counts of datagrams and of clients' writes, each by as much as there was. */
#include "gossip/wire/counters.h"

#include "engine_rig.h"

#include "gossip/wire/packet.h"

enum { NOW_US = START_US + SECOND_US };

static int set_up(void **state)
{
    *state = make_alone(1);
    return 0;
}

static struct engine_counters counters(struct engine *e)
{
    struct engine_status status;
    engine_status(e, e->now_us, &status);
    return status.counters;
}

static uint32_t datagrams(struct engine *e)
{
    struct action action;
    uint32_t count = 0;
    while (outbox_next(engine_outbox(e), &action)) {
        count += action.kind == ACTION_DATAGRAM;
    }
    return count;
}

/* What node 2 says of a member: over its link, or (0) from an address that it has not proved. */
static void say_entry(struct engine *e, uint32_t link, const struct entry *entry)
{
    static const uint8_t ip[] = {10, 0, 0, 2};
    const struct addr from = addr_v4(ip, 81);
    const struct uuid uuid = {{2}};
    const uint64_t cluster = swim_cluster_hash("net");
    uint8_t entries[ENTRY_WIRE_MAX], data[DATAGRAM_BYTES_MAX];
    struct cursor c = cursor_writer(entries, sizeof(entries));
    packet_entry_write(&c, entry);
    const struct packet p = {
        .version = PROTOCOL_VERSION_MIN,
        .is_long = true,
        .tag = packet_tag(&uuid, cluster),
        .cluster = cluster,
        .uuid = uuid,
        .boot = 1,
        .kind = PACKET_GOSSIP,
        .entries = entries,
        .entries_len = c.pos,
    };
    c = cursor_writer(data, sizeof(data));
    packet_write(&c, &p);
    assert_true(cursor_ok(&c));
    if (link == 0) {
        engine_datagram(e, &from, data, c.pos, e->now_us);
    } else {
        say_frame(e, link, FRAME_PACKET, FRAME_CRITICAL, data, c.pos, e->now_us);
    }
}

/* A PING of somebody who is not known, long enough to be answered. */
static size_t ping(uint8_t data[DATAGRAM_BYTES_MAX])
{
    const struct uuid uuid = {{7}};
    const uint64_t cluster = swim_cluster_hash("net");
    const struct packet p = {
        .version = PROTOCOL_VERSION_MIN,
        .is_long = true,
        .tag = packet_tag(&uuid, cluster),
        .cluster = cluster,
        .uuid = uuid,
        .boot = 1,
        .kind = PACKET_PING,
        .seq = 9,
    };
    struct cursor c = cursor_writer(data, DATAGRAM_BYTES_MAX);
    packet_write(&c, &p);
    assert_true(cursor_ok(&c));
    return c.pos;
}

static void datagrams_are_counted_as_they_come_and_go_and_where_there_is_no_room(void **state)
{
    enum { MORE = 3 };
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr from = addr_v4(ip, 9000);
    struct engine *e = *state;
    uint8_t data[DATAGRAM_BYTES_MAX];
    const size_t len = ping(data);
    (void)datagrams(e);
    const struct engine_counters before = counters(e);
    engine_datagram(e, &from, data, len, NOW_US);
    assert_int_equal(datagrams(e), 1);
    assert_int_equal(counters(e).datagrams_in, before.datagrams_in + 1);
    assert_int_equal(counters(e).datagrams_out, before.datagrams_out + 1);
    assert_int_equal(counters(e).cookies_sent, before.cookies_sent + 1);
    for (int i = 0; i < OUTBOX_DATAGRAMS_MAX + MORE; i++) {
        engine_datagram(e, &from, data, len, NOW_US);
        assert_int_equal(counters(e).datagrams_dropped,
                         i < OUTBOX_DATAGRAMS_MAX ? 0 : i - OUTBOX_DATAGRAMS_MAX + 1);
    }
    assert_int_equal(datagrams(e), OUTBOX_DATAGRAMS_MAX);
    assert_int_equal(counters(e).datagrams_in,
                     before.datagrams_in + 1 + OUTBOX_DATAGRAMS_MAX + MORE);
    assert_int_equal(counters(e).datagrams_out, before.datagrams_out + 1 + OUTBOX_DATAGRAMS_MAX);
    assert_int_equal(counters(e).datagrams_malformed, 0);
    assert_int_equal(counters(e).datagrams_stranger, 0);
}

static void a_write_is_counted_and_so_is_its_quorum_when_it_has_it(void **state)
{
    struct put put = {.token = 1, .key = (const uint8_t *)"k", .key_len = 1, .ttl_ms = 60000};
    struct engine *e = *state;
    assert_int_equal(engine_put(e, &put, NOW_US), RC_OK);
    assert_int_equal(counters(e).puts, 1);
    assert_int_equal(counters(e).puts_quorum, 1);
    assert_int_equal(counters(e).puts_pending, 0);
    /* With a mate it waits, until that one has it, or the time is over. */
    const uint32_t link = link_with_write(e, NOW_US);
    assert_int_equal(counters(e).puts, 2);
    assert_int_equal(counters(e).puts_quorum, 1);
    static const uint8_t count[8] = {[7] = 1};
    say_frame(e, link, FRAME_ACK, FRAME_CRITICAL, count, sizeof(count), NOW_US);
    assert_int_equal(counters(e).puts_quorum, 2);
    assert_int_equal(counters(e).acks_received, 1);
    put.token = 2;
    assert_int_equal(engine_put(e, &put, NOW_US), RC_OK);
    assert_int_equal(counters(e).puts_pending, 0);
    engine_tick(e, NOW_US + 1000 * 1000);
    assert_int_equal(counters(e).puts, 3);
    assert_int_equal(counters(e).puts_quorum, 2);
    assert_int_equal(counters(e).puts_pending, 1);
}

static void what_is_held_against_this_node_is_refuted_once(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    const uint32_t link = link_with(e, &hello, NOW_US);
    const struct member *self = swim_self(e->swim);
    const uint64_t incarnation = self->incarnation;
    const struct entry suspect = {
        .kind = ENTRY_SUSPECT, .uuid = {{1}}, .incarnation = incarnation, .by = {{2}}};
    assert_int_equal(counters(e).refutations, 0);
    say_entry(e, link, &suspect);
    assert_int_equal(counters(e).refutations, 1);
    assert_int_equal(self->incarnation, incarnation + 1);
    say_entry(e, link, &suspect); /* which is old by now */
    assert_int_equal(counters(e).refutations, 1);
    assert_int_equal(self->incarnation, incarnation + 1);
}

static void who_was_only_named_and_never_answers_is_dropped_and_counted(void **state)
{
    static const uint8_t ip[] = {10, 0, 0, 7};
    const struct member_card card = {
        .uuid = {{7}},
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "n",
        .enclave = "others",
        .addr_count = 1,
        .addrs = {{SCOPE_GLOBAL, addr_v4(ip, 80)}},
    };
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    (void)link_with(e, &hello, NOW_US);
    uint8_t bytes[CARD_WIRE_MAX];
    uint64_t now_us = NOW_US;
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    member_card_write(&c, &card);
    const struct entry alive = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = c.pos};
    say_entry(e, 0, &alive);
    assert_non_null(swim_find(e->swim, &card.uuid));
    assert_int_equal(counters(e).members_unanswered, 0);
    run_for(e, 200, &now_us);
    assert_null(swim_find(e->swim, &card.uuid));
    assert_int_equal(counters(e).members_unanswered, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagrams_are_counted_as_they_come_and_go_and_where_there_is_no_room),
        TEST(what_is_held_against_this_node_is_refuted_once),
        TEST(who_was_only_named_and_never_answers_is_dropped_and_counted),
        TEST(a_write_is_counted_and_so_is_its_quorum_when_it_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
