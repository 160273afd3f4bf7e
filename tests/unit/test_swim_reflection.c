/* An address that has not shown that it receives never gets more than came from there, by any
 * packet, in anybody's name. */
#include "swim_cluster.h"

#include "gossip/membership/swim_state.h"
#include "gossip/wire/packet.h"

enum { NODES = 5 };

static const uint8_t victim_ip[4] = {192, 0, 2, 77};

struct ask {
    enum packet_kind kind;
    struct uuid uuid;
    bool is_long, knows_you, is_misdirected, has_card;
    uint64_t cookie;
    size_t size_min;
};

static struct member_card card_at(const struct uuid *uuid, const struct addr *addr)
{
    struct member_card card = {
        .uuid = *uuid,
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "x",
        .enclave = "default",
        .addr_count = 1,
    };
    card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, *addr};
    return card;
}

static void put_card(struct cursor *c, const struct member_card *card)
{
    cursor_put_u8(c, ENTRY_ALIVE);
    member_card_write(c, card);
}

static size_t write_ask(const struct cluster *c, const struct ask *ask, const struct addr *from,
                        uint8_t data[static DATAGRAM_BYTES_MAX])
{
    static const uint8_t sums[PULL_SUM_BYTES] = {1, 2, 3, 4};
    uint8_t entries[ENTRY_WIRE_MAX];
    struct cursor e = cursor_writer(entries, sizeof(entries));
    const struct member_card card = card_at(&ask->uuid, from);
    if (ask->has_card) {
        put_card(&e, &card);
    }
    const uint64_t cluster = swim_cluster_hash("private");
    const struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = ask->kind,
        .is_long = ask->is_long,
        .knows_you = ask->knows_you,
        .cluster = cluster,
        .uuid = ask->uuid,
        .tag = packet_tag(&ask->uuid, cluster),
        .counter = 1,
        .seq = 99,
        .target_tag = ask->is_misdirected ? 12345 : 0,
        .target = c->nodes[3].uuid,
        .width = 32,
        .count = ask->kind == PACKET_PULL ? 1 : 0,
        .sums = sums,
        .cookie = ask->cookie != 0 ? ask->cookie : ask->kind == PACKET_COOKIE,
        .size_min = ask->size_min,
        .entries = entries,
        .entries_len = e.pos,
    };
    struct cursor w = cursor_writer(data, DATAGRAM_BYTES_MAX);
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    return w.pos;
}

/* What node 0 sends at once: in all, to addresses of no node, and the last packet. It asks a node
 * for its table, say, when a datagram in that node's name shows a difference. */
struct sent {
    size_t all, strange, dials;
    uint8_t data[DATAGRAM_BYTES_MAX];
    size_t len;
};

static struct sent sent_at_once(struct cluster *c)
{
    struct sent sent = {0};
    struct swim_event event;
    struct action action;
    while (swim_next_event(c->nodes[0].swim, &event)) {
        sent.dials += event.kind == SWIM_CANDIDATE_DIAL || event.kind == SWIM_LINK_WANTED;
    }
    while (outbox_next(c->nodes[0].outbox, &action)) {
        sent.all += action.len;
        sent.strange += node_at(c, &action.addr) == NODES_MAX ? action.len : 0;
        memcpy(sent.data, action.data, action.len);
        sent.len = action.len;
    }
    return sent;
}

static struct sent asked(struct cluster *c, const struct ask *ask, const struct addr *from,
                         size_t *ret_len)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    *ret_len = write_ask(c, ask, from, data);
    struct packet p;
    assert_int_equal(packet_read(data, *ret_len, &p), RC_OK);
    swim_packet(c->nodes[0].swim, from, NULL, data, *ret_len, c->now_us);
    return sent_at_once(c);
}

static struct packet read_back(const struct sent *sent)
{
    struct packet p;
    assert_int_equal(packet_read(sent->data, sent->len, &p), RC_OK);
    return p;
}

