/* The load generator with a rate (net/load/load.c): requests fall due by the clock, and no stall of
 * a server is left out. */
#include "load_rig.h"

static void a_rate_is_kept_to_by_the_clock(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.requests_max = 51;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    /* The last of them falls due after 50 ms, never earlier. */
    assert_true(rig.result.elapsed_ns >= 50000000);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 51);
    rig_fini(&rig);
}

static void the_least_rate_is_one_a_second(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.requests_max = 2;
    rig.config.rate = 1;
    run(&rig, RC_OK);
    assert_true(rig.result.elapsed_ns >= UINT64_C(1000000000));
    rig_fini(&rig);
}

static void what_waits_for_its_turn_under_a_rate_counts_from_when_it_was_due(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    /* No answer comes, and only one request may be under way. */
    rig.get_answer = NULL;
    rig.config.connections = 1;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 50;
    rig.config.timeout_ms = 100;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    const struct sample *s = &rig.result.kinds[LOAD_GET].latency_ns;
    assert_int_equal(rig.result.faults[LOAD_FAULT_TIMEOUT] + rig.result.unanswered, 1);
    assert_int_equal(rig.result.unsent, 49);
    assert_int_equal(s->count, 50);
    /* The last was due 49 ms after the first, and the time for answers began after 50. */
    assert_true(s->max >= UINT64_C(100000000));
    assert_true(sample_percentile(s, 1) >= UINT64_C(100000000));
    rig_fini(&rig);
}

/* The sum of all times since requests were due, in ms. */
static uint64_t waited_ms(const struct load_rig *rig)
{
    return (rig->result.kinds[LOAD_GET].latency_ns.sum +
            rig->result.kinds[LOAD_PUT].latency_ns.sum) /
           1000000;
}

/* A closed loop sees one slow request for each that was under way. An open one sees as many as fell
 * due: of a thousand a second, a hundred in 100 ms, which wait for 100 ms, 99 and so on. */
static void a_stall_is_counted_for_every_request_that_was_due_in_it(void **state)
{
    (void)state;
    static const struct {
        uint32_t connections, depth;
        bool is_burst;
        uint32_t reads_percent;
    } modes[] = {{1, 1, false, 100}, {4, 1, false, 0},  {1, 16, false, 50},
                 {4, 16, false, 50}, {1, 10, true, 50}, {5, 10, true, 100}};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct load_rig rig;
        rig_init(&rig);
        rig.answer_ms = 0;
        rig.stall_at = 101;
        rig.stall_ms = 100;
        rig.config.connections = modes[i].connections;
        rig.config.depth = modes[i].depth;
        rig.config.is_burst = modes[i].is_burst;
        rig.config.mix.reads_percent = modes[i].reads_percent;
        rig.config.requests_max = 300;
        rig.config.rate = 1000;
        run(&rig, RC_OK);
        const struct load_kind_result *kinds = rig.result.kinds;
        assert_int_equal(kinds[LOAD_GET].answered + kinds[LOAD_PUT].answered, 300);
        assert_int_equal(rig.result.unsent, 0);
        /* 100 + 99 + ... + 1, of which one in a hundred or one burst may just be missed. */
        assert_true(waited_ms(&rig) >= 4900);
        rig_fini(&rig);
    }
}

static void a_stall_of_one_server_is_not_made_up_for_by_another(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    const struct load_target targets[2] = {rig.target, rig.target};
    rig.config.targets = targets;
    rig.config.target_count = 2;
    rig.config.connections = 2;
    rig.config.requests_max = 400;
    rig.config.rate = 1000;
    rig.answer_ms = 0;
    rig.hold_until_us = own_clock_us + 200000;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.targets[0].answered, 200);
    assert_int_equal(rig.result.targets[1].answered, 200);
    /* Of 500 a second, 100 in 200 ms: 200 + 198 + ... + 2. */
    assert_true(waited_ms(&rig) >= 9900);
    rig_fini(&rig);
}

static void a_stall_at_the_end_is_waited_for(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.answer_ms = 0;
    rig.stall_at = 151;
    rig.stall_ms = 500;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 200;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 200);
    assert_int_equal(rig.result.unsent + rig.result.unanswered, 0);
    /* The last 50 wait for 500 ms, 499, and so on to 451. */
    assert_true(waited_ms(&rig) >= 23700);
    assert_true(rig.result.elapsed_ns >= UINT64_C(600000000));
    rig_fini(&rig);
}

static void what_never_gets_an_answer_counts_with_the_time_that_it_waited(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.answer_ms = 0;
    rig.mute_after = 100;
    rig.config.mix.reads_percent = 25;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 200;
    rig.config.timeout_ms = 300;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    const struct load_kind_result *kinds = rig.result.kinds;
    const uint64_t timed_out = rig.result.faults[LOAD_FAULT_TIMEOUT];
    assert_int_equal(kinds[LOAD_GET].answered + kinds[LOAD_PUT].answered, 100);
    assert_int_equal(timed_out + rig.result.unsent + rig.result.unanswered, 100);
    assert_true(timed_out > 0 && rig.result.unsent > 0);
    assert_int_equal(kinds[LOAD_GET].latency_ns.count + kinds[LOAD_PUT].latency_ns.count, 200);
    /* As the mix would have drawn them. */
    assert_true(kinds[LOAD_PUT].latency_ns.count > kinds[LOAD_GET].latency_ns.count);
    assert_true(waited_ms(&rig) >= 30000);
    rig_fini(&rig);
}

static void a_time_is_kept_when_all_that_was_due_is_answered_before(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.answer_ms = 0;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 300;
    rig.config.rate = 10;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 3);
    assert_true(rig.result.elapsed_ns >= UINT64_C(300000000));
    rig_fini(&rig);
}

static void bursts_leave_by_the_clock_with_a_rate(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.answer_ms = 0;
    rig.config.connections = 1;
    rig.config.depth = 20;
    rig.config.is_burst = true;
    rig.config.requests_max = 70;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    assert_int_equal(rig.under_way_max, 20);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 70); /* at 0, 20, 40 and 60 ms */
    assert_true(rig.result.elapsed_ns >= UINT64_C(60000000));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_kept_to_by_the_clock),
        cmocka_unit_test(the_least_rate_is_one_a_second),
        cmocka_unit_test(what_waits_for_its_turn_under_a_rate_counts_from_when_it_was_due),
        cmocka_unit_test(a_stall_is_counted_for_every_request_that_was_due_in_it),
        cmocka_unit_test(a_stall_of_one_server_is_not_made_up_for_by_another),
        cmocka_unit_test(a_stall_at_the_end_is_waited_for),
        cmocka_unit_test(what_never_gets_an_answer_counts_with_the_time_that_it_waited),
        cmocka_unit_test(a_time_is_kept_when_all_that_was_due_is_answered_before),
        cmocka_unit_test(bursts_leave_by_the_clock_with_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
