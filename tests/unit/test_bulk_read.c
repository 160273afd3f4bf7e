#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/bulk_read.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    struct event_base *base;
    struct bufferevent *bev;
    int other;
    bool is_ended;
};

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct pair *p = arg;
    (void)bev;
    p->is_ended = (what & BEV_EVENT_EOF) != 0;
}

static int setup(void **state)
{
    static struct pair pair;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    pair = (struct pair){.base = event_base_new(), .other = ends[1]};
    pair.bev = bufferevent_socket_new(pair.base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(pair.bev, NULL, NULL, on_event, &pair);
    bufferevent_enable(pair.bev, EV_READ);
    *state = &pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    bufferevent_free(p->bev);
    event_base_free(p->base);
    if (p->other >= 0) {
        close(p->other);
    }
    return 0;
}

static void what_waits_is_read_in_few_pieces_and_in_order(void **state)
{
    struct pair *p = *state;
    static uint8_t sent[100000], got[100000];
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (uint8_t)(i % 251);
    }
    assert_int_equal(send(p->other, sent, sizeof(sent), 0), sizeof(sent));
    event_base_loop(p->base, EVLOOP_ONCE); /* the bufferevent's own part, which comes first */
    struct evbuffer *in = bufferevent_get_input(p->bev);
    assert_int_equal(evbuffer_get_length(in), BULK_READ_SIGN);
    int pieces = 0;
    for (size_t len = 1; len > 0; pieces++) {
        const size_t before = evbuffer_get_length(in);
        len = bulk_read(p->bev);
        assert_true(len <= BULK_READ_TURN_MAX / 4);
        assert_int_equal(evbuffer_get_length(in), before + len);
    }
    assert_true(pieces <= 8);
    assert_int_equal(evbuffer_remove(in, got, sizeof(got)), sizeof(got));
    assert_memory_equal(got, sent, sizeof(sent));
}

static void bufferevent_goes_on_reading_and_tells_the_end_itself(void **state)
{
    struct pair *p = *state;
    struct evbuffer *in = bufferevent_get_input(p->bev);
    assert_int_equal(bulk_read(p->bev), 0);
    assert_int_equal(send(p->other, "a", 1, 0), 1);
    assert_int_equal(bulk_read(p->bev), 1);
    assert_int_equal(send(p->other, "b", 1, 0), 1);
    event_base_loop(p->base, EVLOOP_NONBLOCK);
    assert_int_equal(evbuffer_get_length(in), 2);
    assert_memory_equal(evbuffer_pullup(in, 2), "ab", 2);
    assert_int_equal(close(p->other), 0);
    p->other = -1;
    assert_int_equal(bulk_read(p->bev), 0);
    assert_false(p->is_ended);
    event_base_loop(p->base, EVLOOP_NONBLOCK);
    assert_true(p->is_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_waits_is_read_in_few_pieces_and_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bufferevent_goes_on_reading_and_tells_the_end_itself, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