/* A cluster with much news of its members: rumours wait. */
static struct cluster *talkative(uint64_t seed)
{
    struct cluster *c = cluster_formed(seed, NODES, false);
    run_for(c, 1000);
    for (uint32_t i = 0; i < 8; i++) {
        const struct uuid uuid = {{0x77, (uint8_t)i}};
        const uint8_t ip[4] = {192, 0, 2, (uint8_t)(100 + i)};
        const struct addr addr = addr_v4(ip, 9);
        const struct member_card card = card_at(&uuid, &addr);
        struct member *m = NULL;
        assert_int_equal(swim_meet(c->nodes[0].swim, &card, NULL, c->now_us, &m), RC_OK);
    }
    (void)sent_at_once(c);
    return c;
}

static void no_packet_in_anybodys_name_is_answered_by_more_than_came(void **state)
{
    (void)state;
    const struct addr victim = addr_v4(victim_ip, 53);
    uint64_t seed = 100;
    for (int kind = PACKET_PING; kind <= PACKET_COOKIE; kind++) {
        for (uint32_t bits = 0; bits < 64; bits++) {
            struct cluster *c = talkative(seed++);
            const struct ask ask = {
                .kind = (enum packet_kind)kind,
                .is_long = (bits & 1) != 0,
                .knows_you = (bits & 2) != 0,
                .is_misdirected = (bits & 4) != 0,
                .has_card = (bits & 8) != 0,
                .uuid = (bits & 16) != 0 ? c->nodes[2].uuid : (struct uuid){{0x99}},
                .size_min = (bits & 32) != 0 ? PACKET_ACCUSE_BYTES : 0,
            };
            size_t len = 0;
            const struct sent sent = asked(c, &ask, &victim, &len);
            assert_in_range(sent.strange, 0, len);
            assert_int_equal(sent.dials, 0);
            cluster_free(c);
        }
    }
}

static void who_sends_the_cookie_back_is_told_all(void **state)
{
    (void)state;
    struct cluster *c = talkative(7);
    const struct addr from = addr_v4(victim_ip, 8081);
    const struct addr elsewhere = addr_v4(victim_ip, 8082);
    struct ask ask = {.kind = PACKET_PING, .uuid = {{0x99}}, .is_long = true, .has_card = true};
    size_t len = 0;
    struct sent sent = asked(c, &ask, &from, &len);
    struct packet p = read_back(&sent);
    assert_int_equal(p.kind, PACKET_COOKIE);
    assert_int_equal(p.seq, 99);
    assert_int_equal(sent.all, PACKET_LONG_BYTES + 1 + 4 + COOKIE_BYTES);
    assert_null(swim_find(c->nodes[0].swim, &ask.uuid));
    ask.cookie = p.cookie;
    sent = asked(c, &ask, &elsewhere, &len); /* whose it is not */
    assert_int_equal(read_back(&sent).kind, PACKET_COOKIE);
    sent = asked(c, &ask, &from, &len);
    assert_non_null(swim_find(c->nodes[0].swim, &ask.uuid));
    assert_true(sent.strange > len);
    /* From now on the address has shown that it receives, until the member moves. */
    ask.cookie = 0;
    ask.kind = PACKET_PULL;
    ask.knows_you = true;
    sent = asked(c, &ask, &from, &len);
    p = read_back(&sent);
    assert_int_equal(p.kind, PACKET_CARDS);
    assert_true(p.entries_len > 300);
    sent = asked(c, &ask, &elsewhere, &len);
    assert_int_equal(read_back(&sent).kind, PACKET_COOKIE);
    assert_in_range(sent.all, 1, len);
    cluster_free(c);
}

static void a_short_ping_of_an_unknown_tag_hears_only_that_it_is_unknown(void **state)
{
    (void)state;
    struct cluster *c = talkative(8);
    const struct addr from = addr_v4(victim_ip, 8081);
    const struct ask ask = {.kind = PACKET_PING, .uuid = {{0x99}}, .knows_you = true};
    size_t len = 0;
    const struct sent sent = asked(c, &ask, &from, &len);
    const struct packet p = read_back(&sent);
    assert_int_equal(p.kind, PACKET_ACK);
    assert_int_equal(p.seq, 99);
    assert_false(p.is_long || p.knows_you || p.has_seen_as);
    assert_int_equal(p.entries_len, 0);
    assert_in_range(sent.all, 1, len);
    cluster_free(c);
}

