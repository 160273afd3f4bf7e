/* What a card changes, by what is held of its member, who brings it, and how sure that is. */
#include "held_member.h"

struct row {
    enum held held;
    uint32_t teller; /* set of OWN and SURE */
    uint64_t incarnation;
    uint32_t addrs;
    enum member_state state;
    uint64_t held_at;
    uint32_t addrs_held;
    bool is_asked, is_rumor;
};

static const struct row rows[] = {
    /* Somebody new is alive where it is sure, and is asked unless it says so itself. */
    {NOBODY, 0, 5, 1, MEMBER_NAMED, 5, 1, true, false},
    {NOBODY, OWN, 5, 1, MEMBER_NAMED, 5, 1, true, false},
    {NOBODY, SURE, 5, 1, MEMBER_ALIVE, 5, 1, true, false},
    {NOBODY, OWN | SURE, 5, 1, MEMBER_ALIVE, 5, 1, false, true},
    /* One that was only named: its own word, or that of a member. */
    {NAMED, 0, 6, 1, MEMBER_NAMED, 5, 1, true, false},
    {NAMED, 0, 5, 2, MEMBER_NAMED, 5, 2, true, false},
    {NAMED, OWN, 6, 1, MEMBER_NAMED, 5, 1, true, false},
    {NAMED, SURE, 5, 1, MEMBER_ALIVE, 5, 1, true, false},
    {NAMED, OWN | SURE, 5, 1, MEMBER_ALIVE, 5, 1, false, true},
    {NAMED, OWN | SURE, 4, 1, MEMBER_ALIVE, 4, 1, false, true},
    /* Of one that lives only a later card is news, or a fuller one of a sure teller. */
    {ALIVE, SURE, 4, 2, MEMBER_ALIVE, 5, 1, false, false},
    {ALIVE, 0, 5, 2, MEMBER_ALIVE, 5, 1, false, false},
    {ALIVE, SURE, 5, 2, MEMBER_ALIVE, 5, 2, false, false},
    {ALIVE, SURE, 6, 2, MEMBER_ALIVE, 6, 2, false, false},
    {SUSPECT, SURE, 5, 1, MEMBER_SUSPECT, 5, 1, false, false},
    {SUSPECT, SURE, 6, 1, MEMBER_ALIVE, 6, 1, false, true},
    {SUSPECT, OWN | SURE, 6, 1, MEMBER_ALIVE, 6, 1, false, true},
    /* One that is gone is back where it is sure, and else asked. */
    {DEAD, SURE, 5, 1, MEMBER_DEAD, 5, 1, false, false},
    {DEAD, OWN | SURE, 5, 1, MEMBER_DEAD, 5, 1, false, false},
    {DEAD, 0, 6, 1, MEMBER_DEAD, 5, 1, true, false},
    {DEAD, OWN, 6, 1, MEMBER_DEAD, 5, 1, true, false},
    {DEAD, SURE, 6, 1, MEMBER_ALIVE, 6, 1, true, false},
    {DEAD, OWN | SURE, 6, 1, MEMBER_ALIVE, 6, 1, false, true},
    {LEFT, OWN, 6, 1, MEMBER_LEFT, 5, 1, true, false},
    {LEFT, OWN | SURE, 6, 1, MEMBER_ALIVE, 6, 1, false, true},
    /* Of a ghost nothing was known but that it is gone. */
    {DEAD_GHOST, 0, 6, 1, MEMBER_NAMED, 6, 1, true, false},
    {DEAD_GHOST, SURE, 5, 1, MEMBER_DEAD, 5, 1, false, false},
    {DEAD_GHOST, SURE, 6, 1, MEMBER_ALIVE, 6, 1, true, false},
    {DEAD_GHOST, OWN | SURE, 5, 1, MEMBER_ALIVE, 5, 1, false, true},
    {LEFT_GHOST, OWN | SURE, 4, 1, MEMBER_ALIVE, 4, 1, false, true},
};

/* Changes of state that the caller is told. */
static uint32_t states_told(struct swim *s)
{
    struct swim_event event;
    uint32_t count = 0;
    while (swim_next_event(s, &event)) {
        count += event.kind == SWIM_MEMBER_STATE;
    }
    return count;
}

