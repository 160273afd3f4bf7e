#include "load_rig.h"

static uint64_t faults_of(const struct load_rig *rig)
{
    uint64_t count = 0;
    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        count += rig->result.faults[i];
    }
    return count;
}

static void as_many_requests_are_sent_and_counted_as_were_asked_for(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.mix.reads_percent = 50;
    run(&rig, RC_OK);
    const struct load_kind_result *kinds = rig.result.kinds;
    assert_int_equal(kinds[LOAD_GET].answered + kinds[LOAD_PUT].answered, 100);
    assert_int_equal(kinds[LOAD_GET].answered, rig.gets);
    assert_int_equal(kinds[LOAD_PUT].answered, rig.puts);
    assert_true(rig.gets > 20 && rig.puts > 20);
    assert_int_equal(kinds[LOAD_GET].statuses[200], rig.gets);
    assert_int_equal(kinds[LOAD_PUT].statuses[201], rig.puts);
    assert_int_equal(kinds[LOAD_GET].latency_ns.count, rig.gets);
    assert_true(kinds[LOAD_GET].latency_ns.max > 0 && rig.result.elapsed_ns > 0);
    assert_int_equal(rig.accepted, 4);
    assert_int_equal(faults_of(&rig), 0);
    assert_int_equal(rig.result.unanswered, 0);
    assert_int_equal(rig.result.targets[0].answered, 100);
    assert_int_equal(rig.result.bytes_in,
                     rig.gets * strlen(OK_ANSWER) + rig.puts * strlen(CREATED));
    assert_string_equal(rig.result.error, "");
    rig_fini(&rig);
}

static void every_key_is_written_once_before_what_is_measured(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.does_fill = true;
    run(&rig, RC_OK);
    assert_int_equal(rig.puts, 20);
    assert_int_equal(rig.gets, 100);
    assert_int_equal(rig.result.fill_answered, 20);
    assert_int_equal(rig.result.fill_errors, 0);
    assert_int_equal(rig.result.kinds[LOAD_PUT].answered, 0);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100);
    rig_fini(&rig);
}

static void a_warm_up_is_sent_and_not_counted(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.warm_up_ms = 30;
    run(&rig, RC_OK);
    assert_true(rig.gets > 100);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100);
    assert_int_equal(rig.result.kinds[LOAD_GET].latency_ns.count, 100);
    rig_fini(&rig);
}

static void a_pipeline_is_filled_to_its_depth_and_no_further(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.connections = 1;
    rig.config.depth = 16;
    run(&rig, RC_OK);
    assert_int_equal(rig.under_way_max, 16);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100);
    assert_int_equal(rig.accepted, 1);
    rig_fini(&rig);
}

static void a_burst_is_sent_whole_and_the_next_when_it_is_answered(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.connections = 1;
    rig.config.depth = 40;
    rig.config.is_burst = true;
    run(&rig, RC_OK);
    assert_int_equal(rig.under_way_max, 40);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100); /* 40, 40 and 20 */
    assert_int_equal(rig.result.unanswered, 0);
    rig_fini(&rig);
}

static void a_burst_whose_answers_do_not_all_come_is_a_fault_also_at_the_end_of_time(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.mute_after = 54;
    rig.config.connections = 1;
    rig.config.depth = 55;
    rig.config.is_burst = true;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 200;
    rig.config.timeout_ms = 400;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 54);
    assert_int_equal(rig.result.faults[LOAD_FAULT_TIMEOUT], 1);
    assert_int_equal(rig.result.unanswered, 0);
    assert_non_null(strstr(rig.result.error, "1 of 55 answers to a burst did not come in time"));
    rig_fini(&rig);
}

static void a_duration_ends_the_run(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.requests_max = 0;
    rig.config.duration_ms = 40;
    run(&rig, RC_OK);
    assert_true(rig.result.elapsed_ns >= 40000000);
    assert_true(rig.result.kinds[LOAD_GET].answered > 0);
    assert_true(rig.result.unanswered <= 4);
    rig_fini(&rig);
}