static void a_member_that_asks_from_elsewhere_is_answered_in_little(void **state)
{
    (void)state;
    struct cluster *c = talkative(9);
    const struct addr from = addr_v4(victim_ip, 8081);
    const struct ask ask = {.kind = PACKET_PING, .uuid = c->nodes[2].uuid, .knows_you = true};
    size_t len = 0;
    struct sent sent = asked(c, &ask, &c->nodes[2].addr, &len);
    assert_true(read_back(&sent).entries_len > 0);
    assert_true(sent.all > len);
    sent = asked(c, &ask, &from, &len);
    assert_int_equal(read_back(&sent).kind, PACKET_ACK);
    assert_int_equal(read_back(&sent).entries_len, 0);
    assert_in_range(sent.all, 1, len);
    cluster_free(c);
}

static void a_relay_works_for_who_pays_or_has_shown_that_it_receives(void **state)
{
    (void)state;
    struct cluster *c = talkative(10);
    const struct addr from = addr_v4(victim_ip, 8081);
    struct ask ask = {.kind = PACKET_PING_REQ, .uuid = c->nodes[2].uuid, .knows_you = true};
    size_t len = 0;
    assert_true(asked(c, &ask, &c->nodes[2].addr, &len).all > 0);
    assert_int_equal(asked(c, &ask, &from, &len).all, 0);
    assert_true(c->nodes[0].counters.answers_withheld > 0);
    ask.size_min = PACKET_RELAY_BYTES;
    const struct sent sent = asked(c, &ask, &from, &len);
    assert_true(sent.all > 0);
    assert_int_equal(sent.strange, 0);
    cluster_free(c);
}

static void a_first_contact_takes_two_round_trips_and_later_ones_one(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(11);
    c->delay_us = 10000;
    (void)cluster_start(c);
    (void)cluster_start(c);
    hint(c, 0, &c->nodes[1].addr);
    run_for(c, 38);
    assert_null(member_of(c, 0, 1));
    run_for(c, 8); /* the network adds up to a tenth */
    assert_non_null(member_of(c, 0, 1));
    run_for(c, 5000);
    assert_in_range(c->nodes[0].counters.cookies_sent + c->nodes[1].counters.cookies_sent, 1, 2);
    cluster_free(c);
}

static void members_that_never_answered_get_so_many_pings_at_once(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(13, 2, false);
    struct member *members[100];
    run_for(c, 1000);
    for (uint32_t i = 0; i < 100; i++) {
        const struct uuid uuid = {{0x80, (uint8_t)i}};
        const uint8_t ip[4] = {192, 0, 2, (uint8_t)i};
        const struct addr addr = addr_v4(ip, 53);
        const struct member_card card = card_at(&uuid, &addr);
        assert_int_equal(swim_meet(c->nodes[0].swim, &card, NULL, c->now_us, &members[i]), RC_OK);
    }
    (void)sent_at_once(c);
    for (uint32_t i = 0; i < 100; i++) {
        swim_suspect_link(c->nodes[0].swim, members[i], c->now_us);
    }
    assert_int_equal(sent_at_once(c).strange, 32 * (PACKET_SHORT_BYTES + 39));
    cluster_free(c);
}

/* By HELLOs, whose cards are sure: all nodes have them as members, and ask. */
static void members_made_up_at_one_host_cost_it_a_few_pings_of_each_node(void **state)
{
    (void)state;
    enum { SECONDS = 20, PINGS = QUIET_PINGS + SECONDS * SECOND / QUIET_PING_US };
    struct cluster *c = cluster_formed(14, NODES, true);
    c->has_refusals = false;
    run_for(c, 3000);
    for (uint32_t i = 0; i < 10; i++) {
        const struct uuid uuid = {{0x80, (uint8_t)i}};
        const struct addr victim = addr_v4(victim_ip, (uint16_t)(1000 + i));
        const struct member_card card = card_at(&uuid, &victim);
        struct member *m = NULL;
        assert_int_equal(swim_meet(c->nodes[0].swim, &card, NULL, c->now_us, &m), RC_OK);
    }
    drain(c, 0);
    run_for(c, UINT64_C(1000) * SECONDS);
    print_message("%u datagrams for 10 members\n", c->datagrams_elsewhere);
    assert_in_range(c->datagrams_elsewhere, 1, NODES * PINGS);
    cluster_free(c);
}

