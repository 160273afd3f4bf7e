/* For how long the state of probes is kept for a member. (How probes go: test_swim.c.) */
#include "gossip/membership/probe.h"

#include "gossip/membership/packet_out.h"
#include "gossip/membership/view.h"
#include "held_member.h"

#define KEPT_US ((uint64_t)3 * SECOND)

/* A node that was about to ask the member, which has been heard since. */
static struct swim *acquitted(struct cluster *c, struct member **ret_member)
{
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    *ret_member = roster_find(&s->roster, &subject);
    probe_ask(s, *ret_member);
    assert_non_null((*ret_member)->probe);
    probe_acquit(s, *ret_member);
    return s;
}

static void state_that_nothing_needs_is_given_back_after_a_while(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct member *m = NULL;
    struct swim *s = acquitted(c, &m);
    s->now_us += KEPT_US - 1;
    probe_release_idle(s);
    assert_non_null(m->probe);
    s->now_us++;
    probe_release_idle(s);
    assert_null(m->probe);
    cluster_free(c);
}

static void a_ping_meanwhile_keeps_it_for_longer(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct member *m = NULL;
    struct swim *s = acquitted(c, &m);
    s->now_us += SECOND;
    probe_ping(s, m);
    s->now_us += KEPT_US - SECOND;
    probe_release_idle(s);
    assert_non_null(m->probe);
    s->now_us += KEPT_US - 1;
    probe_release_idle(s);
    assert_non_null(m->probe);
    s->now_us++;
    probe_release_idle(s);
    assert_null(m->probe);
    cluster_free(c);
}

static void what_is_to_be_asked_again_is_not_given_back(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct member *m = NULL;
    struct swim *s = acquitted(c, &m);
    s->now_us += SECOND;
    probe_ask(s, m);
    s->now_us += 2 * KEPT_US;
    probe_release_idle(s);
    assert_non_null(m->probe);
    assert_int_not_equal(m->probe->ask_us, 0);
    cluster_free(c);
}

/* Fills the view up with others. */
static void hold_as_many_as_ask_each(struct swim *s)
{
    const struct view_teller teller = teller_of(SURE);
    struct member_card card = card_with(1, 1);
    while (roster_live_count(&s->roster) < PROBE_ASKED_BY_ALL_MAX) {
        struct member *m = NULL;
        assert_false(probe_is_among_many(s));
        card.uuid.bytes[1]++;
        assert_int_equal(view_alive(s, &card, &teller, &m), RC_OK);
    }
    assert_false(probe_is_among_many(s));
}

/* Where datagrams come back at all. Of few, each is heard soon, and whom no datagram came from has
 * a way by its link only. */
static void among_many_one_that_is_asked_first_gets_the_time_of_a_datagram(void **state)
{
    (void)state;
    enum { DATAGRAM_US = 800000, BY_LINK_US = 3 * DATAGRAM_US };
    static const struct {
        bool is_among_many;
        uint32_t unanswered; /* probes of anybody, this one among them */
        uint64_t waits_us;
    } rows[] = {
        {true, PACKET_OUT_MISSES_MAX - 1, DATAGRAM_US},
        {true, PACKET_OUT_MISSES_MAX, BY_LINK_US},
        {false, PACKET_OUT_MISSES_MAX - 1, BY_LINK_US},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        if (rows[i].is_among_many) {
            hold_as_many_as_ask_each(s);
        }
        hold(s, ALIVE);
        struct member *m = roster_find(&s->roster, &subject);
        s->misses = rows[i].unanswered - 1;
        probe_start(s, m);
        assert_int_equal(m->probe->verdict_us - s->now_us, rows[i].waits_us);
        cluster_free(c);
    }
}

