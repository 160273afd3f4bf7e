/* Whom rumours are spent on. (What else goes with a packet: test_swim.c.) */
#include "gossip/membership/packet_out.h"

#include "held_member.h"

static bool has_suspicion(const uint8_t *data, size_t len)
{
    struct packet p;
    struct entry e = {.kind = ENTRY_ALIVE};
    assert_int_equal(packet_read(data, len, &p), RC_OK);
    struct cursor c = cursor_reader(p.entries, p.entries_len);
    while (cursor_left(&c) > 0 && e.kind != ENTRY_SUSPECT) {
        packet_entry_read(&c, &e);
    }
    return e.kind == ENTRY_SUSPECT;
}

/* Whether the rumour goes along with a packet to the member, by its link or by a datagram. */
static bool goes_along(struct node *n, struct member *m, bool is_by_link)
{
    const struct member_card card = card_with(HELD_AT, 1);
    struct packet p = {.kind = PACKET_GOSSIP};
    struct swim_event event = {.data = NULL};
    struct action action;
    if (!is_by_link) {
        packet_out_send_at(n->swim, m, &card.addrs[0].addr, &p);
        assert_true(outbox_next(n->outbox, &action));
        return has_suspicion(action.data, action.len);
    }
    packet_out_send_by_link(n->swim, m, &p);
    while (event.kind != SWIM_PACKET_BY_LINK || event.data == NULL) {
        assert_true(swim_next_event(n->swim, &event));
    }
    return has_suspicion(event.data, event.len);
}

static void where_datagrams_hardly_pass_rumours_go_by_links_only(void **state)
{
    (void)state;
    static const struct {
        bool is_linked, is_unheard, has_listener;
        bool has_rumor;
    } rows[] = {
        {false, false, true, true}, {false, true, true, false}, {false, true, false, true},
        {true, false, true, true},  {true, true, true, true},   {true, true, false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct node *n = &c->nodes[cluster_start(c)];
        hold(n->swim, ALIVE);
        struct member *m = roster_find(&n->swim->roster, &subject);
        const struct member_card third = {.uuid = {{8}}, .incarnation = 1, .enclave = "default"};
        const struct view_teller teller = teller_of(SURE);
        const struct member_card held_at = card_with(HELD_AT, 1);
        struct member *named = NULL;
        struct action action;
        assert_int_equal(view_alive(n->swim, &third, &teller, &named), RC_OK);
        view_suspect(n->swim, named, &other); /* which others are to hear of */
        while (outbox_next(n->outbox, &action)) {
        }
        m->link = rows[i].is_linked;
        m->is_proven = true; /* at the address where the datagram goes */
        roster_set_last_addr(&n->swim->roster, m, &held_at.addrs[0].addr);
        n->swim->misses = rows[i].is_unheard ? PACKET_OUT_MISSES_MAX : PACKET_OUT_MISSES_MAX - 1;
        n->swim->has_listener = rows[i].has_listener;
        if (goes_along(n, m, rows[i].is_linked) != rows[i].has_rumor) {
            fail_msg("row %zu: the rumour does not go where it should", i);
        }
        m->link = 0;
        cluster_free(c);
    }
}

/* Its addresses are of another host's loopback, say. */
static void a_member_without_an_address_of_use_is_reached_by_its_link(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct node *n = &c->nodes[cluster_start(c)];
    const struct member_card card = card_with(HELD_AT, 0);
    const struct view_teller teller = teller_of(SURE);
    struct member *m = NULL;
    struct swim_event event = {.kind = SWIM_MEMBER_STATE};
    struct action action;
    assert_int_equal(view_alive(n->swim, &card, &teller, &m), RC_OK);
    m->is_udp_heard = true; /* so datagrams would be preferred */
    for (int linked = 0; linked < 2; linked++) {
        struct packet p = packet_out_ping(n->swim, 1, m->tag);
        uint32_t by_link = 0;
        m->link = linked != 0;
        packet_out_send(n->swim, m, &p);
        while (swim_next_event(n->swim, &event)) {
            by_link += event.kind == SWIM_PACKET_BY_LINK;
        }
        assert_int_equal(by_link, linked);
        assert_false(outbox_next(n->outbox, &action) && action.kind == ACTION_DATAGRAM);
    }
    m->link = 0;
    cluster_free(c);
}

/* What is of use only in time does not wait to be found lost. */
static void what_goes_twice_goes_to_the_first_address_and_by_the_link(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct node *n = &c->nodes[cluster_start(c)];
    const struct member_card card = card_with(HELD_AT, 2);
    const struct view_teller teller = teller_of(SURE);
    struct member *m = NULL;
    struct swim_event event = {.kind = SWIM_MEMBER_STATE};
    struct action action;
    assert_int_equal(view_alive(n->swim, &card, &teller, &m), RC_OK);
    while (swim_next_event(n->swim, &event) || outbox_next(n->outbox, &action)) {
    }
    m->link = 1;
    struct packet p = packet_out_ping(n->swim, 1, m->tag);
    packet_out_send_twice(n->swim, m, &p);
    assert_true(outbox_next(n->outbox, &action));
    assert_int_equal(action.kind, ACTION_DATAGRAM);
    assert_true(addr_equal(&action.addr, &card.addrs[0].addr));
    assert_false(outbox_next(n->outbox, &action));
    assert_true(swim_next_event(n->swim, &event));
    assert_int_equal(event.kind, SWIM_PACKET_BY_LINK);
    m->link = 0;
    cluster_free(c);
}

/* Strangers can open links by the hundred and read nothing there. */
static void who_has_answered_nothing_hears_no_news_on_its_link(void **state)
{
    (void)state;
    static const struct {
        bool is_linked, has_answered, is_proven;
        bool is_told;
    } rows[] = {
        {false, false, false, false}, {true, false, false, false}, {false, true, false, false},
        {true, true, false, true},    {true, false, true, true},   {false, false, true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        hold(s, ALIVE);
        struct member *m = roster_find(&s->roster, &subject);
        m->link = rows[i].is_linked;
        m->has_answered = rows[i].has_answered;
        m->is_proven = rows[i].is_proven;
        if ((packet_out_listener(s) == m) != rows[i].is_told) {
            fail_msg("row %zu", i);
        }
        m->link = 0;
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_datagrams_hardly_pass_rumours_go_by_links_only),
        cmocka_unit_test(what_goes_twice_goes_to_the_first_address_and_by_the_link),
        cmocka_unit_test(a_member_without_an_address_of_use_is_reached_by_its_link),
        cmocka_unit_test(who_has_answered_nothing_hears_no_news_on_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