/* A member whose card has the victim's address reads on its own link what it is asked there, and
 * answers that from anywhere. No ping goes to the victim: others made up there were asked before.
 */
static void who_reads_a_ping_on_his_link_proves_nothing_by_a_datagram(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(14, NODES, true);
    run_for(c, 3000);
    struct swim *s = c->nodes[0].swim;
    const struct addr victim = addr_v4(victim_ip, 1000), from = addr_v4(victim_ip, 9);
    const struct uuid uuid = {{0x80, 1}};
    const struct member_card card = card_at(&uuid, &victim);
    struct member *m = NULL;
    assert_int_equal(swim_meet(s, &card, NULL, c->now_us, &m), RC_OK);
    swim_unheard(s, m, c->now_us);
    m->link = 77;
    for (uint32_t i = 0; i < QUIET_PINGS; i++) {
        quiet_pinged(&s->quiet, &victim, c->now_us);
    }
    swim_suspect_link(s, m, c->now_us);
    struct swim_event event;
    struct packet ping = {.seq = 0};
    while (swim_next_event(s, &event)) {
        if (event.kind == SWIM_PACKET_BY_LINK && event.member == m) {
            assert_int_equal(packet_read(event.data, event.len, &ping), RC_OK);
        }
    }
    assert_int_equal(ping.kind, PACKET_PING);
    assert_int_equal(sent_at_once(c).strange, 0);
    const uint64_t cluster = swim_cluster_hash("private");
    const struct packet ack = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = PACKET_ACK,
        .is_long = true,
        .cluster = cluster,
        .uuid = uuid,
        .tag = packet_tag(&uuid, cluster),
        .counter = 1,
        .seq = ping.seq,
    };
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &ack);
    swim_packet(s, &from, NULL, data, w.pos, c->now_us);
    assert_false(m->is_proven);
    assert_false(m->has_answered);
    assert_false(quiet_may_ping(&s->quiet, &victim, c->now_us));
    swim_packet(s, NULL, m, data, w.pos, c->now_us); /* on its link it is an answer */
    assert_true(m->has_answered);
    assert_false(m->is_proven);
    m->link = 0;
    cluster_free(c);
}

static void four_cards_of_four_addresses_by_a_stranger_bring_nothing(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(12, 3, true);
    const struct addr victim = addr_v4(victim_ip, 53);
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX], data[DATAGRAM_BYTES_MAX];
    struct cursor e = cursor_writer(entries, sizeof(entries));
    for (uint32_t i = 0; i < 4; i++) {
        const struct uuid uuid = {{0x80, (uint8_t)i}};
        struct member_card card = card_at(&uuid, &victim);
        for (card.addr_count = 0; card.addr_count < 4; card.addr_count++) {
            const uint8_t ip[4] = {192, 0, 2, (uint8_t)(10 + 4 * i + card.addr_count)};
            card.addrs[card.addr_count] = (struct member_addr){SCOPE_GLOBAL, addr_v4(ip, 53)};
        }
        put_card(&e, &card);
    }
    assert_true(cursor_ok(&e));
    const uint64_t cluster = swim_cluster_hash("private");
    struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = PACKET_GOSSIP,
        .is_long = true,
        .cluster = cluster,
        .uuid = {{0x99}},
        .entries = entries,
        .entries_len = e.pos,
    };
    p.tag = packet_tag(&p.uuid, cluster);
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &p);
    swim_packet(c->nodes[0].swim, &victim, NULL, data, w.pos, c->now_us);
    drain(c, 0);
    run_for(c, 30000);
    assert_int_equal(c->bytes_elsewhere, 0);
    assert_int_equal(c->nodes[0].dials, 0);
    assert_true(is_full(c));
    cluster_free(c);
}