static void a_card_changes_what_it_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct member_card card = card_with(r->incarnation, r->addrs);
        const struct view_teller teller = teller_of(r->teller);
        struct member *m = NULL;
        hold(s, r->held);
        const uint32_t rumors = s->rumors.count;
        const struct member *was = roster_find(&s->roster, &subject);
        const bool is_told = was != NULL && !was->is_ghost && was->state != r->state;
        (void)states_told(s);
        (void)view_alive(s, &card, &teller, &m);
        assert_non_null(m);
        const uint32_t told = states_told(s);
        const bool is_asked = m->probe != NULL && (m->probe->ask_us != 0 || m->probe->is_open);
        if (m->state != r->state || m->incarnation != r->held_at ||
            m->addr_count != r->addrs_held || is_asked != r->is_asked ||
            (s->rumors.count > rumors) != r->is_rumor || told != (r->held != NAMED && is_told)) {
            fail_msg("row %zu: state %u at %u with %u addresses, asked %d, rumours %u, told %u", i,
                     (unsigned)m->state, (unsigned)m->incarnation, (unsigned)m->addr_count,
                     is_asked, s->rumors.count - rumors, told);
        }
        swim_check(s);
        cluster_free(c);
    }
}

/* Cards that are no news are not even taken apart. */
static void what_changes_something_is_news(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        if (r->held == NOBODY) {
            continue;
        }
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(r->teller);
        hold(s, r->held);
        const struct member *m = roster_find(&s->roster, &subject);
        const bool is_changed = m->state != r->state || m->incarnation != r->held_at ||
                                (m->addr_count != r->addrs_held && !m->is_ghost);
        if (is_changed && !view_is_news(m, r->incarnation, r->addrs, &teller)) {
            fail_msg("row %zu is no news", i);
        }
        cluster_free(c);
    }
}

