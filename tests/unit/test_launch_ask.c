#include "cmd/launch/launch.h"
#include "core/base/units.h"
#include "net/out/fetch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured.h"

enum { NODES = 2, FIRST_PORT = 81, TEXT_SIZE = 8192, TIMEOUT_MS = 5000 };

/* What a node of the test answers: nothing at all where `rc` is not RC_OK. */
struct node {
    enum rc rc;
    int health_status, ready_status;
    const char *health, *peers;
    const char *ready; /* NULL: as `health` */
};

/* A launcher whose nodes are only answers. `asked` says what it asked for, "0/health 1/health ". */
struct rig {
    struct launch launch;
    struct child children[NODES];
    struct node nodes[NODES];
    char asked[TEXT_SIZE];
    char table[TEXT_SIZE];
    char told[TEXT_SIZE]; /* its log, then its table */
    int log_fd;
};

static struct rig rig;

enum rc __wrap_fetch_wait(const struct fetch_request *request,
                          void (*seen)(void *arg, const struct fetch_answer *answer), void *arg);

enum rc __wrap_fetch_wait(const struct fetch_request *request,
                          void (*seen)(void *arg, const struct fetch_answer *answer), void *arg)
{
    const unsigned at = (unsigned)request->port - FIRST_PORT;
    const struct node *node = &rig.nodes[at];
    const bool is_ready = strcmp(request->target, "/readyz") == 0;
    const bool is_peers = strcmp(request->target, "/peers") == 0;
    const char *body = is_peers ? node->peers : node->health;
    body = is_ready && node->ready != NULL ? node->ready : body;
    const struct fetch_answer answer = {.rc = node->rc,
                                        .error = "",
                                        .status =
                                            is_ready ? node->ready_status : node->health_status,
                                        .body = (const uint8_t *)body,
                                        .body_len = strlen(body)};
    const size_t len = strlen(rig.asked);
    assert_string_equal(request->method, "GET");
    assert_string_equal(request->host, rig.launch.host);
    assert_in_range(request->timeout_ms, 200, 500); /* meanwhile no child that has ended is seen */
    (void)snprintf(rig.asked + len, sizeof(rig.asked) - len, "%u%s ", at, request->target);
    seen(arg, &answer);
    return answer.rc;
}

