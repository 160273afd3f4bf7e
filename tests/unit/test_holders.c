#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/holders.h"
#include "net/out/fetch.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- net/out/fetch, faked: a node on port 1, another program on 2, silence on 3 ---- */

struct fetch {
    struct event *event;
    uint16_t port;
    void (*done)(void *arg, const struct fetch_answer *answer);
    void *arg;
};

static char asked_host[64];
static size_t fetches_open;

static void on_fetch(evutil_socket_t fd, short what, void *arg)
{
    static const char node[] = "{\"status\":\"healthy\",\"node_id\":\"a\","
                               "\"uuid\":\"03000000000000000000000000000000\"}";
    struct fetch *f = arg;
    struct fetch_answer answer = {.rc = RC_TIMEOUT, .error = "no answer"};
    (void)fd;
    (void)what;
    if (f->port <= 2) {
        const char *body = f->port == 1 ? node : "<html>";
        answer = (struct fetch_answer){.rc = RC_OK,
                                       .error = "",
                                       .status = 200,
                                       .body = (const uint8_t *)body,
                                       .body_len = strlen(body)};
    }
    f->done(f->arg, &answer);
    fetch_cancel(f);
}

struct fetch *fetch_start(struct event_base *base, struct dns *dns,
                          const struct fetch_request *request,
                          void (*done)(void *arg, const struct fetch_answer *answer), void *arg)
{
    (void)dns;
    struct fetch *f = calloc(1, sizeof(*f));
    f->done = done;
    f->arg = arg;
    f->port = request->port;
    f->event = evtimer_new(base, on_fetch, f);
    event_active(f->event, EV_TIMEOUT, 0);
    (void)snprintf(asked_host, sizeof(asked_host), "%s", request->host);
    fetches_open++;
    return f;
}

void fetch_cancel(struct fetch *f)
{
    fetches_open--;
    event_free(f->event);
    free(f);
}

/* ---- The holders ---- */

struct seen {
    size_t calls, count;
    struct holder list[HOLDERS_MAX];
};

static void on_done(void *arg, const struct holder *list, size_t count)
{
    struct seen *s = arg;
    s->calls++;
    s->count = count;
    memcpy(s->list, list, count * sizeof(*list));
}

static void each_port_is_told_by_what_answers_there(void **state)
{
    (void)state;
    static const struct addr any = {.port = 0};
    struct seen seen = {0};
    struct event_base *base = event_base_new();
    holders_ask(base, &any, 1, 3, on_done, &seen);
    assert_int_equal(seen.calls, 0);
    event_base_dispatch(base);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.count, 3);
    assert_true(seen.list[0].is_node);
    assert_string_equal(seen.list[0].health.name, "a");
    assert_int_equal(seen.list[0].health.uuid.bytes[0], 3);
    assert_false(seen.list[1].is_node);
    assert_false(seen.list[2].is_node);
    assert_int_equal(seen.list[2].port, 3);
    assert_string_equal(asked_host, "127.0.0.1");
    assert_int_equal(fetches_open, 0);
    event_base_free(base);
}

static void long_range_is_asked_up_to_the_limit(void **state)
{
    (void)state;
    const struct addr bound = addr_v4((const uint8_t[]){127, 0, 0, 9}, 0);
    struct seen seen = {0};
    struct event_base *base = event_base_new();
    holders_ask(base, &bound, 65000, 65535, on_done, &seen);
    event_base_dispatch(base);
    assert_int_equal(seen.count, HOLDERS_MAX);
    assert_string_equal(asked_host, "127.0.0.9");
    event_base_free(base);
}

static void cancelled_question_is_not_heard_of(void **state)
{
    (void)state;
    static const struct addr any = {.port = 0};
    struct seen seen = {0};
    struct event_base *base = event_base_new();
    holders_cancel(holders_ask(base, &any, 1, 3, on_done, &seen));
    event_base_dispatch(base);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(fetches_open, 0);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_port_is_told_by_what_answers_there),
        cmocka_unit_test(long_range_is_asked_up_to_the_limit),
        cmocka_unit_test(cancelled_question_is_not_heard_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
