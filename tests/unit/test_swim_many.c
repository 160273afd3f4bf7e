/* How fast news goes among so many that not each asks each. */
#include "gossip/membership/hearsay.h"
#include "swim_cluster.h"

/* News of it goes on at once, and not with the next round of each node that it comes to. */
static void a_death_is_known_to_100_a_moment_after_its_first_observer(void **state)
{
    (void)state;
    enum { MANY = 100 };
    for (uint32_t seed = 1; seed <= 4; seed++) {
        struct cluster *c = cluster_formed(seed, MANY, false);
        run_for(c, 3000);
        kill_node(c, 0);
        uint32_t gone = 0;
        while (gone == 0) {
            run_for(c, 1);
            for (uint32_t i = 1; i < MANY; i++) {
                gone += member_of(c, i, 0)->state == MEMBER_DEAD;
            }
        }
        run_for(c, 20);
        gone = 0;
        for (uint32_t i = 1; i < MANY; i++) {
            gone += member_of(c, i, 0)->state == MEMBER_DEAD;
        }
        print_message("dead to %u of %u after 20 ms more\n", gone, MANY - 1);
        assert_true(gone > MANY / 2);
        (void)wait_gone(c, 0, 400);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

/* Among many, nobody has ever had a datagram from it, as they have not met yet. */
static void a_first_probe_among_many_takes_no_longer_than_another(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct cluster *c = cluster_formed(3, MANY, false);
    run_for(c, 3000);
    c->has_refusals = false;
    for (uint32_t i = 1; i < MANY; i++) {
        member_of(c, i, 0)->is_udp_heard = false;
    }
    kill_node(c, 0);
    uint32_t ms = 0;
    for (uint32_t suspects = 0; suspects == 0; ms++) {
        run_for(c, 1);
        for (uint32_t i = 1; i < MANY; i++) {
            suspects += member_of(c, i, 0)->state == MEMBER_SUSPECT;
        }
    }
    /* Half a second until somebody's turn, and 0.8 s. */
    assert_in_range(ms, 800, 1350);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

/* It is on another host, had a datagram just now and an ack never: so the refusals prove nothing by
 * themselves, and silence takes a probe of 0.8 s. */
static void who_is_refused_where_nothing_was_proven_believes_what_members_say(void **state)
{
    (void)state;
    enum { MANY = 70, MET = 3, AT = 10 };
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_new(seed);
        c->is_many_hosts = true;
        for (uint32_t i = 0; i < MANY; i++) {
            (void)cluster_start(c);
        }
        hint_all(c);
        (void)wait_full(c, 5000);
        run_for(c, 3000);
        struct member *m = member_of(c, AT, 0);
        m->is_proven = false;
        m->heard_us = c->now_us;
        kill_node(c, 0);
        for (uint32_t i = 1; i <= MET; i++) {
            member_of(c, i, 0)->is_proven = true;
            swim_suspect_link(c->nodes[i].swim, member_of(c, i, 0), c->now_us);
            drain(c, i);
        }
        const uint64_t start_us = c->now_us;
        while (m->state != MEMBER_DEAD && c->now_us - start_us < UINT64_C(880) * MS) {
            run_for(c, 1);
        }
        print_message("refused elsewhere: dead after %u ms\n",
                      (unsigned)((c->now_us - start_us) / MS));
        assert_int_equal(m->state, MEMBER_DEAD);
        cluster_free(c);
    }
}

/* Its refutation is heard from others, and its answer to the question whether it is so is lost. */
static void a_suspect_that_seems_to_refute_is_asked_until_it_answers(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(7, 70, false);
    run_for(c, 3000);
    struct swim *s = c->nodes[0].swim;
    struct member *m = member_of(c, 0, 1);
    const struct view_teller teller = {.uuid = &c->nodes[2].uuid};
    uint8_t bytes[CARD_WIRE_MAX];
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    struct member_card card;
    member_card(m, &card);
    card.incarnation++;
    member_card_write(&w, &card);
    const struct entry refutation = {.kind = ENTRY_ALIVE,
                                     .uuid = card.uuid,
                                     .incarnation = card.incarnation,
                                     .addr_count = card.addr_count,
                                     .card = bytes,
                                     .card_len = w.pos};
    view_suspect(s, m, &c->nodes[2].uuid);
    const uint32_t before = m->probe->try_count;
    hearsay_entry(s, &refutation, &teller);
    hearsay_entry(s, &refutation, &teller);
    assert_int_equal(m->probe->try_count, before + 1);
    s->now_us += UINT64_C(100) * MS;
    hearsay_entry(s, &refutation, &teller);
    assert_int_equal(m->probe->try_count, before + 2);
    assert_int_equal(m->state, MEMBER_SUSPECT);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_death_is_known_to_100_a_moment_after_its_first_observer),
        cmocka_unit_test(a_first_probe_among_many_takes_no_longer_than_another),
        cmocka_unit_test(a_suspect_that_seems_to_refute_is_asked_until_it_answers),
        cmocka_unit_test(who_is_refused_where_nothing_was_proven_believes_what_members_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
