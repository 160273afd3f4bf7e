/* Past 600 lines, because what a small cluster does in each case is read together.
 */
#include "gossip/membership/pull.h"
#include "gossip/membership/swim_state.h"
#include "swim_cluster.h"

static void three_nodes_form_within_a_second(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1);
    for (uint32_t i = 0; i < 3; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    assert_false(swim_candidates_settled(c->nodes[0].swim));
    const uint64_t ms = wait_full(c, 1000);
    print_message("3 nodes: full view after %u ms\n", (unsigned)ms);
    run_for(c, 1000);
    assert_true(is_full(c));
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(swim_candidates_settled(c->nodes[i].swim));
        assert_int_equal(c->nodes[i].counters.member_joins, 2);
        assert_int_equal(c->nodes[i].counters.datagrams_malformed, 0);
        assert_true(c->nodes[i].vitals_seen > 0 && c->nodes[i].rtt_last_us > 0);
        assert_ptr_equal(swim_find_addr(c->nodes[i].swim, &c->nodes[(i + 1) % 3].addr),
                         member_of(c, i, (i + 1) % 3));
        assert_ptr_equal(swim_find_addr(c->nodes[i].swim, &c->nodes[i].addr),
                         swim_self(c->nodes[i].swim));
    }
    cluster_free(c);
}

static void a_burst_of_16_reaches_a_full_view(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *c = cluster_new(seed);
        for (uint32_t i = 0; i < 16; i++) {
            (void)cluster_start(c);
        }
        hint_all(c);
        const uint64_t ms = wait_full(c, 2000);
        print_message("burst of 16, seed %u: full view after %u ms\n", (unsigned)seed,
                      (unsigned)ms);
        cluster_free(c);
    }
}

static void a_newcomer_who_knows_one_learns_all_by_pulling(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(2, 40, false);
    const uint32_t newcomer = cluster_start(c);
    hint(c, newcomer, &c->nodes[0].addr);
    run_for(c, 100);
    assert_int_equal(swim_counts(c->nodes[newcomer].swim).alive, 40);
    const uint64_t ms = wait_full(c, 3000);
    print_message("41st node known to all after %u ms\n", (unsigned)ms + 100);
    cluster_free(c);
}

/* Views differ, and the ping for a second look gets no answer. */
static void a_lost_second_look_does_not_spend_the_period_of_pulls(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(23, 3, false);
    run_for(c, 5000);
    struct swim *s = c->nodes[0].swim;
    struct member *m = member_of(c, 0, 1);
    s->next_pull_us = s->now_us;
    pull_compare(s, m, s->roster.digest + 1);
    pull_tick(s);
    assert_true(uuid_equal(&s->asked_again, &m->uuid));
    const uint64_t next_us = s->next_pull_us;
    assert_true(next_us > s->now_us);
    s->now_us += 50000;
    pull_compare(s, member_of(c, 0, 2), s->roster.digest + 1);
    assert_int_equal(pull_deadline(s), next_us);
    s->now_us += 100000;
    pull_compare(s, member_of(c, 0, 2), s->roster.digest + 1);
    assert_int_equal(pull_deadline(s), s->now_us);
    cluster_free(c);
}

/* Somebody's false digests come in members' names while pulls follow upon each other, as they do
 * for a while after each forged death. */
static void differences_do_not_speed_up_second_looks_while_news_is_expected(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(23, 4, false);
    run_for(c, 5000);
    struct swim *s = c->nodes[0].swim;
    pull_expect(s);
    s->differs = member_of(c, 0, 3)->uuid;
    s->next_pull_us = s->now_us;
    pull_tick(s); /* asks node 3 */
    const uint64_t asked = s->counter;
    for (uint32_t i = 0; i < 100; i++) {
        s->now_us += 100; /* 10 ms in all */
        pull_compare(s, member_of(c, 0, 1 + i % 2), s->roster.digest + 1);
        pull_tick(s);
    }
    assert_int_equal(s->counter, asked);
    cluster_free(c);
}