/* Most cards that come are these. */
static void the_card_that_is_held_and_earlier_ones_are_no_news(void **state)
{
    (void)state;
    static const enum held helds[] = {ALIVE, SUSPECT, DEAD, LEFT};
    for (size_t i = 0; i < sizeof(helds) / sizeof(helds[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        const struct view_teller teller = teller_of(SURE), own = teller_of(OWN | SURE);
        hold(s, helds[i]);
        struct member *m = roster_find(&s->roster, &subject);
        assert_false(view_is_news(m, HELD_AT, 1, &teller));
        assert_false(view_is_news(m, HELD_AT - 1, 2, &teller));
        assert_true(view_is_news(m, HELD_AT, 2, &teller)); /* fuller */
        assert_true(view_is_news(m, HELD_AT + 1, 1, &teller));
        assert_true(view_is_news(m, HELD_AT, 1, &own)); /* the first that it brings itself */
        m->has_answered = true;
        assert_false(view_is_news(m, HELD_AT, 1, &own));
        m->has_answered = false;
        cluster_free(c);
    }
}

static void a_member_is_heard_lately_for_so_long_after_its_last_word(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    struct member *m = roster_find(&s->roster, &subject);
    assert_false(view_is_heard_lately(s, m));
    const uint64_t heard_us = s->now_us + SECOND;
    swim_heard(s, m, heard_us); /* at a time of its own, which is the node's from then on */
    assert_int_equal(m->heard_us, heard_us);
    assert_int_equal(s->now_us, heard_us);
    assert_true(view_is_heard_lately(s, m));
    s->now_us = heard_us + 2 * (uint64_t)SECOND - 1;
    assert_true(view_is_heard_lately(s, m));
    s->now_us++;
    assert_false(view_is_heard_lately(s, m));
    cluster_free(c);
}

/* What it said before its link was lost speaks for it no longer; of one that never said anything
 * still nothing was heard. */
static void a_lost_link_outweighs_what_was_heard_before(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    struct member *m = roster_find(&s->roster, &subject);
    swim_suspect_link(s, m, s->now_us);
    assert_int_equal(m->heard_us, 0);
    swim_heard(s, m, s->now_us);
    assert_true(view_is_heard_lately(s, m));
    swim_suspect_link(s, m, s->now_us);
    assert_false(view_is_heard_lately(s, m));
    assert_int_not_equal(m->heard_us, 0);
    cluster_free(c);
}

static void the_gone_are_forgotten_a_day_later_unless_a_link_to_them_is_there(void **state)
{
    (void)state;
    static const enum held helds[] = {DEAD, LEFT, DEAD_GHOST, LEFT_GHOST};
    for (size_t i = 0; i < sizeof(helds) / sizeof(helds[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        hold(s, helds[i]);
        struct member *m = roster_find(&s->roster, &subject);
        s->now_us = m->state_since_us + MEMBER_GONE_KEPT_US - 1;
        view_recontact(s);
        assert_non_null(roster_find(&s->roster, &subject));
        assert_int_equal(m->probe != NULL && m->probe->told_us == s->now_us, helds[i] == DEAD);
        s->now_us++;
        m->link = 1;
        view_recontact(s);
        assert_non_null(roster_find(&s->roster, &subject));
        m->link = 0;
        view_recontact(s);
        assert_null(roster_find(&s->roster, &subject));
        cluster_free(c);
    }
}

/* Of those that have left, and those of whom only the end is known, nobody hopes for an answer. */
static void the_dead_are_told_that_they_are_one_after_the_other(void **state)
{
    (void)state;
    enum { GONE = 5, DEAD_ONES = 3 };
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    const struct view_teller teller = teller_of(SURE);
    struct member *m[GONE] = {NULL};
    hold(s, DEAD_GHOST);
    for (uint32_t i = 0; i < GONE; i++) {
        struct member_card card = card_with(HELD_AT, 1);
        card.uuid.bytes[1] = (uint8_t)(1 + i);
        assert_int_equal(view_alive(s, &card, &teller, &m[i]), RC_OK);
        view_bury(s, m[i], i % 2 == 0 ? MEMBER_DEAD : MEMBER_LEFT, HELD_AT, &other);
    }
    for (uint32_t call = 1; call <= 2 * DEAD_ONES; call++) {
        uint32_t told = 0;
        s->now_us += SECOND;
        view_recontact(s);
        for (uint32_t i = 0; i < GONE; i++) {
            const uint64_t told_us = m[i]->probe != NULL ? m[i]->probe->told_us : 0;
            told += told_us == s->now_us;
            /* Nobody else's turn comes before all have had theirs. */
            assert_true(call < DEAD_ONES || i % 2 != 0 ||
                        told_us > s->now_us - DEAD_ONES * (uint64_t)SECOND);
            assert_true(i % 2 == 0 || told_us != s->now_us);
        }
        assert_int_equal(told, 1);
    }
    cluster_free(c);
}

static void a_round_of_gossip_is_told_to_each_once(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct node *n = &c->nodes[cluster_start(c)];
    const struct view_teller teller = teller_of(OWN | SURE);
    const struct member_card card = card_with(HELD_AT, 1);
    struct member *m = NULL;
    struct action action;
    uint32_t told = 0;
    assert_int_equal(view_alive(n->swim, &card, &teller, &m), RC_OK);
    assert_true(n->swim->rumors.count > 0);
    while (outbox_next(n->outbox, &action)) {
    }
    m->is_proven = true;
    roster_set_last_addr(&n->swim->roster, m, &card.addrs[0].addr);
    view_gossip(n->swim);
    while (outbox_next(n->outbox, &action)) {
        told++;
    }
    assert_int_equal(told, 1); /* there is nobody else */
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_changes_what_it_may),
        cmocka_unit_test(what_changes_something_is_news),
        cmocka_unit_test(the_gone_are_forgotten_a_day_later_unless_a_link_to_them_is_there),
        cmocka_unit_test(the_dead_are_told_that_they_are_one_after_the_other),
        cmocka_unit_test(a_lost_link_outweighs_what_was_heard_before),
        cmocka_unit_test(a_member_is_heard_lately_for_so_long_after_its_last_word),
        cmocka_unit_test(a_round_of_gossip_is_told_to_each_once),
        cmocka_unit_test(the_card_that_is_held_and_earlier_ones_are_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