static void a_miss_is_an_answer_and_a_refusal_is_an_error(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.get_answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    rig.put_answer = "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n";
    rig.config.mix.reads_percent = 50;
    run(&rig, RC_OK);
    const struct load_kind_result *kinds = rig.result.kinds;
    assert_int_equal(kinds[LOAD_GET].errors, 0);
    assert_int_equal(kinds[LOAD_GET].statuses[404], rig.gets);
    assert_int_equal(kinds[LOAD_GET].latency_ns.count, rig.gets);
    assert_int_equal(kinds[LOAD_PUT].errors, rig.puts);
    assert_int_equal(kinds[LOAD_PUT].statuses[507], rig.puts);
    assert_int_equal(kinds[LOAD_PUT].latency_ns.count, 0);
    assert_int_equal(rig.result.targets[0].errors, rig.puts);
    assert_int_equal(faults_of(&rig), 0);
    rig_fini(&rig);
}

static void a_connection_that_ends_behind_each_answer_is_opened_again(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct load_rig rig;
        rig_init(&rig);
        rig.get_answer = answers[i];
        rig.close_after = 1;
        run(&rig, RC_OK);
        assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100);
        assert_int_equal(rig.gets, 100);
        assert_true(rig.accepted >= 100);
        assert_int_equal(faults_of(&rig), 0);
        rig_fini(&rig);
    }
}

static void what_was_under_way_on_a_closed_connection_has_failed(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.connections = 1;
    rig.config.depth = 10;
    rig.close_after = 3;
    run(&rig, RC_OK);
    /* 100 are issued: of each ten three are answered. */
    assert_int_equal(rig.result.kinds[LOAD_GET].answered + faults_of(&rig), 100);
    assert_true(rig.result.kinds[LOAD_GET].answered > 0);
    assert_true(faults_of(&rig) > 0);
    assert_int_equal(rig.result.targets[0].faults, faults_of(&rig));
    assert_non_null(strstr(rig.result.error, rig.host));
    rig_fini(&rig);
}

static void what_is_not_an_answer_is_malformed(void **state)
{
    (void)state;
    static const char *const answers[] = {"SSH-2.0-OpenSSH\r\n", OK_ANSWER OK_ANSWER,
                                          "HTTP/1.1 700 What\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct load_rig rig;
        rig_init(&rig);
        rig.get_answer = answers[i];
        rig.config.connections = 1;
        rig.config.depth = i == 1 ? 1 : 2;
        rig.config.requests_max = 4;
        run(&rig, RC_OK);
        assert_true(rig.result.faults[LOAD_FAULT_MALFORMED] > 0);
        /* An answer too many counts as a fault of the connection, of no request. */
        assert_true(i != 1 || rig.result.kinds[LOAD_GET].answered == 4);
        rig_fini(&rig);
    }
}

static void a_server_that_is_silent_costs_the_timeout(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.get_answer = NULL;
    rig.config.timeout_ms = 50;
    rig.config.requests_max = 4;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.faults[LOAD_FAULT_TIMEOUT], 4);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 0);
    assert_true(rig.result.elapsed_ns >= 50000000);
    assert_non_null(strstr(rig.result.error, "in time"));
    rig_fini(&rig);
}

static void a_key_space_that_cannot_be_filled_is_given_up(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.put_answer = NULL;
    rig.config.timeout_ms = 50;
    rig.config.does_fill = true;
    run(&rig, RC_REFUSED);
    assert_int_equal(rig.gets, 0);
    assert_int_equal(rig.result.elapsed_ns, 0);
    assert_string_not_equal(rig.result.error, "");
    rig_fini(&rig);
}

static void nobody_there_is_given_up_after_the_timeout(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    const int deaf = hold_deaf_port(&rig.target.addrs[0].port);
    assert_true(deaf >= 0);
    rig.config.timeout_ms = 50;
    run(&rig, RC_REFUSED);
    (void)close(deaf);
    assert_true(rig.result.faults[LOAD_FAULT_CONNECT] >= 4);
    assert_non_null(strstr(rig.result.error, "refused"));
    rig_fini(&rig);
}