/* Node 1 has heard of the newcomer, and then nothing more from anybody. */
static void a_newcomer_that_was_never_met_ends_by_two_lost_probes_and_not_by_one(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(19, 4, false);
    const uint32_t newcomer = cluster_start(c);
    uint32_t ms = 0;
    cut(c, newcomer, 1, true);
    hint(c, newcomer, &c->nodes[0].addr);
    const struct member *m = NULL;
    for (; ms < 5000 && (m == NULL || m->state == MEMBER_NAMED); ms++) {
        run_for(c, 1);
        m = member_of(c, 1, newcomer);
    }
    assert_non_null(m);
    for (uint32_t i = 0; i < 4; i++) {
        cut(c, 1, i, i != 1);
    }
    assert_true(m->misses <= 1);
    for (; ms < 15000 && m->state == MEMBER_ALIVE; ms++) {
        run_for(c, 1);
    }
    assert_int_equal(m->state, MEMBER_DEAD);
    assert_int_equal(m->misses, 2);
    cluster_free(c);
}

/* Node 1 reaches the newcomer through others for a while, so that many of its pings were in vain,
 * and then nobody. */
static void a_newcomer_that_others_reach_ends_by_two_lost_probes_and_not_by_one(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(19, 4, false);
    const uint32_t newcomer = cluster_start(c);
    cut(c, newcomer, 1, true);
    hint(c, newcomer, &c->nodes[0].addr);
    run_for(c, 15000);
    const struct member *m = member_of(c, 1, newcomer);
    assert_non_null(m);
    for (uint32_t ms = 0; ms < 5000 && (m->probe == NULL || m->probe->is_open); ms++) {
        run_for(c, 1);
    }
    assert_int_equal(m->state, MEMBER_ALIVE);
    assert_false(m->has_answered);
    assert_int_equal(m->misses, 3);
    for (uint32_t i = 0; i < 4; i++) {
        cut(c, 1, i, i != 1);
    }
    uint64_t verdict_us = 0;
    uint32_t probes = 0;
    /* A node that hears nobody doubts itself, and takes its time. */
    for (uint32_t ms = 0; ms < 60000 && m->state == MEMBER_ALIVE; ms++) {
        run_for(c, 1);
        if (m->probe != NULL && m->probe->is_open && m->probe->verdict_us != verdict_us) {
            verdict_us = m->probe->verdict_us;
            probes++;
        }
    }
    assert_int_equal(m->state, MEMBER_DEAD);
    assert_int_equal(probes, 2);
    cluster_free(c);
}