/* Nodes that have formed: each knows the other, and both are ready. */
static int setup(void **state)
{
    static const char *const uuids[NODES] = {"{\"uuid\":\"aa\"}", "{\"uuid\":\"bb\"}"};
    static const char *const peers[NODES] = {
        "{\"peers\":[{\"uuid\":\"bb\",\"state\":\"alive\"}]}",
        "{\"peers\":[{\"uuid\":\"aa\",\"state\":\"alive\"},{\"uuid\":\"x\",\"state\":\"alive\"}]}"};
    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(rig.log_fd >= 0);
    struct launch *l = &rig.launch;
    l->log = log_init(rig.log_fd, LOG_DEBUG, LOG_TEXT);
    l->children = rig.children;
    l->count = NODES;
    l->start_timeout_ms = TIMEOUT_MS;
    l->started_ms = l->ask_at_ms = 1000;
    (void)snprintf(l->host, sizeof(l->host), "127.0.0.1");
    for (unsigned i = 0; i < NODES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n-%u", i);
        child_init(&rig.children[i], name, LOG_TEXT);
        rig.children[i].port = (uint16_t)(FIRST_PORT + i);
        rig.children[i].pid = 4000 + (pid_t)i;
        rig.nodes[i] = (struct node){
            .health_status = 200, .ready_status = 200, .health = uuids[i], .peers = peers[i]};
    }
    formation_init(&l->formation, NODES, false);
    supervisor_init(&l->supervisor, NODES, l->started_ms, l->started_ms + TIMEOUT_MS, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    formation_fini(&rig.launch.formation);
    supervisor_fini(&rig.launch.supervisor);
    (void)close(rig.log_fd);
    return 0;
}

/* Asks at a time; a table goes to the rig. */
static void ask(uint64_t now_ms)
{
    static struct captured shown;
    const size_t len = strlen(rig.table);
    captured_begin(&shown, STDOUT_FILENO);
    launch_ask(&rig.launch, now_ms);
    (void)snprintf(rig.table + len, sizeof(rig.table) - len, "%s", captured_end(&shown));
}

/* Asks until everything of a round was asked, and what it asked for. */
static const char *ask_round(uint64_t now_ms)
{
    rig.asked[0] = '\0';
    for (int i = 0; i <= NODES; i++) {
        ask(now_ms);
    }
    return rig.asked;
}

/* Log lines without their times, and the table behind them. */
static const char *told(void)
{
    char text[TEXT_SIZE];
    size_t len = 0;
    const ssize_t log_len = pread(rig.log_fd, text, sizeof(text) - 1, 0);
    assert_true(log_len >= 0);
    text[log_len] = '\0';
    for (char *rest = text, *line = NULL; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        const char *after = strchr(line, ' ');
        len += (size_t)snprintf(rig.told + len, sizeof(rig.told) - len, "%s\n",
                                after != NULL && *line != '{' ? after + 1 : line);
    }
    (void)snprintf(rig.told + len, sizeof(rig.told) - len, "%s", rig.table);
    return rig.told;
}

static void where_peers_take_a_right_they_are_not_asked_for_and_each_is_asked_how_many_it_sees(
    void **state)
{
    (void)state;
    rig.launch.is_tls = true;
    rig.launch.formation.is_counted = true;
    rig.nodes[0].ready = "{\"alive\":2}";
    rig.nodes[1].ready = "{\"alive\":1}";
    assert_string_equal(ask_round(1000), "0/health 1/health ");
    assert_string_equal(ask_round(3000), "0/readyz 1/readyz ");
    assert_false(rig.launch.supervisor.is_formed); /* the one sees nobody yet */
    assert_int_equal(rig.launch.formation.nodes[1].seen, 0);
    rig.nodes[1].ready = "{\"alive\":3}"; /* somebody of another host too */
    assert_string_equal(ask_round(5000), "1/readyz ");
    assert_true(rig.launch.supervisor.is_formed);
    assert_int_equal(rig.launch.formation.nodes[1].seen, 1);
    assert_string_equal(told(), "info  launch    2 nodes are ready after 4000 ms\n"
                                "NODE  PORT  PID   PEERS  URL\n"
                                "n-0   81    4000  1      https://localhost:81\n"
                                "n-1   82    4001  2      https://localhost:82\n"
                                "sealing: open, so whoever reaches a port can be a member of the "
                                "cluster\n");
}

static void each_is_asked_who_it_is_then_whom_it_sees_then_whether_it_is_ready(void **state)
{
    (void)state;
    ask(999);
    assert_string_equal(rig.asked, "");
    ask(1000);
    assert_string_equal(rig.asked, "0/health "); /* one at a time */
    ask(1001);
    assert_string_equal(rig.asked, "0/health 1/health ");
    ask(1002);
    assert_string_equal(ask_round(2000), "0/peers 1/peers ");
    assert_false(rig.launch.supervisor.is_formed);
    assert_string_equal(told(), "");
    assert_string_equal(ask_round(3000), "0/readyz 1/readyz ");
    assert_true(rig.launch.supervisor.is_formed);
    assert_string_equal(told(), "info  launch    2 nodes are ready after 2000 ms\n"
                                "NODE  PORT  PID   PEERS  URL\n"
                                "n-0   81    4000  1      http://localhost:81\n"
                                "n-1   82    4001  2      http://localhost:82\n"
                                "sealing: open, so whoever reaches a port can be a member of the "
                                "cluster\n");
    assert_int_equal(launch_ask_deadline(&rig.launch), NEVER);
    assert_string_equal(ask_round(4000), "");
}

/* What a node said before is read late: the launcher was busy with asking. */
static void the_table_comes_behind_what_the_nodes_have_said(void **state)
{
    (void)state;
    static const char said[] = "x ready\n";
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    rig.children[1].out_fd = ends[0];
    assert_int_equal(write(ends[1], said, sizeof(said) - 1), sizeof(said) - 1);
    (void)ask_round(2000);
    (void)ask_round(3000);
    (void)ask_round(4000);
    assert_true(rig.launch.is_table_printed);
    const char *line = strstr(told(), "x ready\n");
    assert_non_null(line);
    assert_non_null(strstr(line, "info  launch    2 nodes are ready after"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    rig.children[1].out_fd = -1;
}

static void mixed_and_sealed_are_said_under_the_table(void **state)
{
    (void)state;
    rig.launch.sealing = SEALING_MIXED;
    (void)ask_round(2000);
    (void)ask_round(3000);
    (void)ask_round(4000);
    assert_non_null(strstr(told(), "\nsealing: mixed, so whoever is on the path can still choose"));
}

static void nodes_on_another_address_are_shown_there(void **state)
{
    (void)state;
    (void)snprintf(rig.launch.host, sizeof(rig.launch.host), "::1");
    (void)ask_round(2000);
    (void)ask_round(3000);
    (void)ask_round(4000);
    assert_non_null(strstr(told(), " http://[::1]:82\n"));
}

static void a_json_log_has_a_line_for_each_node_and_no_table(void **state)
{
    (void)state;
    rig.launch.log.format = LOG_JSON;
    (void)ask_round(2000);
    (void)ask_round(3000);
    (void)ask_round(4000);
    const char *text = told();
    assert_non_null(strstr(text, "\"message\":\"2 nodes are ready after 3000 ms\""));
    assert_non_null(strstr(text, "\"message\":\"n-0 has port 81, pid 4000; peers: 1\""));
    assert_non_null(strstr(text, "\"message\":\"n-1 has port 82, pid 4001; peers: 2\""));
    assert_null(strstr(text, "NODE"));
}

static void rounds_become_rare_while_nothing_changes(void **state)
{
    (void)state;
    static const uint64_t gaps[] = {0, 25, 31, 38, 47, 58};
    uint64_t now = 1000, last = 0;
    rig.nodes[1].rc = RC_REFUSED;
    for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        ask(now); /* node 0 is asked only once, as nobody can be judged before all are known */
        if (i == 0) {
            ask(now);
        }
        ask(now);
        assert_int_equal(launch_ask_deadline(&rig.launch), now + gaps[i]);
        now = launch_ask_deadline(&rig.launch);
    }
    assert_string_equal(rig.asked,
                        "0/health 1/health 1/health 1/health 1/health 1/health 1/health ");
    for (int i = 0; i < 40; i++) {
        last = now;
        ask(now);
        ask(now);
        now = launch_ask_deadline(&rig.launch);
    }
    assert_int_equal(now - last, 1000);
    assert_non_null(strstr(told(), "debug launch    n-1 does not answer yet\n"));
    assert_null(strstr(told(), "n-0 does"));
}

static void one_without_a_port_is_not_asked_and_one_that_stops_neither(void **state)
{
    (void)state;
    rig.children[0].port = 0;
    assert_string_equal(ask_round(2000), "1/health ");
    rig.launch.supervisor.is_stopping = true;
    assert_int_equal(launch_ask_deadline(&rig.launch), NEVER);
    assert_string_equal(ask_round(3000), "");
}

static void answers_that_are_none_are_asked_for_again(void **state)
{
    (void)state;
    rig.nodes[0].health_status = 503;
    assert_string_equal(ask_round(2000), "0/health 1/health ");
    rig.nodes[0].health_status = 200;
    assert_string_equal(ask_round(3000), "0/health 1/peers ");
    rig.nodes[0].peers = "nonsense";
    assert_string_equal(ask_round(4000), "0/peers 1/readyz ");
    assert_non_null(strstr(told(), "debug launch    n-0 does not answer yet\n"));
    rig.nodes[0].peers = "{\"peers\":[{\"uuid\":\"bb\",\"state\":\"alive\"}]}";
    assert_string_equal(ask_round(5000), "0/peers ");
    rig.nodes[0].ready_status = 503;
    assert_string_equal(ask_round(6000), "0/readyz ");
    assert_false(rig.launch.is_table_printed);
    rig.nodes[0].ready_status = 200;
    assert_string_equal(ask_round(7000), "0/readyz ");
    assert_true(rig.launch.is_table_printed);
}

static void after_its_time_it_says_once_who_is_missing_and_why(void **state)
{
    (void)state;
    struct formation_node *nodes = rig.launch.formation.nodes;
    rig.launch.log.level = LOG_INFO;
    rig.children[0].port = 0;
    rig.nodes[1].peers = "{\"peers\":[]}";
    (void)ask_round(1000 + TIMEOUT_MS - 1);
    assert_string_equal(told(), "");
    rig.launch.ask_at_ms = 1000 + TIMEOUT_MS; /* a round is due then */
    (void)ask_round(1000 + TIMEOUT_MS);
    assert_string_equal(told(),
                        "warn  launch    the nodes are not all ready after 5 s: n-0 has no port, "
                        "n-1 sees 0 of 1\n");
    (void)ask_round(1000 + 2 * TIMEOUT_MS);
    assert_true(rig.launch.is_late_told);
    assert_null(strstr(strstr(told(), "warn") + 1, "warn"));
    rig.launch.is_late_told = false;
    rig.children[0].port = FIRST_PORT;
    rig.nodes[1].ready_status = 503;
    for (unsigned i = 0; i < NODES; i++) {
        (void)snprintf(nodes[i].uuid, sizeof(nodes[i].uuid), "%u", i);
        nodes[i].sees_all = true;
        nodes[i].seen = 1;
    }
    nodes[0].is_ready = true;
    (void)ask_round(1000 + 4 * TIMEOUT_MS);
    assert_non_null(strstr(told(), "after 5 s: n-1 sees 1 of 1 and is not ready\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_is_asked_who_it_is_then_whom_it_sees_then_whether_it_is_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(
            where_peers_take_a_right_they_are_not_asked_for_and_each_is_asked_how_many_it_sees,
            setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_comes_behind_what_the_nodes_have_said, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mixed_and_sealed_are_said_under_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(nodes_on_another_address_are_shown_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_json_log_has_a_line_for_each_node_and_no_table, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rounds_become_rare_while_nothing_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(one_without_a_port_is_not_asked_and_one_that_stops_neither,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(answers_that_are_none_are_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(after_its_time_it_says_once_who_is_missing_and_why, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