static struct addr third_party(bool is_v6, uint8_t number)
{
    const uint8_t ip[4] = {192, 0, 2, number};
    const struct addr v6 = {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = number}, .port = 53};
    return is_v6 ? v6 : addr_v4(ip, 53);
}

/* A datagram in the name of node `as`, from where that is, with cards of nobody, each at an address
 * of a third party. Returns its length. */
static size_t name_nobodies(struct cluster *c, uint32_t at, uint32_t as, enum packet_kind kind,
                            uint32_t cards, bool is_v6)
{
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX], data[DATAGRAM_BYTES_MAX];
    struct cursor e = cursor_writer(entries, sizeof(entries));
    for (uint32_t i = 0; i < cards; i++) {
        const uint64_t any = rng_next(&c->rng);
        const struct uuid uuid = {
            {(uint8_t)any, (uint8_t)(any >> 8), (uint8_t)(any >> 16), (uint8_t)i, 1}};
        const struct addr addr = third_party(is_v6, (uint8_t)i);
        struct member_card card = card_at(&uuid, &addr);
        card.enclave[1] = '\0'; /* as short as a card can be */
        put_card(&e, &card);
    }
    assert_true(cursor_ok(&e));
    const uint64_t cluster = swim_cluster_hash("private");
    const struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = kind,
        .knows_you = true,
        .tag = packet_tag(&c->nodes[as].uuid, cluster),
        .entries = entries,
        .entries_len = e.pos,
    };
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    swim_packet(c->nodes[at].swim, &c->nodes[as].addr, NULL, data, w.pos, c->now_us);
    drain(c, at);
    return w.pos;
}

/* With the headers of IP and UDP, and a dial's SYNs. The nodes themselves have addresses of IPv4:
 * the datagrams come with its headers, and what they name in IPv6 is reached with longer ones. */
static void nobodies_named_in_a_members_name_get_no_more_than_came(void **state)
{
    (void)state;
    enum { HEADS = 28, HEADS_V6 = 48, SYN = 40, UDP = 8 };
    const uint32_t cards[] = {1, 2, 5, 16};
    for (uint32_t i = 0; i < 32; i++) {
        const bool is_v6 = i >= 16;
        const uint64_t heads = is_v6 ? HEADS_V6 : HEADS;
        struct cluster *c = cluster_formed(20 + i, NODES, i % 2 == 0);
        uint64_t came = 0;
        c->has_refusals = false;
        run_for(c, 5000);
        for (uint32_t turn = 0; turn < 40; turn++) {
            const enum packet_kind kind = i % 16 < 8 ? PACKET_GOSSIP : PACKET_PING;
            for (uint32_t at = 0; at < NODES; at++) {
                came +=
                    HEADS + name_nobodies(c, at, (at + 1) % NODES, kind, cards[i / 2 % 4], is_v6);
            }
            run_for(c, 50);
        }
        run_for(c, 5000);
        const uint64_t went = c->bytes_elsewhere + heads * c->datagrams_elsewhere +
                              2 * (heads - UDP + SYN) * c->dials_elsewhere;
        assert_in_range(went, 1, came);
        assert_true(is_full(c));
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_packet_in_anybodys_name_is_answered_by_more_than_came),
        cmocka_unit_test(who_sends_the_cookie_back_is_told_all),
        cmocka_unit_test(a_short_ping_of_an_unknown_tag_hears_only_that_it_is_unknown),
        cmocka_unit_test(a_member_that_asks_from_elsewhere_is_answered_in_little),
        cmocka_unit_test(a_relay_works_for_who_pays_or_has_shown_that_it_receives),
        cmocka_unit_test(a_first_contact_takes_two_round_trips_and_later_ones_one),
        cmocka_unit_test(members_that_never_answered_get_so_many_pings_at_once),
        cmocka_unit_test(members_made_up_at_one_host_cost_it_a_few_pings_of_each_node),
        cmocka_unit_test(who_reads_a_ping_on_his_link_proves_nothing_by_a_datagram),
        cmocka_unit_test(four_cards_of_four_addresses_by_a_stranger_bring_nothing),
        cmocka_unit_test(nobodies_named_in_a_members_name_get_no_more_than_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