static void idle_nodes_send_under_400_bytes_a_second(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(3, 3, true);
    run_for(c, 10000);
    uint64_t before[3];
    for (uint32_t i = 0; i < 3; i++) {
        before[i] = c->nodes[i].bytes_out;
    }
    run_for(c, 300000);
    for (uint32_t i = 0; i < 3; i++) {
        const uint64_t rate = (c->nodes[i].bytes_out - before[i]) / 300;
        print_message("node %u sends %u bytes/s\n", i, (unsigned)rate);
        assert_true(rate < 400);
    }
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void a_killed_process_is_dead_everywhere_within_800_ms_of_its_refusals(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *c = cluster_formed(seed, 3, true);
        run_for(c, 3000);
        kill_node(c, 1);
        const uint64_t ms = wait_gone(c, 1, 800);
        print_message("killed, links lost: dead in all views after %u ms\n", (unsigned)ms);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

static void a_killed_process_without_links_is_found_by_refusals(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(4, 10, false);
    run_for(c, 3000);
    kill_node(c, 7);
    /* Half a second of proof, and the wait until some node's turn to probe it. */
    const uint64_t ms = wait_gone(c, 7, 2500);
    print_message("killed, no links, 10 nodes: dead in all views after %u ms\n", (unsigned)ms);
    run_for(c, 5000);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void a_silent_crash_is_found_by_the_long_window(void **state)
{
    (void)state;
    const uint32_t sizes[] = {2, 3, 10, 48};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cluster *c = cluster_formed(5, sizes[i], false);
        run_for(c, 3000);
        c->has_refusals = false;
        kill_node(c, 0);
        const uint64_t ms = wait_gone(c, 0, 12000);
        print_message("silent crash of 1 of %u: dead in all views after %u ms\n", sizes[i],
                      (unsigned)ms);
        assert_true(ms > 1500);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

/* A ping was lost shortly before the crash. The probe and the verification after it are the second
 * and third in vain, as many as make a member one that only links reach. */
static void a_lost_ping_does_not_put_a_death_off(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct cluster *c = cluster_formed(seed, 10, false);
        run_for(c, 3000);
        c->has_refusals = false;
        for (uint32_t i = 1; i < c->count; i++) {
            member_of(c, i, 0)->misses = 1;
        }
        kill_node(c, 0);
        /* At most a period until somebody's probe, its 0.8 s, 1.5 s of suspicion, 0.8 s of
         * verification. */
        (void)wait_gone(c, 0, 4100);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

static void a_restart_on_the_same_port_replaces_the_old_process(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(6, 3, false);
    run_for(c, 3000);
    c->nodes[2].is_up = false;
    const uint32_t again = cluster_start_at(c, 2, "private", "node-2");
    hint(c, again, &c->nodes[0].addr);
    hint(c, again, &c->nodes[1].addr);
    const uint64_t ms = wait_gone(c, 2, 700);
    print_message("restarted on its port: the old one dead after %u ms\n", (unsigned)ms);
    (void)wait_full(c, 1500);
    run_for(c, 30000);
    assert_true(is_full(c));
    assert_int_equal(member_of(c, 0, 2)->state, MEMBER_DEAD);
    /* It has the name and port of its predecessor, which never said a word to it. */
    assert_int_equal(c->nodes[again].names_twice, 0);
    cluster_free(c);
}

static void a_false_suspicion_is_refuted(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(7, 5, false);
    run_for(c, 2000);
    for (uint32_t i = 0; i < 5; i++) {
        cut(c, 4, i, true);
    }
    const struct member *m = member_of(c, 0, 4);
    for (int i = 0; i < 1000 && m->state == MEMBER_ALIVE; i++) {
        run_for(c, 5);
    }
    assert_int_equal(m->state, MEMBER_SUSPECT);
    for (uint32_t i = 0; i < 5; i++) {
        cut(c, 4, i, false);
    }
    (void)wait_full(c, 1500);
    assert_true(c->nodes[4].refuted > 0 && c->nodes[4].counters.refutations > 0);
    assert_true(m->incarnation > 1);
    assert_int_equal(c->false_deaths, 0);
    run_for(c, 20000);
    assert_true(is_full(c));
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void nobody_dies_in_10_minutes_of_25_percent_loss(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(8, 48, false);
    c->loss_percent = 25;
    run_for(c, 600000);
    uint64_t failed = 0, sent = 0, suspicions = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        failed += c->nodes[i].counters.probes_failed;
        sent += c->nodes[i].counters.probes_sent;
        suspicions += c->nodes[i].counters.suspicions;
    }
    print_message("25%% loss: %u of %u probes failed, %u suspicions, %u deaths\n", (unsigned)failed,
                  (unsigned)sent, (unsigned)suspicions, c->false_deaths);
    assert_int_equal(c->false_deaths, 0);
    c->loss_percent = 0;
    (void)wait_full(c, 10000);
    cluster_free(c);
}

static void a_crash_is_found_at_25_percent_loss(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(9, 24, false);
    c->has_refusals = false;
    c->loss_percent = 25;
    run_for(c, 10000);
    kill_node(c, 3);
    const uint64_t ms = wait_gone(c, 3, 20000);
    print_message("silent crash at 25%% loss, 24 nodes: dead in all views after %u ms\n",
                  (unsigned)ms);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void cut_halves(struct cluster *c, bool is_cut)
{
    for (uint32_t a = 0; a < c->count / 2; a++) {
        for (uint32_t b = c->count / 2; b < c->count; b++) {
            cut(c, a, b, is_cut);
        }
    }
}

static void a_partition_heals_unattended(void **state)
{
    (void)state;
    const uint32_t sizes[] = {2, 3, 16};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cluster *c = cluster_formed(10, sizes[i], false);
        cut_halves(c, true);
        run_for(c, 60000);
        for (uint32_t n = 0; n < c->count; n++) {
            const uint32_t half = n < c->count / 2 ? c->count / 2 : c->count - c->count / 2;
            assert_int_equal(swim_counts(c->nodes[n].swim).alive, half - 1);
            assert_int_equal(swim_counts(c->nodes[n].swim).dead, c->count - half);
        }
        cut_halves(c, false);
        const uint64_t ms = wait_full(c, 20000);
        print_message("halves of %u: full view %u ms after healing\n", sizes[i], (unsigned)ms);
        c->false_deaths = 0;
        run_for(c, 30000);
        assert_true(is_full(c));
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

static void leaving_is_known_at_once_and_is_no_death(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(11, 12, false);
    run_for(c, 2000);
    swim_leave(c->nodes[5].swim, c->now_us);
    drain(c, 5);
    run_for(c, 10);
    c->nodes[5].is_up = false;
    const uint64_t ms = wait_gone(c, 5, 500);
    print_message("left: known to 11 others after %u ms\n", (unsigned)ms + 10);
    for (uint32_t i = 0; i < c->count; i++) {
        if (i != 5) {
            assert_int_equal(member_of(c, i, 5)->state, MEMBER_LEFT);
            assert_int_equal(c->nodes[i].counters.member_deaths, 0);
            assert_int_equal(swim_counts(c->nodes[i].swim).left, 1);
        }
    }
    (void)wait_full(c, 100);
    cluster_free(c);
}

static void without_datagrams_the_links_carry_membership(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(12);
    c->has_links = true;
    c->has_refusals = false;
    for (uint32_t i = 0; i < 4; i++) {
        (void)cluster_start(c);
        for (uint32_t j = 0; j < i; j++) {
            c->udp_cut[i][j] = c->udp_cut[j][i] = true;
        }
    }
    for (uint32_t i = 1; i < 4; i++) {
        hint(c, i, &c->nodes[0].addr);
    }
    (void)wait_full(c, 5000);
    run_for(c, 120000);
    assert_true(is_full(c));
    assert_int_equal(c->false_deaths, 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(swim_candidates_settled(c->nodes[i].swim));
        assert_int_equal(c->nodes[i].counters.suspicions, 0);
        assert_true(c->nodes[i].vitals_seen > 100);
    }
    kill_node(c, 2);
    print_message("no datagrams: dead after %u ms\n", (unsigned)wait_gone(c, 2, 12000));
    cluster_free(c);
}

static void a_firewall_that_refuses_datagrams_raises_no_suspicion_while_links_work(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(20, 3, true);
    run_for(c, 5000);
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < 3; j++) {
            c->udp_refused[i][j] = i != j;
        }
    }
    run_for(c, 120000);
    assert_true(is_full(c));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(c->nodes[i].counters.suspicions, 0);
    }
    cluster_free(c);
}

static void a_paused_node_accuses_nobody_to_death(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(13, 5, false);
    run_for(c, 2000);
    const uint32_t lengths_ms[] = {300, 1000, 5000, 60000};
    for (size_t i = 0; i < sizeof(lengths_ms) / sizeof(lengths_ms[0]); i++) {
        c->nodes[0].paused_until_us = c->now_us + (uint64_t)lengths_ms[i] * MS;
        c->false_deaths = 0;
        run_until(c, c->nodes[0].paused_until_us - 1);
        c->false_deaths = 0; /* the others may rightly take the paused one for dead */
        const uint64_t deaths = c->nodes[0].counters.member_deaths;
        (void)wait_full(c, 15000);
        assert_int_equal(c->nodes[0].counters.member_deaths, deaths);
        assert_int_equal(c->false_deaths, 0);
    }
    cluster_free(c);
}

static void a_stranger_is_told_once_a_minute_and_changes_nothing(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(14, 2, false);
    const uint64_t digest = swim_digest(c->nodes[0].swim);
    const uint32_t stranger = cluster_start_at(c, 9, "another", "stranger");
    for (uint32_t i = 0; i < 50; i++) {
        hint(c, stranger, &c->nodes[0].addr);
        run_for(c, 1000);
    }
    assert_int_equal(c->nodes[0].strangers, 1);
    assert_true(c->nodes[0].counters.datagrams_stranger > 50);
    assert_int_equal(swim_digest(c->nodes[0].swim), digest);
    assert_int_equal(swim_counts(c->nodes[stranger].swim).alive, 0);
    assert_true(swim_candidates_settled(c->nodes[stranger].swim));
    cluster_free(c);
}

static void each_knows_the_features_of_the_other(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(37);
    c->features = 0x0003;
    (void)cluster_start(c);
    c->features = 0x0006;
    (void)cluster_start(c);
    hint_all(c);
    (void)wait_full(c, 5000);
    assert_int_equal(member_of(c, 0, 1)->features, 0x0006);
    assert_int_equal(member_of(c, 1, 0)->features, 0x0003);
    cluster_free(c);
}

static void garbage_changes_nothing_and_is_counted(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(15, 3, false);
    run_for(c, 2000);
    struct node *n = &c->nodes[0];
    const uint64_t digest = swim_digest(n->swim);
    const uint64_t *refused = &swim_sealing(n->swim)->refused[SEALING_REFUSED_KEY];
    const uint64_t counted = n->counters.datagrams_malformed + n->counters.datagrams_stranger;
    const struct addr from = c->nodes[1].addr;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t data[DATAGRAM_BYTES_MAX + 100];
        const size_t len = (size_t)rng_below(&c->rng, sizeof(data));
        for (size_t b = 0; b < len; b++) {
            data[b] = (uint8_t)rng_next(&c->rng);
        }
        if (len > 4 && i % 2 == 0) {
            data[0] = PROTOCOL_VERSION_MAX;
            data[1] &= 3;
            data[2] = data[3] = 0;
        }
        swim_packet(n->swim, &from, NULL, data, len, c->now_us);
        drain(c, 0);
    }
    assert_int_equal(swim_digest(n->swim), digest);
    assert_int_equal(n->counters.datagrams_malformed + n->counters.datagrams_stranger + *refused -
                         counted,
                     20000);
    assert_int_equal(c->nodes[0].names_twice, 0);
    cluster_free(c);
}

static void a_second_node_of_our_name_is_reported_once(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(16, 2, false);
    const uint32_t twin = cluster_start_at(c, 5, "private", "node-0");
    hint(c, twin, &c->nodes[0].addr);
    (void)wait_full(c, 2000);
    run_for(c, 10000);
    assert_int_equal(c->nodes[0].names_twice, 1);
    assert_int_equal(c->nodes[twin].names_twice, 1);
    assert_int_equal(c->nodes[1].names_twice, 0);
    cluster_free(c);
}

static void on_many_hosts_each_learns_its_address_from_others(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(17);
    c->is_many_hosts = true;
    for (uint32_t i = 0; i < 6; i++) {
        (void)cluster_start(c);
    }
    for (uint32_t i = 1; i < 6; i++) {
        hint(c, i, &c->nodes[0].addr);
    }
    (void)wait_full(c, 5000);
    run_for(c, 5000);
    assert_true(is_full(c));
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t j = 0; j < 6; j++) {
            const struct member *m = member_of(c, i, j);
            struct addr addr;
            assert_true(swim_addr_of(c->nodes[i].swim, m, 0, &addr));
            assert_true(i == j || addr_equal(&addr, &c->nodes[j].addr));
            for (uint32_t a = 0; i != j && a < m->addr_count; a++) {
                const struct member_addr own = member_addr_at(m, a);
                assert_false(addr_is_loopback(&own.addr));
            }
        }
    }
    cluster_free(c);
}

static void a_dead_address_is_dialed_once_unless_loopback_refuses_and_settles(void **state)
{
    (void)state;
    for (int has_refusals = 0; has_refusals <= 1; has_refusals++) {
        struct cluster *c = cluster_new(18);
        c->has_refusals = has_refusals == 1;
        (void)cluster_start(c);
        const struct addr nobody = node_addr(c, 50);
        hint(c, 0, &nobody);
        hint(c, 0, &nobody);
        hint(c, 0, &c->nodes[0].addr); /* our own costs nothing */
        run_for(c, has_refusals == 1 ? 5 : 1000);
        assert_int_equal(c->nodes[0].dials, has_refusals == 1 ? 0 : 1);
        assert_true(swim_candidates_settled(c->nodes[0].swim));
        cluster_free(c);
    }
}

static void a_stale_hello_is_told_of_its_death_and_refutes(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(19, 2, false);
    cut(c, 0, 1, true);
    run_for(c, 20000);
    assert_int_equal(member_of(c, 0, 1)->state, MEMBER_DEAD);
    /* Only TCP comes back. */
    c->tcp_cut[0][1] = c->tcp_cut[1][0] = false;
    struct member *m = NULL;
    struct member_card card;
    member_card(swim_self(c->nodes[1].swim), &card);
    assert_int_equal(swim_meet(c->nodes[0].swim, &card, NULL, c->now_us, &m), RC_STALE);
    assert_ptr_equal(m, member_of(c, 0, 1));
    link_up(c, 0, 1, NULL);
    (void)wait_full(c, 3000);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_nodes_form_within_a_second),
        cmocka_unit_test(a_burst_of_16_reaches_a_full_view),
        cmocka_unit_test(a_newcomer_who_knows_one_learns_all_by_pulling),
        cmocka_unit_test(a_lost_second_look_does_not_spend_the_period_of_pulls),
        cmocka_unit_test(differences_do_not_speed_up_second_looks_while_news_is_expected),
        cmocka_unit_test(a_newcomer_that_was_never_met_ends_by_two_lost_probes_and_not_by_one),
        cmocka_unit_test(a_newcomer_that_others_reach_ends_by_two_lost_probes_and_not_by_one),
        cmocka_unit_test(idle_nodes_send_under_400_bytes_a_second),
        cmocka_unit_test(a_killed_process_is_dead_everywhere_within_800_ms_of_its_refusals),
        cmocka_unit_test(a_killed_process_without_links_is_found_by_refusals),
        cmocka_unit_test(a_silent_crash_is_found_by_the_long_window),
        cmocka_unit_test(a_lost_ping_does_not_put_a_death_off),
        cmocka_unit_test(a_restart_on_the_same_port_replaces_the_old_process),
        cmocka_unit_test(a_false_suspicion_is_refuted),
        cmocka_unit_test(nobody_dies_in_10_minutes_of_25_percent_loss),
        cmocka_unit_test(a_crash_is_found_at_25_percent_loss),
        cmocka_unit_test(a_partition_heals_unattended),
        cmocka_unit_test(leaving_is_known_at_once_and_is_no_death),
        cmocka_unit_test(without_datagrams_the_links_carry_membership),
        cmocka_unit_test(a_firewall_that_refuses_datagrams_raises_no_suspicion_while_links_work),
        cmocka_unit_test(a_paused_node_accuses_nobody_to_death),
        cmocka_unit_test(a_stranger_is_told_once_a_minute_and_changes_nothing),
        cmocka_unit_test(each_knows_the_features_of_the_other),
        cmocka_unit_test(garbage_changes_nothing_and_is_counted),
        cmocka_unit_test(a_second_node_of_our_name_is_reported_once),
        cmocka_unit_test(on_many_hosts_each_learns_its_address_from_others),
        cmocka_unit_test(a_dead_address_is_dialed_once_unless_loopback_refuses_and_settles),
        cmocka_unit_test(a_stale_hello_is_told_of_its_death_and_refutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
