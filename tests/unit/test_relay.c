/* How many pings a node makes on behalf of others at a time, and what it says of those beyond. */
#include "gossip/membership/relay.h"

#include "gossip/membership/probe.h"
#include "gossip/membership/swim_state.h"
#include "swim_cluster.h"

enum { ASKER = 1, TARGET = 2 };

/* Three who know each other, and the third of whom the first does not reach any more. */
static struct cluster *three(void)
{
    struct cluster *c = cluster_new(1);
    c->has_refusals = false;
    for (uint32_t i = 0; i < 3; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 1000);
    run_for(c, 5000);
    cut(c, 0, TARGET, true);
    return c;
}

/* The second asks the first to ping the third, from that address and padded to that size. */
static void request_from(struct cluster *c, uint32_t seq, const struct addr *from, size_t size_min)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    const struct node *asker = &c->nodes[ASKER];
    const struct packet p = {
        .version = PROTOCOL_VERSION_MIN,
        .is_long = true,
        .tag = packet_tag(&asker->uuid, swim_cluster_hash("private")),
        .cluster = swim_cluster_hash("private"),
        .uuid = asker->uuid,
        .boot = 1,
        .kind = PACKET_PING_REQ,
        .seq = seq,
        .target = c->nodes[TARGET].uuid,
        .size_min = size_min,
    };
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    swim_packet(c->nodes[0].swim, from, NULL, data, w.pos, c->now_us);
}

static void request(struct cluster *c, uint32_t seq)
{
    request_from(c, seq, &c->nodes[ASKER].addr, PACKET_RELAY_BYTES);
}

/* Takes the datagrams that wait; how many of them say that the target has not answered. */
static uint32_t take_nacks(struct cluster *c)
{
    struct action action;
    struct packet p;
    uint32_t count = 0;
    while (outbox_next(c->nodes[0].outbox, &action)) {
        assert_int_equal(packet_read(action.data, action.len, &p), RC_OK);
        count += p.kind == PACKET_RELAYED && !p.is_answered &&
                 addr_equal(&action.addr, &c->nodes[ASKER].addr);
    }
    return count;
}

static void beyond_the_most_at_once_a_request_is_answered_at_once(void **state)
{
    (void)state;
    struct cluster *c = three();
    for (uint32_t i = 1; i <= RELAYS_MAX; i++) {
        request(c, 1000 + i);
        assert_int_equal(c->nodes[0].swim->relay_count, i);
        assert_int_equal(take_nacks(c), 0);
    }
    request(c, 2000);
    assert_int_equal(c->nodes[0].swim->relay_count, RELAYS_MAX);
    assert_true(take_nacks(c) > 0);
    /* Their time is over, with a word for each. */
    c->now_us = relay_deadline(c->nodes[0].swim);
    swim_tick(c->nodes[0].swim, c->now_us, c->now_us);
    assert_int_equal(c->nodes[0].swim->relay_count, 0);
    assert_true(take_nacks(c) >= RELAYS_MAX);
    request(c, 3000);
    assert_int_equal(c->nodes[0].swim->relay_count, 1);
    cluster_free(c);
}

static void one_that_has_neither_paid_nor_shown_that_it_receives_gets_nothing(void **state)
{
    (void)state;
    struct cluster *c = three();
    const struct addr elsewhere = node_addr(c, 9);
    const uint64_t before = c->nodes[0].counters.answers_withheld;
    struct action action;
    request_from(c, 1000, &elsewhere, 0);
    assert_int_equal(c->nodes[0].counters.answers_withheld, before + 1);
    assert_int_equal(c->nodes[0].swim->relay_count, 0);
    assert_false(outbox_next(c->nodes[0].outbox, &action));
    cluster_free(c);
}

/* Whom a draw names again, or is the one in question, is no relay: so it takes more draws than are
 * wanted. */
static void among_many_as_many_relays_as_are_wanted_are_found(void **state)
{
    (void)state;
    enum { OTHERS = 20, ROUNDS = 20, WANTED = 4 };
    struct cluster *c = cluster_formed(1, OTHERS, false);
    struct node *n = &c->nodes[0];
    struct member *m = member_of(c, 0, TARGET);
    n->swim->now_us = c->now_us;
    probe_start(n->swim, m);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        relay_ask(n->swim, m);
        assert_int_equal(n->counters.probes_indirect, i * WANTED);
        assert_int_equal(m->probe->relay_count, i * WANTED);
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_has_neither_paid_nor_shown_that_it_receives_gets_nothing),
        cmocka_unit_test(among_many_as_many_relays_as_are_wanted_are_found),
        cmocka_unit_test(beyond_the_most_at_once_a_request_is_answered_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
