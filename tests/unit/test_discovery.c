#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/discovery.h"
#include "net/out/fetch.h"
#include "own_clock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_S = 10, ADDRS_MAX = 64 };

/* ---- The Flux API, faked in net/out/fetch's place ---- */

struct fetch {
    struct event *event;
    void (*done)(void *arg, const struct fetch_answer *answer);
    void *arg;
};

static struct fetch_answer flux_answer;
static char flux_target[256];
static size_t flux_asked;
static bool is_flux_silent;
static bool is_flux_request_refused; /* by fetch, which cannot make it */

static void on_fetch(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *f = arg;
    (void)fd;
    (void)what;
    f->done(f->arg, &flux_answer);
    fetch_cancel(f);
}

struct fetch *fetch_start(struct event_base *base, struct dns *dns,
                          const struct fetch_request *request,
                          void (*done)(void *arg, const struct fetch_answer *answer), void *arg)
{
    (void)dns;
    if (is_flux_request_refused) {
        return NULL;
    }
    struct fetch *f = calloc(1, sizeof(*f));
    f->done = done;
    f->arg = arg;
    f->event = evtimer_new(base, on_fetch, f);
    flux_asked++;
    (void)snprintf(flux_target, sizeof(flux_target), "%s:%u%s", request->host, request->port,
                   request->target);
    if (!is_flux_silent) {
        event_active(f->event, EV_TIMEOUT, 0);
    }
    return f;
}

void fetch_cancel(struct fetch *f)
{
    event_free(f->event);
    free(f);
}

/* ---- A node around the discovery ---- */

struct scene {
    struct event_base *base;
    struct node_config node;
    struct node_hooks hooks;
    struct discovery *discovery;
    struct addr known; /* this node's own; port 0 none */
    struct addr candidates[ADDRS_MAX];
    size_t candidate_count, passes, warnings, infos;
    size_t passes_wanted;
    bool is_in_company;
    bool have_all_answered; /* as of the last pass */
    char line[512];         /* the last warning */
};

__attribute__((format(printf, 4, 5))) static void on_log(void *arg, enum log_level level,
                                                         const char *event, const char *format, ...)
{
    struct scene *s = arg;
    va_list args;
    (void)event;
    if (level >= LOG_WARN) {
        va_start(args, format);
        (void)vsnprintf(s->line, sizeof(s->line), format, args);
        va_end(args);
    }
    s->warnings += level >= LOG_WARN;
    s->infos += level == LOG_INFO;
}

static bool on_knows(void *arg, const struct addr *addr)
{
    const struct scene *s = arg;
    return addr_equal(&s->known, addr);
}

static void on_candidate(void *arg, const struct addr *addr)
{
    struct scene *s = arg;
    if (s->candidate_count < ADDRS_MAX) {
        s->candidates[s->candidate_count] = *addr;
    }
    s->candidate_count++;
}

static void on_pass_done(void *arg, bool have_all_answered)
{
    struct scene *s = arg;
    s->have_all_answered = have_all_answered;
    if (++s->passes >= s->passes_wanted) {
        event_base_loopbreak(s->base);
    }
}

static bool on_is_alone(void *arg)
{
    const struct scene *s = arg;
    return !s->is_in_company;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    own_clock_is_skipping = true;
    s->base = event_base_new();
    s->passes_wanted = 1;
    s->node.base_port = 38081;
    s->node.max_ports = 3;
    (void)snprintf(s->node.discovery_domain, NODE_TEXT_SIZE, "127.0.0.1");
    s->node.flux_api =
        (struct node_flux_api){.server = {.host = "api.example", .port = 443}, .is_tls = true};
    (void)snprintf(s->node.flux_app, NODE_TEXT_SIZE, "fade");
    s->hooks = (struct node_hooks){.arg = s, .log = on_log};
    flux_asked = 0;
    is_flux_silent = false;
    is_flux_request_refused = false;
    flux_answer = (struct fetch_answer){.rc = RC_REFUSED, .error = "refused"};
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    discovery_free(s->discovery);
    event_base_free(s->base);
    free(s);
    return 0;
}

static void run(struct scene *s, size_t passes)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    s->passes_wanted = passes;
    event_base_loopexit(s->base, &patience);
    event_base_dispatch(s->base);
    assert_int_equal(s->passes, passes);
}

