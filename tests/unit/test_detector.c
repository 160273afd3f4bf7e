/* What the failure detector counts of a member that falls silent. */
#include "gossip/membership/detector.h"

#include "gossip/membership/probe.h"
#include "gossip/membership/view.h"
#include "swim_cluster.h"

/* Four who know each other and what they have proved. */
static struct cluster *four(void)
{
    struct cluster *c = cluster_new(1);
    c->has_refusals = false;
    for (uint32_t i = 0; i < 4; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 1000);
    run_for(c, 20000);
    for (uint32_t i = 0; i < 4; i++) {
        c->nodes[i].counters = (struct engine_counters){.probes_sent = 0};
    }
    return c;
}

static void a_probe_that_is_answered_is_sent_and_not_failed(void **state)
{
    (void)state;
    struct cluster *c = four();
    run_for(c, 10000);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(c->nodes[i].counters.probes_sent, 20); /* one each half second */
        assert_int_equal(c->nodes[i].counters.probes_failed, 0);
        assert_int_equal(c->nodes[i].counters.probes_indirect, 0);
    }
    cluster_free(c);
}

/* Runs until a node's probe has failed, and returns that node. */
static uint32_t run_until_failure(struct cluster *c)
{
    for (int i = 0; i < 20000; i++) {
        run_for(c, 1);
        for (uint32_t at = 0; at < c->count; at++) {
            if (c->nodes[at].counters.probes_failed > 0) {
                return at;
            }
        }
    }
    fail_msg("no probe has failed");
    return 0;
}

static void one_that_is_not_asks_both_others_once_and_fails_with_the_suspicion(void **state)
{
    (void)state;
    struct cluster *c = four();
    kill_node(c, 3);
    const uint32_t at = run_until_failure(c);
    assert_int_equal(c->nodes[at].counters.probes_failed, 1);
    assert_int_equal(c->nodes[at].counters.probes_indirect, 2);
    assert_int_equal(c->nodes[at].counters.suspicions, 1);
    assert_int_equal(c->nodes[at].counters.member_deaths, 0);
    cluster_free(c);
}

/* Lets a suspect's time to refute be over. */
static void run_out(struct swim *s, struct member *m)
{
    m->probe->suspicion.started_us -= suspicion_deadline(&m->probe->suspicion) - s->now_us;
    probe_schedule(s, m);
}

/* Some nodes, and so many others who have said HELLO to the first and are gone: suspects whose end
 * is to be verified. */
static struct cluster *suspecting(uint32_t nodes, uint32_t count)
{
    const uint8_t gone[4] = {10, 0, 9, 9};
    struct cluster *c = cluster_new(1);
    struct member_card card = {.incarnation = 1,
                               .version_min = PROTOCOL_VERSION_MIN,
                               .version_max = PROTOCOL_VERSION_MAX,
                               .host_tag = 9,
                               .name = "gone",
                               .enclave = "default",
                               .addr_count = 1};
    c->has_refusals = false;
    for (uint32_t i = 0; i < nodes; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 1000);
    run_for(c, 3000);
    struct swim *s = c->nodes[0].swim;
    card.addrs[0] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = addr_v4(gone, 9)};
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = NULL;
        card.uuid = (struct uuid){{9, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(swim_meet(s, &card, NULL, c->now_us, &m), RC_OK);
        swim_unheard(s, m, c->now_us);
        view_suspect(s, m, &c->nodes[1].uuid);
        run_out(s, m);
    }
    drain(c, 0);
    return c;
}

static uint32_t count_verified(const struct cluster *c)
{
    const struct roster *r = &c->nodes[0].swim->roster;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < r->seat_count; slot++) {
        const struct member *m = roster_at(r, slot);
        count += m != NULL && m->probe != NULL && m->probe->is_open && m->probe->is_verify;
    }
    return count;
}

/* Thousands cost no more in a second than fifty a second do, and each has its own pings. */
static void of_many_that_are_gone_five_are_verified_in_100_ms(void **state)
{
    (void)state;
    enum { GONE = 600, FIVE_IN_100_MS = 5 * 30 };
    struct cluster *c = suspecting(2, GONE);
    uint32_t most = 0;
    uint64_t first_us = 0;
    while (swim_counts(c->nodes[0].swim).suspect > 0) {
        run_for(c, 100);
        const uint32_t verified = count_verified(c);
        most = verified > most ? verified : most;
        first_us = first_us == 0 && verified > 0 ? c->now_us : first_us;
        assert_true(first_us == 0 || c->now_us - first_us < UINT64_C(30) * SECOND);
    }
    print_message("%u verified at once at most, all in %u s\n", most,
                  (unsigned)((c->now_us - first_us) / SECOND));
    assert_in_range(most, 40, FIVE_IN_100_MS);
    assert_int_equal(swim_counts(c->nodes[0].swim).dead, GONE);
    cluster_free(c);
}