/* A link's silence means less than that of datagrams, where there is or was a link. */
static void who_was_never_there_is_a_suspect_for_no_longer_than_others(void **state)
{
    (void)state;
    static const struct {
        bool is_linked, has_answered, is_heard, is_deaf;
        bool is_patient;
    } rows[] = {
        {false, false, false, false, false}, {true, false, false, false, true},
        {false, true, false, false, true},   {false, false, false, true, true},
        {false, true, true, false, false},   {true, true, true, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct swim *s = c->nodes[cluster_start(c)].swim;
        hold(s, ALIVE);
        struct member *m = roster_find(&s->roster, &subject);
        m->link = rows[i].is_linked;
        m->has_answered = rows[i].has_answered;
        m->is_udp_heard = rows[i].is_heard;
        s->misses = rows[i].is_deaf ? PACKET_OUT_MISSES_MAX : 0;
        probe_suspicion_start(s, m);
        if (m->probe->suspicion.is_by_link != rows[i].is_patient) {
            fail_msg("row %zu", i);
        }
        m->link = 0;
        cluster_free(c);
    }
}

/* UDP is blocked for one pair, of which each hears all others. */
static void a_pair_without_datagrams_has_more_time_also_when_its_link_has_been_reset(void **state)
{
    (void)state;
    enum { PATIENT_US = 3 * 800000 };
    struct cluster *c = cluster_new(3);
    c->has_links = true;
    c->udp_cut[0][1] = c->udp_cut[1][0] = true;
    for (uint32_t i = 0; i < 4; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 5000);
    run_for(c, 3000);
    struct swim *s = c->nodes[0].swim;
    struct member *m = member_of(c, 0, 1);
    assert_true(m->has_answered && m->link != 0 && !m->is_udp_heard);
    c->tcp_cut[0][1] = c->tcp_cut[1][0] = true;
    m->link = member_of(c, 1, 0)->link = 0;
    swim_suspect_link(s, m, c->now_us);
    assert_int_equal(m->probe->verdict_us - c->now_us, PATIENT_US);
    view_suspect(s, m, &c->nodes[2].uuid);
    assert_true(m->probe->suspicion.is_by_link);
    drain(c, 0);
    c->tcp_cut[0][1] = c->tcp_cut[1][0] = false;
    run_for(c, 5000);
    assert_int_equal(m->state, MEMBER_ALIVE);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void each_asks_each_up_to_so_many_members(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold_as_many_as_ask_each(s);
    hold(s, ALIVE);
    assert_int_equal(roster_live_count(&s->roster), PROBE_ASKED_BY_ALL_MAX + 1);
    assert_true(probe_is_among_many(s));
    cluster_free(c);
}

/* Of Lifeguard: it rises with each sign that the node is slow itself, and falls back to nothing. */
static void a_nodes_health_stays_within_its_bounds(void **state)
{
    (void)state;
    enum { HEALTH_MOST = 8 };
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    probe_health(s, -1);
    assert_int_equal(s->health, 0);
    for (uint32_t i = 1; i <= HEALTH_MOST + 1; i++) {
        probe_health(s, 1);
        assert_int_equal(s->health, i < HEALTH_MOST ? i : HEALTH_MOST);
    }
    for (uint32_t i = HEALTH_MOST; i-- > 0;) {
        probe_health(s, -1);
        assert_int_equal(s->health, i);
    }
    cluster_free(c);
}

/* Whether the probe that judges the member has it left or dead is what any said of it since. */
static void a_probe_judges_by_whether_anybody_said_that_the_member_left(void **state)
{
    (void)state;
    enum { SAID_MAX = 2 };
    static const struct {
        enum member_state said[SAID_MAX]; /* MEMBER_ALIVE: nothing more */
        bool is_left;
    } rows[] = {
        {{MEMBER_DEAD, MEMBER_ALIVE}, false}, {{MEMBER_DEAD, MEMBER_DEAD}, false},
        {{MEMBER_LEFT, MEMBER_ALIVE}, true},  {{MEMBER_LEFT, MEMBER_DEAD}, true},
        {{MEMBER_DEAD, MEMBER_LEFT}, true},
    };
    struct cluster *c = cluster_new(1);
    struct swim *s = c->nodes[cluster_start(c)].swim;
    hold(s, ALIVE);
    struct member *m = roster_find(&s->roster, &subject);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int j = 0; j < SAID_MAX && rows[i].said[j] != MEMBER_ALIVE; j++) {
            probe_judge(s, m, rows[i].said[j]);
        }
        assert_true(m->probe->is_judge);
        if (m->probe->is_said_left != rows[i].is_left) {
            fail_msg("row %zu", i);
        }
        probe_close(m); /* the next one knows nothing of it */
    }
    cluster_free(c);
}

/* Who was asked meanwhile could not be heard, and is asked anew; a turn that comes a little late,
 * on time, or early holds up nobody. */
static void a_node_that_stood_still_asks_anew_whom_it_was_asking(void **state)
{
    (void)state;
    enum { STALL_US = 250000 };
    static const struct {
        int64_t late_us;
        uint32_t anew;
    } rows[] = {{-1, 0}, {0, 0}, {1, 0}, {STALL_US, 0}, {STALL_US + 1, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cluster *c = cluster_new(1);
        struct node *n = &c->nodes[cluster_start(c)];
        hold(n->swim, ALIVE);
        struct member *m = roster_find(&n->swim->roster, &subject);
        probe_start(n->swim, m);
        while (swim_deadline(n->swim) <= c->now_us) {
            swim_tick(n->swim, c->now_us, c->now_us);
        }
        const uint64_t due_us = swim_deadline(n->swim), asked = n->counters.probes_sent;
        const uint64_t now_us = (uint64_t)((int64_t)due_us + rows[i].late_us);
        assert_int_equal(asked, 1);
        assert_true(now_us < m->probe->verdict_us);
        swim_tick(n->swim, now_us, now_us);
        if (n->counters.probes_sent != asked + rows[i].anew) {
            fail_msg("row %zu", i);
        }
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_that_nothing_needs_is_given_back_after_a_while),
        cmocka_unit_test(a_ping_meanwhile_keeps_it_for_longer),
        cmocka_unit_test(what_is_to_be_asked_again_is_not_given_back),
        cmocka_unit_test(among_many_one_that_is_asked_first_gets_the_time_of_a_datagram),
        cmocka_unit_test(a_nodes_health_stays_within_its_bounds),
        cmocka_unit_test(a_probe_judges_by_whether_anybody_said_that_the_member_left),
        cmocka_unit_test(a_node_that_stood_still_asks_anew_whom_it_was_asking),
        cmocka_unit_test(who_was_never_there_is_a_suspect_for_no_longer_than_others),
        cmocka_unit_test(a_pair_without_datagrams_has_more_time_also_when_its_link_has_been_reset),
        cmocka_unit_test(each_asks_each_up_to_so_many_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
