#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/dns.h"
#include "patience.h"

#include <event2/event.h>
#include <string.h>

enum { ADDRS_MAX = 4 };

struct seen {
    struct event_base *base;
    size_t calls;
    enum rc rc;
    size_t count;
    struct addr addrs[ADDRS_MAX];
};

static void on_done(void *arg, const struct dns_answer *answer)
{
    struct seen *s = arg;
    s->calls++;
    s->rc = answer->rc;
    s->count = answer->count;
    for (size_t i = 0; i < answer->count && i < ADDRS_MAX; i++) {
        s->addrs[i] = answer->addrs[i];
    }
    event_base_loopbreak(s->base);
}

/* Only names that need no server: what is asked of one is for the integration tests. */
static void resolve(const char *name, struct seen *s)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    *s = (struct seen){.base = event_base_new()};
    struct dns *d = dns_new(s->base, 500);
    assert_non_null(d);
    assert_non_null(dns_resolve(d, name, on_done, s));
    assert_int_equal(s->calls, 0);
    event_base_loopexit(s->base, &patience);
    event_base_dispatch(s->base);
    assert_int_equal(s->calls, 1);
    assert_true(dns_is_idle(d));
    dns_free(d);
    event_base_free(s->base);
}

static void literal_addresses_need_no_lookup(void **state)
{
    (void)state;
    struct seen s;
    char text[ADDR_TEXT_SIZE];
    resolve("192.0.2.7", &s);
    assert_int_equal(s.rc, RC_OK);
    assert_int_equal(s.count, 1);
    assert_string_equal(addr_format_ip(&s.addrs[0], text), "192.0.2.7");
    resolve("2001:db8::7", &s);
    assert_string_equal(addr_format_ip(&s.addrs[0], text), "2001:db8::7");
    resolve("[::1]", &s);
    assert_string_equal(addr_format_ip(&s.addrs[0], text), "::1");
}

static void localhost_is_loopback_of_both_families(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "LocalHost", "fade.localhost"};
    for (size_t i = 0; i < 3; i++) {
        struct seen s;
        resolve(names[i], &s);
        assert_int_equal(s.rc, RC_OK);
        assert_int_equal(s.count, 2);
        assert_true(addr_is_v4(&s.addrs[0]) && addr_is_loopback(&s.addrs[0]));
        assert_true(!addr_is_v4(&s.addrs[1]) && addr_is_loopback(&s.addrs[1]));
        assert_int_equal(s.addrs[0].port, 0);
    }
}

static void cancelled_query_is_not_heard_of(void **state)
{
    (void)state;
    struct seen s = {.base = event_base_new()};
    struct dns *d = dns_new(s.base, 500);
    dns_cancel(dns_resolve(d, "127.0.0.1", on_done, &s));
    dns_cancel(dns_resolve(d, "localhost", on_done, &s));
    dns_cancel(NULL);
    event_base_loop(s.base, EVLOOP_NONBLOCK);
    assert_int_equal(s.calls, 0);
    dns_free(d);
    event_base_free(s.base);
}

static void lookup_cancelled_on_its_way_leaves_nothing(void **state)
{
    (void)state;
    struct seen s = {.base = event_base_new()};
    struct dns *d = dns_new(s.base, 500);
    dns_cancel(dns_resolve(d, "name.invalid", on_done, &s)); /* RFC 6761: nobody has it */
    dns_free(d);
    assert_int_equal(s.calls, 0);
    event_base_free(s.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_need_no_lookup),
        cmocka_unit_test(localhost_is_loopback_of_both_families),
        cmocka_unit_test(cancelled_query_is_not_heard_of),
        cmocka_unit_test(lookup_cancelled_on_its_way_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
