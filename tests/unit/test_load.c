#include "net/load/load.h"
#include "own_clock.h"
#include "patience.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

enum { CLIENTS_MAX = 64, DESCRIPTORS = 1024 };

/* A server on the run's own loop. It answers each request, and looks only for the method and the
 * end of the head: values are empty here. The clock is the test's own: each answer takes a
 * millisecond. */
struct rig {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *clients[CLIENTS_MAX]; /* NULL where it is gone */
    size_t client_count;
    const char *get_answer; /* NULL: none, ever */
    const char *put_answer;
    uint32_t mute_after;  /* answers no more than so many, in all; 0: all */
    uint32_t close_after; /* ends the connection behind the n-th request of it; 0: never */
    unsigned accepted, gets, puts;
    unsigned under_way_max; /* requests that came in one piece */
    struct load_target target;
    char host[32];
    struct load_config config;
    struct load_result result;
};

static void drop(struct rig *rig, struct bufferevent *bev)
{
    for (size_t i = 0; i < rig->client_count; i++) {
        if (rig->clients[i] == bev) {
            rig->clients[i] = NULL;
        }
    }
    bufferevent_free(bev);
}

static void on_flushed(struct bufferevent *bev, void *arg)
{
    drop(arg, bev);
}

static void answer(struct rig *rig, struct bufferevent *bev, bool is_put)
{
    const char *text = is_put ? rig->put_answer : rig->get_answer;
    rig->puts += is_put ? 1 : 0;
    rig->gets += is_put ? 0 : 1;
    own_clock_pass_ms(1);
    if (text != NULL && (rig->mute_after == 0 || rig->gets + rig->puts <= rig->mute_after)) {
        (void)bufferevent_write(bev, text, strlen(text));
    }
}

static void on_requests(struct bufferevent *bev, void *arg)
{
    struct rig *rig = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    unsigned count = 0;
    for (;;) {
        const struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
        uint8_t first = 0;
        if (end.pos < 0) {
            break;
        }
        (void)evbuffer_copyout(in, &first, 1);
        (void)evbuffer_drain(in, (size_t)end.pos + 4);
        answer(rig, bev, first == 'P');
        if (++count == rig->close_after) {
            bufferevent_setcb(bev, NULL, on_flushed, NULL, rig);
            if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
                drop(rig, bev);
            }
            return;
        }
    }
    rig->under_way_max = count > rig->under_way_max ? count : rig->under_way_max;
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        drop(arg, bev);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
                      int sa_len, void *arg)
{
    struct rig *rig = arg;
    (void)listener;
    (void)sa;
    (void)sa_len;
    struct bufferevent *bev = bufferevent_socket_new(rig->base, fd, BEV_OPT_CLOSE_ON_FREE);
    rig->accepted++;
    bufferevent_setcb(bev, on_requests, NULL, on_gone, rig);
    (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (i == rig->client_count || rig->clients[i] == NULL) {
            rig->clients[i] = bev;
            rig->client_count += i == rig->client_count ? 1 : 0;
            return;
        }
    }
}

/* By default: 100 GETs over 4 connections, no fill. */
static void rig_init(struct rig *rig)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    (void)signal(SIGPIPE, SIG_IGN);
    *rig = (struct rig){.get_answer = OK_ANSWER, .put_answer = CREATED, .base = event_base_new()};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rig->listener = evconnlistener_new_bind(rig->base, on_accept, rig, LEV_OPT_CLOSE_ON_FREE, 128,
                                            (const struct sockaddr *)&sin, sizeof(sin));
    assert_non_null(rig->listener);
    assert_int_equal(
        getsockname(evconnlistener_get_fd(rig->listener), (struct sockaddr *)&sin, &len), 0);
    (void)snprintf(rig->host, sizeof(rig->host), "127.0.0.1:%u", ntohs(sin.sin_port));
    rig->target = (struct load_target){
        .addrs = {addr_v4(loopback, ntohs(sin.sin_port))}, .addr_count = 1, .host = rig->host};
    rig->config = (struct load_config){
        .base = rig->base,
        .targets = &rig->target,
        .target_count = 1,
        .mix = {.prefix = "k-", .key_count = 20, .reads_percent = 100, .seed = 1},
        .connections = 4,
        .depth = 1,
        .requests_max = 100,
        .timeout_ms = 5000,
    };
}

static void rig_fini(struct rig *rig)
{
    load_result_fini(&rig->result);
    for (size_t i = 0; i < rig->client_count; i++) {
        if (rig->clients[i] != NULL) {
            bufferevent_free(rig->clients[i]);
        }
    }
    if (rig->listener != NULL) {
        evconnlistener_free(rig->listener);
    }
    event_base_free(rig->base);
}

/* Descriptors that are open. */
static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

/* Nothing of a run is left, but for the server's ends of connections that it has not seen close. */
static void run(struct rig *rig, enum rc expected)
{
    const int before = open_count();
    assert_int_equal(load_run(&rig->config, &rig->result), expected);
    int served = 0;
    for (size_t i = 0; i < rig->client_count; i++) {
        served += rig->clients[i] != NULL ? 1 : 0;
    }
    assert_int_equal(open_count(), before + served);
}

static uint64_t faults_of(const struct rig *rig)
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
    rig_init(&rig);
    rig.config.requests_max = 0;
    rig.config.duration_ms = 40;
    run(&rig, RC_OK);
    assert_true(rig.result.elapsed_ns >= 40000000);
    assert_true(rig.result.kinds[LOAD_GET].answered > 0);
    assert_true(rig.result.unanswered <= 4);
    rig_fini(&rig);
}

static void a_rate_is_kept_to_by_the_clock(void **state)
{
    (void)state;
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
    rig_init(&rig);
    /* No answer comes, and only one request may be under way. */
    rig.get_answer = NULL;
    rig.config.connections = 1;
    rig.config.requests_max = 0;
    rig.config.duration_ms = 50;
    rig.config.rate = 1000;
    run(&rig, RC_OK);
    assert_int_equal(rig.result.unanswered, 1);
    assert_true(rig.result.unsent >= 49);
    rig_fini(&rig);
}

static void a_miss_is_an_answer_and_a_refusal_is_an_error(void **state)
{
    (void)state;
    struct rig rig;
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
        struct rig rig;
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
    struct rig rig;
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
        struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
    struct rig rig;
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
        cmocka_unit_test(a_rate_is_kept_to_by_the_clock),
        cmocka_unit_test(the_least_rate_is_one_a_second),
        cmocka_unit_test(what_waits_for_its_turn_under_a_rate_counts_from_when_it_was_due),
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