static void start(struct scene *s)
{
    const struct discovery_config config = {.base = s->base,
                                            .node = &s->node,
                                            .hooks = &s->hooks,
                                            .seed = 1,
                                            .arg = s,
                                            .knows = on_knows,
                                            .candidate = on_candidate,
                                            .pass_done = on_pass_done,
                                            .is_alone = on_is_alone};
    s->discovery = discovery_new(&config);
}

static bool has(const struct scene *s, const char *ip, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(ip, port, &addr), RC_OK);
    for (size_t i = 0; i < s->candidate_count; i++) {
        if (addr_equal(&s->candidates[i], &addr)) {
            return true;
        }
    }
    return false;
}

static void port_range_names_every_port_but_known_ones(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_PORT_RANGE;
    assert_int_equal(addr_parse_ip("127.0.0.1", 38082, &s->known), RC_OK);
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 2);
    assert_true(has(s, "127.0.0.1", 38081));
    assert_true(has(s, "127.0.0.1", 38083));
}

static void localhost_is_asked_once_per_port(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_PORT_RANGE;
    (void)snprintf(s->node.discovery_domain, NODE_TEXT_SIZE, "localhost");
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 3);
    assert_false(has(s, "::1", 38081));
}

static void loopback_stands_for_the_address_that_the_node_is_bound_to(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_PORT_RANGE | PROVIDER_STATIC;
    s->node.peer_count = 2;
    s->node.peers[0] = (struct node_peer){.host = "127.0.1.1", .port = 9001};
    s->node.peers[1] = (struct node_peer){.host = "192.0.2.1", .port = 9002};
    assert_int_equal(addr_parse_ip("10.0.0.5", 0, &s->node.bind), RC_OK);
    (void)snprintf(s->node.discovery_domain, NODE_TEXT_SIZE, "localhost");
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 5);
    assert_true(has(s, "10.0.0.5", 38081));
    assert_true(has(s, "10.0.0.5", 9001));
    assert_true(has(s, "192.0.2.1", 9002));
}

static void node_bound_to_loopback_is_told_others_of_it_as_they_were_named(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_PORT_RANGE | PROVIDER_STATIC;
    s->node.peer_count = 1;
    s->node.peers[0] = (struct node_peer){.host = "127.0.0.3", .port = 9001};
    assert_int_equal(addr_parse_ip("127.0.0.2", 0, &s->node.bind), RC_OK);
    start(s);
    run(s, 1);
    assert_true(has(s, "127.0.0.2", 38081));
    assert_true(has(s, "127.0.0.3", 9001));
}

static void node_bound_to_ipv6_asks_localhost_there(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_PORT_RANGE;
    assert_int_equal(addr_parse_ip("::1", 0, &s->node.bind), RC_OK);
    (void)snprintf(s->node.discovery_domain, NODE_TEXT_SIZE, "localhost");
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 3);
    assert_true(has(s, "::1", 38081));
}

static void dns_names_the_domain_on_one_port(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_DNS;
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 1);
    assert_true(has(s, "127.0.0.1", 38081));
}

static void static_names_each_peer_on_its_own_port(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_STATIC;
    s->node.peer_count = 2;
    s->node.peers[0] = (struct node_peer){.host = "192.0.2.1", .port = 9001};
    s->node.peers[1] = (struct node_peer){.host = "2001:db8::1", .port = 9002};
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 2);
    assert_true(has(s, "192.0.2.1", 9001));
    assert_true(has(s, "2001:db8::1", 9002));
}

static void flux_names_every_instance_times_the_range(void **state)
{
    struct scene *s = *state;
    static const char body[] = "{\"status\":\"success\",\"data\":[{\"ip\":\"192.0.2.1:16127\"},"
                               "{\"ip\":\"192.0.2.2\"}]}";
    flux_answer = (struct fetch_answer){.rc = RC_OK,
                                        .error = "",
                                        .status = 200,
                                        .body = (const uint8_t *)body,
                                        .body_len = sizeof(body) - 1};
    s->node.providers = PROVIDER_FLUX;
    start(s);
    run(s, 1);
    assert_string_equal(flux_target, "api.example:443/apps/location/fade");
    assert_int_equal(s->candidate_count, 6);
    assert_true(has(s, "192.0.2.2", 38083));
}