static void the_next_address_of_a_server_is_tried(void **state)
{
    (void)state;
    struct load_rig rig;
    static const uint8_t other[4] = {127, 0, 0, 2};
    rig_init(&rig);
    /* Nobody listens there: the server is on 127.0.0.1 alone. */
    rig.target.addrs[1] = rig.target.addrs[0];
    rig.target.addrs[0] = addr_v4(other, rig.target.addrs[1].port);
    rig.target.addr_count = 2;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.kinds[LOAD_GET].answered, 100);
    assert_int_equal(faults_of(&rig), 0);
    rig_fini(&rig);
}

static void connections_are_shared_out_among_servers(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    const struct load_target targets[3] = {rig.target, rig.target, rig.target};
    rig.config.targets = targets;
    rig.config.target_count = 3;
    rig.config.connections = 6;
    run(&rig, RC_OK);
    uint64_t total = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_true(rig.result.targets[i].answered > 0);
        total += rig.result.targets[i].answered;
    }
    assert_int_equal(total, 100);
    assert_int_equal(rig.accepted, 6);
    rig_fini(&rig);
}

static void count_progress(void *arg, const struct load_progress *p)
{
    unsigned *seen = arg;
    seen[p->part]++;
    seen[LOAD_OVER] += p->answered > 0 && p->recent_per_s > 0 && p->recent_max_ns > 0 ? 1 : 0;
}

static void progress_is_reported_while_it_runs(void **state)
{
    (void)state;
    struct load_rig rig;
    unsigned seen[LOAD_OVER + 1] = {0};
    rig_init(&rig);
    rig.config.requests_max = 0;
    rig.config.duration_ms = 100;
    rig.config.progress_ms = 10;
    rig.config.progress = count_progress;
    rig.config.arg = seen;
    run(&rig, RC_OK);
    assert_true(seen[LOAD_MEASURE] > 0 && seen[LOAD_OVER] > 0);
    assert_int_equal(seen[LOAD_FILL], 0);
    rig_fini(&rig);
}

static void interrupt(void *arg, const struct load_progress *p)
{
    (void)arg;
    if (p->answered > 0) {
        (void)raise(SIGINT);
    }
}

static void an_interrupt_ends_it_with_what_was_measured_so_far(void **state)
{
    (void)state;
    struct load_rig rig;
    rig_init(&rig);
    rig.config.requests_max = 0;
    rig.config.duration_ms = 60000;
    rig.config.progress_ms = 10;
    rig.config.progress = interrupt;
    run(&rig, RC_OK);
    assert_true(rig.result.is_interrupted);
    assert_true(rig.result.kinds[LOAD_GET].answered > 0);
    assert_true(rig.result.elapsed_ns > 0 && rig.result.elapsed_ns < 60000000000);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_requests_are_sent_and_counted_as_were_asked_for),
        cmocka_unit_test(every_key_is_written_once_before_what_is_measured),
        cmocka_unit_test(a_warm_up_is_sent_and_not_counted),
        cmocka_unit_test(a_pipeline_is_filled_to_its_depth_and_no_further),
        cmocka_unit_test(a_burst_is_sent_whole_and_the_next_when_it_is_answered),
        cmocka_unit_test(a_burst_whose_answers_do_not_all_come_is_a_fault_also_at_the_end_of_time),
        cmocka_unit_test(a_duration_ends_the_run),
        cmocka_unit_test(a_miss_is_an_answer_and_a_refusal_is_an_error),
        cmocka_unit_test(a_connection_that_ends_behind_each_answer_is_opened_again),
        cmocka_unit_test(what_was_under_way_on_a_closed_connection_has_failed),
        cmocka_unit_test(what_is_not_an_answer_is_malformed),
        cmocka_unit_test(a_server_that_is_silent_costs_the_timeout),
        cmocka_unit_test(a_key_space_that_cannot_be_filled_is_given_up),
        cmocka_unit_test(nobody_there_is_given_up_after_the_timeout),
        cmocka_unit_test(the_next_address_of_a_server_is_tried),
        cmocka_unit_test(connections_are_shared_out_among_servers),
        cmocka_unit_test(progress_is_reported_while_it_runs),
        cmocka_unit_test(an_interrupt_ends_it_with_what_was_measured_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