/* Strangers make up thousands; who was met does not wait for their turns. */
static void one_that_has_answered_is_verified_among_many_that_never_have(void **state)
{
    (void)state;
    enum { GONE = 600, PROBE_MS = 800, WINDOW_MS = 100 };
    for (uint32_t turn = 0; turn < 8; turn++) {
        struct cluster *c = suspecting(4, GONE);
        struct swim *s = c->nodes[0].swim;
        struct member *m = member_of(c, 0, 3);
        run_for(c, UINT64_C(10) * turn);
        c->nodes[3].is_up = false;
        view_suspect(s, m, &c->nodes[1].uuid);
        m->probe->is_told_soon = false;
        run_out(s, m);
        run_for(c, 1);
        assert_true(m->probe->is_verify);
        run_for(c, 2 * PROBE_MS + WINDOW_MS);
        assert_int_equal(m->state, MEMBER_DEAD);
        assert_in_range(swim_counts(s).dead, 1, GONE / 4);
        cluster_free(c);
    }
}

/* Among probes of many that were never there, a relay that is gone makes this node doubt itself no
 * longer than it takes to see that it is. */
static void a_relay_that_is_gone_is_found_out_and_doubts_end(void **state)
{
    (void)state;
    enum { GONE = 600, SECONDS = 10 };
    struct cluster *c = suspecting(6, GONE);
    uint32_t most = 0;
    c->nodes[5].is_up = false;
    for (uint32_t tenths = 0; tenths < 10 * SECONDS; tenths++) {
        run_for(c, 100);
        const uint32_t health = c->nodes[0].swim->health;
        most = health > most ? health : most;
    }
    assert_in_range(most, 0, 2);
    assert_int_equal(c->nodes[0].swim->health, 0);
    assert_int_equal(member_of(c, 0, 5)->state, MEMBER_DEAD);
    assert_true(swim_counts(c->nodes[0].swim).suspect > 0);
    cluster_free(c);
}

/* So many others are said to be at its host that nothing may go there. */
static void one_that_could_not_be_asked_is_not_held_for_silent(void **state)
{
    (void)state;
    enum { SECONDS = 8, TENTH_US = 100000 };
    static const uint8_t far[4] = {10, 0, 9, 9};
    for (int is_met = 0; is_met < 2; is_met++) {
        struct cluster *c = suspecting(2, 1);
        struct swim *s = c->nodes[0].swim;
        struct member *m = roster_find(&s->roster, &(struct uuid){{9, 0, 0}});
        const struct addr host = addr_v4(far, 1);
        c->nodes[1].is_up = false; /* whose word would count */
        if (is_met) {
            view_answered(s, m);
        }
        probe_acquit(s, m);
        roster_set_state(&s->roster, m, MEMBER_ALIVE, m->incarnation, s->now_us);
        for (uint32_t tenths = 0; tenths < 10 * SECONDS; tenths++) {
            while (quiet_may_ping(&s->quiet, &host, c->now_us + TENTH_US)) {
                quiet_pinged(&s->quiet, &host, c->now_us + TENTH_US);
            }
            run_for(c, 100);
        }
        assert_true(c->nodes[0].counters.probes_failed > 0);
        m = roster_find(&s->roster, &(struct uuid){{9, 0, 0}});
        /* Where few have been met, one that was never there does not stand for long. */
        assert_int_equal(m->state, is_met ? MEMBER_ALIVE : MEMBER_DEAD);
        cluster_free(c);
    }
}

/* The relays of many that are gone at once are gone too. */
static void relays_that_keep_silent_count_against_a_nodes_health_once_in_a_period(void **state)
{
    (void)state;
    enum { NODES = 24, GONE = 12 };
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct cluster *c = cluster_formed(seed, NODES, false);
        run_for(c, 3000);
        c->has_refusals = false;
        for (uint32_t i = 0; i < GONE; i++) {
            c->nodes[NODES - 1 - i].is_up = false;
        }
        for (uint32_t i = 0; i < GONE; i++) {
            struct member *m = member_of(c, 0, NODES - 1 - i);
            m->is_udp_heard = true;
            swim_suspect_link(c->nodes[0].swim, m, c->now_us);
        }
        drain(c, 0);
        run_for(c, 850);
        assert_true(c->nodes[0].counters.probes_failed >= GONE);
        assert_in_range(c->nodes[0].swim->health, 0, 2);
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_is_answered_is_sent_and_not_failed),
        cmocka_unit_test(of_many_that_are_gone_five_are_verified_in_100_ms),
        cmocka_unit_test(one_that_has_answered_is_verified_among_many_that_never_have),
        cmocka_unit_test(a_relay_that_is_gone_is_found_out_and_doubts_end),
        cmocka_unit_test(one_that_could_not_be_asked_is_not_held_for_silent),
        cmocka_unit_test(relays_that_keep_silent_count_against_a_nodes_health_once_in_a_period),
        cmocka_unit_test(one_that_is_not_asks_both_others_once_and_fails_with_the_suspicion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