static void flux_is_not_asked_again_while_its_list_is_fresh(void **state)
{
    struct scene *s = *state;
    static const char body[] = "{\"status\":\"success\",\"data\":[{\"ip\":\"192.0.2.1\"}]}";
    flux_answer = (struct fetch_answer){.rc = RC_OK,
                                        .error = "",
                                        .status = 200,
                                        .body = (const uint8_t *)body,
                                        .body_len = sizeof(body) - 1};
    s->node.providers = PROVIDER_FLUX;
    start(s);
    run(s, 2);
    assert_int_equal(flux_asked, 1);
    assert_int_equal(s->candidate_count, 6);
    assert_int_equal(s->infos, 1);
}

static void failure_is_told_once_and_does_not_stop_other_providers(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_FLUX | PROVIDER_PORT_RANGE;
    start(s);
    run(s, 2);
    assert_int_equal(s->candidate_count, 6);
    assert_int_equal(s->warnings, 1);
    assert_int_equal(flux_asked, 2);
    assert_int_equal(discovery_stats(s->discovery).passes, 2);
    assert_int_equal(discovery_stats(s->discovery).failures, 2);
}

static void say_flux(const char *body)
{
    flux_answer = (struct fetch_answer){.rc = RC_OK,
                                        .error = "",
                                        .status = 200,
                                        .body = (const uint8_t *)body,
                                        .body_len = strlen(body)};
}

static void who_fails_has_not_answered_until_it_has(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_FLUX | PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    assert_false(s->have_all_answered);
    say_flux("<html>502</html>");
    run(s, 2);
    assert_false(s->have_all_answered);
    flux_answer.status = 500;
    run(s, 3);
    assert_false(s->have_all_answered);
    say_flux("{\"status\":\"success\",\"data\":[{\"ip\":null}]}");
    run(s, 4);
    assert_false(s->have_all_answered);
    say_flux("{\"status\":\"success\",\"data\":[]}");
    run(s, 5);
    assert_true(s->have_all_answered);
    discovery_warn(s->discovery);
    assert_int_equal(s->warnings, 4); /* one for each failure */
}

static void going_on_without_a_provider_is_said_in_one_line(void **state)
{
    struct scene *s = *state;
    s->node.providers = PROVIDER_FLUX | PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    assert_int_equal(s->warnings, 1);
    discovery_warn(s->discovery);
    assert_int_equal(s->warnings, 2);
    assert_string_equal(
        s->line, "going on without flux, which has not said who is there: api.example: refused");
}

static void request_that_cannot_be_made_is_a_failure(void **state)
{
    struct scene *s = *state;
    is_flux_request_refused = true;
    s->node.providers = PROVIDER_FLUX;
    start(s);
    run(s, 1);
    assert_false(s->have_all_answered);
    assert_int_equal(discovery_stats(s->discovery).failures, 1);
    discovery_warn(s->discovery);
    assert_non_null(strstr(s->line, "the request cannot be made"));
}

/* Or this would take longer than our patience. */
static void failure_is_asked_again_soon_also_in_company(void **state)
{
    struct scene *s = *state;
    s->is_in_company = true;
    s->node.providers = PROVIDER_FLUX;
    start(s);
    run(s, 4);
    assert_int_equal(flux_asked, 4);
}

static void provider_that_is_silent_does_not_hold_up_the_first_pass(void **state)
{
    struct scene *s = *state;
    is_flux_silent = true;
    s->node.providers = PROVIDER_FLUX | PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    assert_int_equal(s->candidate_count, 3);
    assert_false(s->have_all_answered);
    assert_int_equal(discovery_stats(s->discovery).failures, 1);
}

static void pass_without_providers_is_over_too(void **state)
{
    struct scene *s = *state;
    start(s);
    assert_int_equal(s->passes, 0);
    run(s, 1);
    assert_true(s->have_all_answered);
    assert_int_equal(s->candidate_count, 0);
}

static void node_that_loses_its_company_asks_soon(void **state)
{
    struct scene *s = *state;
    s->is_in_company = true;
    s->node.providers = PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    s->is_in_company = false;
    discovery_hurry(s->discovery);
    run(s, 2); /* else in 24 s at the earliest, past our patience */
}

/* Runs one more pass, and how long after the one before it came, in milliseconds. */
static uint64_t next_pause_ms(struct scene *s)
{
    const uint64_t before_us = own_clock_us;
    const size_t passes = s->passes;
    while (s->passes == passes) {
        assert_int_equal(event_base_loop(s->base, EVLOOP_ONCE), 0);
    }
    return (own_clock_us - before_us) / 1000;
}

