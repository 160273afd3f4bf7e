/* What the failure detector counts of a member that falls silent. */
#include "gossip/membership/detector.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_is_answered_is_sent_and_not_failed),
        cmocka_unit_test(one_that_is_not_asks_both_others_once_and_fails_with_the_suspicion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
