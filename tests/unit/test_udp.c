#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/wire/outbox.h"
#include "net/discovery/claim.h"
#include "net/link/udp.h"
#include "net/sys/sockaddr.h"
#include "patience.h"

#include <event2/event.h>
#include <string.h>

/* Datagrams that the loop brought; the test asserts outside of it. */
struct seen {
    struct event_base *base;
    size_t datagrams, refusals;
    struct addr from, refused;
    uint8_t data[DATAGRAM_BYTES_MAX];
    size_t len;
};

static void on_datagram(void *arg, const struct addr *from, const uint8_t *data, size_t len)
{
    struct seen *s = arg;
    s->datagrams++;
    s->from = *from;
    s->len = len;
    memcpy(s->data, data, len);
    event_base_loopbreak(s->base);
}

static void on_refused(void *arg, const struct addr *addr)
{
    struct seen *s = arg;
    s->refusals++;
    s->refused = *addr;
    event_base_loopbreak(s->base);
}

static void run(struct event_base *base)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    event_base_loopexit(base, &patience);
    event_base_dispatch(base);
}

/* A socket as a claim makes it; returns its loopback address. */
static int open_udp(const struct addr *bind, struct addr *ret_at)
{
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_port(bind, 0, &claim, &failure), RC_OK);
    *ret_at = addr_v4((const uint8_t[]){127, 0, 0, 1}, claim.port);
    const int fd = claim.udp_fd;
    claim.udp_fd = -1;
    claim_release(&claim);
    return fd;
}

/* A socket that keeps others off a port of 127.0.0.1 without listening there itself. */
static int hold_nobody(struct addr *ret_nobody)
{
    const struct addr beside = addr_v4((const uint8_t[]){127, 0, 0, 2}, 0);
    return open_udp(&beside, ret_nobody);
}

static void pass_between(const struct addr *bind_a, const struct addr *bind_b)
{
    struct event_base *base = event_base_new();
    struct seen seen_a = {.base = base}, seen_b = {.base = base};
    struct addr at_a, at_b;
    const struct udp_hooks hooks_a = {&seen_a, on_datagram, on_refused};
    const struct udp_hooks hooks_b = {&seen_b, on_datagram, on_refused};
    struct udp *a = udp_new(base, open_udp(bind_a, &at_a), &hooks_a);
    struct udp *b = udp_new(base, open_udp(bind_b, &at_b), &hooks_b);
    udp_send(a, &at_b, (const uint8_t *)"hello", 5);
    run(base);
    assert_int_equal(seen_b.datagrams, 1);
    assert_int_equal(seen_b.len, 5);
    assert_memory_equal(seen_b.data, "hello", 5);
    assert_true(addr_equal(&seen_b.from, &at_a));
    assert_int_equal(udp_stats(a).out_bytes, 5 + 28);
    assert_int_equal(udp_stats(b).in_bytes, 5 + 28);
    udp_free(a);
    udp_free(b);
    event_base_free(base);
}

static void datagrams_pass_between_dual_stack_and_ipv4_sockets(void **state)
{
    (void)state;
    const struct addr any = {.port = 0};
    const struct addr loopback = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    pass_between(&any, &any);
    pass_between(&any, &loopback);
    pass_between(&loopback, &any);
}

static void refusal_names_the_address_that_refused(void **state)
{
    (void)state;
    static const struct addr any = {.port = 0};
    const struct addr loopback = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    const struct addr *binds[] = {&any, &loopback};
    for (size_t i = 0; i < 2; i++) {
        struct event_base *base = event_base_new();
        struct seen seen = {.base = base};
        struct addr at, nobody;
        const struct udp_hooks hooks = {&seen, on_datagram, on_refused};
        struct udp *u = udp_new(base, open_udp(binds[i], &at), &hooks);
        const int held = hold_nobody(&nobody);
        udp_send(u, &nobody, (const uint8_t *)"x", 1);
        run(base);
        assert_int_equal(seen.refusals, 1);
        assert_true(addr_equal(&seen.refused, &nobody));
        close(held);
        udp_free(u);
        event_base_free(base);
    }
}

static void datagram_after_a_refusal_is_sent(void **state)
{
    (void)state;
    static const struct addr any = {.port = 0};
    struct event_base *base = event_base_new();
    struct seen seen_a = {.base = base}, seen_b = {.base = base};
    struct addr at_a, at_b, nobody;
    const struct udp_hooks hooks_a = {&seen_a, on_datagram, on_refused};
    const struct udp_hooks hooks_b = {&seen_b, on_datagram, on_refused};
    struct udp *a = udp_new(base, open_udp(&any, &at_a), &hooks_a);
    struct udp *b = udp_new(base, open_udp(&any, &at_b), &hooks_b);
    const int held = hold_nobody(&nobody);
    /* The refusal waits on the socket when the next send comes. */
    udp_send(a, &nobody, (const uint8_t *)"x", 1);
    udp_send(a, &at_b, (const uint8_t *)"y", 1);
    while (seen_b.datagrams + seen_a.refusals < 2 && !event_base_got_exit(base)) {
        run(base);
    }
    assert_int_equal(seen_b.datagrams, 1);
    assert_int_equal(seen_a.refusals, 1);
    assert_int_equal(udp_stats(a).out_dropped, 0);
    close(held);
    udp_free(a);
    udp_free(b);
    event_base_free(base);
}

static void oversize_datagram_is_counted_and_dropped(void **state)
{
    (void)state;
    static const struct addr any = {.port = 0};
    static const uint8_t big[DATAGRAM_BYTES_MAX + 1];
    struct event_base *base = event_base_new();
    struct seen seen = {.base = base};
    struct addr at, at_sender;
    const struct udp_hooks hooks = {&seen, on_datagram, on_refused};
    struct udp *u = udp_new(base, open_udp(&any, &at), &hooks);
    const int sender = open_udp(&any, &at_sender);
    struct sockaddr_storage sa;
    const socklen_t len = sockaddr_from(&at, AF_INET6, &sa);
    assert_int_equal(sendto(sender, big, sizeof(big), 0, (const struct sockaddr *)&sa, len),
                     sizeof(big));
    assert_int_equal(sendto(sender, big, 1, 0, (const struct sockaddr *)&sa, len), 1);
    run(base);
    assert_int_equal(udp_stats(u).in_oversize, 1);
    assert_int_equal(seen.datagrams, 1);
    assert_int_equal(seen.len, 1);
    close(sender);
    udp_free(u);
    event_base_free(base);
}

static void ipv6_address_cannot_be_sent_to_from_an_ipv4_socket(void **state)
{
    (void)state;
    const struct addr loopback = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    const struct addr v6 = {.ip = {[15] = 1}, .port = 9};
    struct event_base *base = event_base_new();
    struct seen seen = {.base = base};
    struct addr at;
    const struct udp_hooks hooks = {&seen, on_datagram, on_refused};
    struct udp *u = udp_new(base, open_udp(&loopback, &at), &hooks);
    udp_send(u, &v6, (const uint8_t *)"x", 1);
    assert_int_equal(udp_stats(u).out_dropped, 1);
    assert_int_equal(udp_stats(u).out_bytes, 0);
    udp_free(u);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_pass_between_dual_stack_and_ipv4_sockets),
        cmocka_unit_test(refusal_names_the_address_that_refused),
        cmocka_unit_test(datagram_after_a_refusal_is_sent),
        cmocka_unit_test(oversize_datagram_is_counted_and_dropped),
        cmocka_unit_test(ipv6_address_cannot_be_sent_to_from_an_ipv4_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