static void who_is_alone_asks_often_at_first_and_who_has_company_rarely(void **state)
{
    struct scene *s = *state;
    static const uint64_t pauses_ms[] = {1000, 2000, 4000, 5000, 5000};
    s->node.providers = PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        const uint64_t pause_ms = next_pause_ms(s);
        assert_in_range(pause_ms, pauses_ms[i] * 8 / 10, pauses_ms[i] * 12 / 10 + 10);
    }
    s->is_in_company = true;
    (void)next_pause_ms(s);
    assert_in_range(next_pause_ms(s), 24000, 36010);
}

static void who_should_know_others_says_that_nobody_answers(void **state)
{
    struct scene *s = *state;
    char text[ALONE_TEXT_SIZE];
    s->node.providers = PROVIDER_PORT_RANGE;
    s->node.has_siblings = true;
    assert_int_equal(addr_parse_ip("127.0.0.1", 38082, &s->known), RC_OK);
    (void)snprintf(s->node.network, sizeof(s->node.network), "private");
    start(s);
    run(s, 2);
    assert_false(discovery_is_alone(s->discovery, text));
    assert_int_equal(s->warnings, 0);
    for (int i = 0; i < 4 && s->warnings == 0; i++) {
        (void)next_pause_ms(s);
    }
    assert_int_equal(s->warnings, 1);
    assert_string_equal(s->line, "alone: asked 2 addresses, none of network \"private\" answered");
    assert_true(discovery_is_alone(s->discovery, text));
    assert_string_equal(text, s->line);
    s->is_in_company = true;
    assert_false(discovery_is_alone(s->discovery, text));
}

/* The others may have gone first. */
static void who_is_to_end_asks_nobody_and_is_not_said_to_be_alone(void **state)
{
    struct scene *s = *state;
    char text[ALONE_TEXT_SIZE];
    s->node.providers = PROVIDER_PORT_RANGE;
    s->node.has_siblings = true;
    start(s);
    run(s, 1);
    while (s->warnings == 0) {
        (void)next_pause_ms(s);
    }
    assert_true(discovery_is_alone(s->discovery, text));
    discovery_stop(s->discovery);
    assert_false(discovery_is_alone(s->discovery, text));
    s->is_in_company = true;
    discovery_hurry(s->discovery);
    const size_t passes = s->passes;
    assert_int_equal(event_base_dispatch(s->base), 0); /* up to the end of run()'s patience */
    assert_int_equal(s->passes, passes);
}

static void a_lone_node_that_only_asks_its_own_host_says_nothing(void **state)
{
    struct scene *s = *state;
    char text[ALONE_TEXT_SIZE];
    s->node.providers = PROVIDER_PORT_RANGE;
    start(s);
    run(s, 1);
    for (int i = 0; i < 6; i++) {
        (void)next_pause_ms(s);
    }
    assert_false(discovery_is_alone(s->discovery, text));
    assert_int_equal(s->warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(port_range_names_every_port_but_known_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(localhost_is_asked_once_per_port, setup, teardown),
        cmocka_unit_test_setup_teardown(loopback_stands_for_the_address_that_the_node_is_bound_to,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            node_bound_to_loopback_is_told_others_of_it_as_they_were_named, setup, teardown),
        cmocka_unit_test_setup_teardown(node_bound_to_ipv6_asks_localhost_there, setup, teardown),
        cmocka_unit_test_setup_teardown(dns_names_the_domain_on_one_port, setup, teardown),
        cmocka_unit_test_setup_teardown(static_names_each_peer_on_its_own_port, setup, teardown),
        cmocka_unit_test_setup_teardown(flux_names_every_instance_times_the_range, setup, teardown),
        cmocka_unit_test_setup_teardown(flux_is_not_asked_again_while_its_list_is_fresh, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failure_is_told_once_and_does_not_stop_other_providers,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(who_fails_has_not_answered_until_it_has, setup, teardown),
        cmocka_unit_test_setup_teardown(going_on_without_a_provider_is_said_in_one_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(request_that_cannot_be_made_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(failure_is_asked_again_soon_also_in_company, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(provider_that_is_silent_does_not_hold_up_the_first_pass,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(pass_without_providers_is_over_too, setup, teardown),
        cmocka_unit_test_setup_teardown(node_that_loses_its_company_asks_soon, setup, teardown),
        cmocka_unit_test_setup_teardown(who_should_know_others_says_that_nobody_answers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_to_end_asks_nobody_and_is_not_said_to_be_alone,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_lone_node_that_only_asks_its_own_host_says_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_alone_asks_often_at_first_and_who_has_company_rarely,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
