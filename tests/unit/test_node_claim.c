#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/claim_check.h"
#include "net/discovery/holders.h"
#include "net/discovery/node_claim.h"
#include "own_clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = 81, PORTS = 3, TEXT_SIZE = 4096 };

/* What the world outside node_claim says: who holds a port, and where it leads. */
struct rig {
    struct event_base *base;
    struct node_config node;
    struct node_hooks hooks;
    struct node_claim_config config;
    bool is_stopping;
    bool is_held[PORTS];
    enum claim_verdict verdicts[PORTS];
    enum rc claim_rc; /* of a port that nobody holds */
    enum rc open_rc;
    bool has_no_check;     /* there is no memory for one */
    bool stops_in_check;   /* a signal comes while the check runs, */
    bool stops_at_verdict; /* in the turn that ends it, */
    bool stops_in_holders; /* while holders are asked, */
    unsigned stops_at_try; /* while the n-th try, from 1, looks at the ports */
    unsigned tries;
    int claims, checks, asks; /* what is there now, and must be gone in the end */
    char done[TEXT_SIZE];     /* "open 81 check 81 close " */
    char told[TEXT_SIZE];
};

static struct rig rig;
static void (*tell_verdict)(void *arg, enum claim_verdict verdict,
                            const struct health_answer *other);
static void (*tell_holders)(void *arg, const struct holder *list, size_t count);

__attribute__((format(printf, 1, 2))) static void did(const char *format, ...)
{
    const size_t len = strlen(rig.done);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(rig.done + len, sizeof(rig.done) - len, format, args);
    va_end(args);
}

__attribute__((format(printf, 4, 5))) static void on_log(void *arg, enum log_level level,
                                                         const char *event, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    const size_t len = strlen(rig.told);
    char text[512];
    va_list args;
    assert_ptr_equal(arg, &rig);
    assert_string_equal(event, "claim");
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)snprintf(rig.told + len, sizeof(rig.told) - len, "%s: %s\n", names[level], text);
}

/* ---- In place of the modules that it stands on; the linker's names ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
enum rc __wrap_claim_first(const struct addr *bind, uint16_t first, uint16_t last,
                           void (*skipped)(void *arg, uint16_t port,
                                           const struct claim_failure *failure),
                           void *arg, struct claim *ret_claim, struct claim_failure *ret_failure);
void __wrap_claim_release(struct claim *claim);
struct claim_check *__wrap_claim_check_start(
    struct event_base *base, const struct node_config *node, uint16_t port, const struct uuid *self,
    bool (*is_own)(const struct addr *addr),
    void (*done)(void *arg, enum claim_verdict verdict, const struct health_answer *other),
    void *arg);
void __wrap_claim_check_free(struct claim_check *c);
struct holders *__wrap_holders_ask(struct event_base *base, const struct addr *host, uint16_t first,
                                   uint16_t last,
                                   void (*done)(void *arg, const struct holder *list, size_t count),
                                   void *arg);
void __wrap_holders_cancel(struct holders *h);

enum rc __wrap_claim_first(const struct addr *bind, uint16_t first, uint16_t last,
                           void (*skipped)(void *arg, uint16_t port,
                                           const struct claim_failure *failure),
                           void *arg, struct claim *ret_claim, struct claim_failure *ret_failure)
{
    assert_ptr_equal(bind, &rig.node.bind);
    if (first == FIRST && ++rig.tries == rig.stops_at_try) {
        rig.is_stopping = true;
    }
    for (unsigned port = first; port <= last; port++) {
        if (!rig.is_held[port - FIRST]) {
            *ret_failure = (struct claim_failure){.is_udp = port == FIRST, .error = EACCES};
            *ret_claim = (struct claim){.tcp_fd = -1, .udp_fd = -1, .port = (uint16_t)port};
            rig.claims += rig.claim_rc == RC_OK ? 1 : 0;
            return rig.claim_rc;
        }
        const struct claim_failure failure = {.is_udp = port != FIRST, .error = EADDRINUSE};
        skipped(arg, (uint16_t)port, &failure);
    }
    return RC_EXISTS;
}

void __wrap_claim_release(struct claim *claim)
{
    (void)claim;
    rig.claims--;
}

static void on_check_due(evutil_socket_t fd, short what, void *arg)
{
    const struct health_answer other = {.uuid = {{7}}, .name = "n-7"};
    const enum claim_verdict verdict = rig.verdicts[rig.checks - 1];
    (void)fd;
    (void)what;
    if (rig.stops_in_check) {
        rig.is_stopping = true;
    } else {
        rig.is_stopping = rig.is_stopping || rig.stops_at_verdict;
        tell_verdict(arg, verdict, verdict == CLAIM_LEAVE ? &other : NULL);
    }
}

struct claim_check *__wrap_claim_check_start(
    struct event_base *base, const struct node_config *node, uint16_t port, const struct uuid *self,
    bool (*is_own)(const struct addr *addr),
    void (*done)(void *arg, enum claim_verdict verdict, const struct health_answer *other),
    void *arg)
{
    static const struct timeval now = {0};
    static int check;
    (void)is_own;
    assert_string_equal(node->discovery_domain, "a.test");
    assert_int_equal(self->bytes[0], 5);
    did("check %u ", port);
    if (rig.has_no_check) {
        return NULL;
    }
    rig.checks = port - FIRST + 1;
    tell_verdict = done;
    assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, on_check_due, arg, &now), 0);
    return (struct claim_check *)(void *)&check;
}

void __wrap_claim_check_free(struct claim_check *c)
{
    rig.checks = c != NULL ? 0 : rig.checks;
}

static void on_holders_due(evutil_socket_t fd, short what, void *arg)
{
    const struct holder list[PORTS] = {
        {.port = FIRST, .is_node = true, .health = {.uuid = {{7}}, .name = "n-7"}},
        {.port = FIRST + 1, .is_node = true, .health = {.uuid = {{8}}}},
        {.port = FIRST + 2}};
    (void)fd;
    (void)what;
    if (rig.stops_in_holders) {
        rig.is_stopping = true;
        return;
    }
    rig.asks--;
    tell_holders(arg, list, PORTS);
}

struct holders *__wrap_holders_ask(struct event_base *base, const struct addr *host, uint16_t first,
                                   uint16_t last,
                                   void (*done)(void *arg, const struct holder *list, size_t count),
                                   void *arg)
{
    static const struct timeval now = {0};
    static int ask;
    assert_ptr_equal(host, &rig.node.bind);
    did("ask %u-%u ", first, last);
    rig.asks++;
    tell_holders = done;
    assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, on_holders_due, arg, &now), 0);
    return (struct holders *)(void *)&ask;
}

void __wrap_holders_cancel(struct holders *h)
{
    assert_non_null(h);
    rig.asks--;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static enum rc on_open(void *arg, struct claim *claim)
{
    assert_ptr_equal(arg, &rig);
    did("open %u ", claim->port);
    return rig.open_rc;
}

static void on_close(void *arg)
{
    assert_ptr_equal(arg, &rig);
    did("close ");
}

static int setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    own_clock_is_skipping = true;
    rig.base = event_base_new();
    rig.node.base_port = FIRST;
    rig.node.max_ports = PORTS;
    rig.node.claim_check = true;
    (void)snprintf(rig.node.discovery_domain, sizeof(rig.node.discovery_domain), "a.test");
    rig.hooks = (struct node_hooks){.arg = &rig, .log = on_log};
    rig.config = (struct node_claim_config){.base = rig.base,
                                            .node = &rig.node,
                                            .hooks = &rig.hooks,
                                            .uuid = {{5}},
                                            .is_stopping = &rig.is_stopping,
                                            .arg = &rig,
                                            .open = on_open,
                                            .close = on_close};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    event_base_free(rig.base);
    return 0;
}

/* Claims; what is not the claim that came of it is given back. `port`: 0 for none. */
static void claim(enum rc expected, uint16_t port)
{
    struct claim got = {.port = 0};
    assert_int_equal(node_claim(&rig.config, &got), expected);
    assert_int_equal(got.port, port);
    assert_int_equal(rig.claims, port != 0 ? 1 : 0);
    assert_int_equal(rig.checks, 0);
    assert_int_equal(rig.asks, 0);
}

static void the_first_free_port_is_opened_checked_and_kept(void **state)
{
    (void)state;
    rig.is_held[0] = rig.is_held[1] = true;
    claim(RC_OK, FIRST + 2);
    assert_string_equal(rig.done, "open 83 check 83 ");
    assert_string_equal(rig.told, "info: port 81 is passed over: tcp: Address already in use\n"
                                  "info: port 82 is passed over: udp: Address already in use\n");
}

static void a_port_that_leads_to_another_node_is_left_for_the_next(void **state)
{
    (void)state;
    rig.verdicts[0] = rig.verdicts[1] = CLAIM_LEAVE;
    claim(RC_OK, FIRST + 2);
    assert_string_equal(rig.done,
                        "open 81 check 81 close open 82 check 82 close open 83 check 83 ");
    assert_string_equal(rig.told,
                        "info: port 81 is passed over: at a.test it leads to node n-7 uuid "
                        "07000000000000000000000000000000\n"
                        "info: port 82 is passed over: at a.test it leads to node n-7 uuid "
                        "07000000000000000000000000000000\n");
}

static void a_fixed_port_is_tried_alone_and_not_checked(void **state)
{
    (void)state;
    rig.node.fixed_port = FIRST + 1;
    claim(RC_OK, FIRST + 1);
    assert_string_equal(rig.done, "open 82 ");
}

static void where_nothing_is_to_be_checked_or_can_be_the_port_is_kept(void **state)
{
    (void)state;
    rig.has_no_check = true;
    claim(RC_OK, FIRST);
    rig.claims = 0;
    rig.node.claim_check = false;
    claim(RC_OK, FIRST);
    assert_string_equal(rig.done, "open 81 check 81 open 81 ");
}

static void when_none_is_free_it_tries_again_for_two_seconds_and_says_who_holds_them(void **state)
{
    (void)state;
    const uint64_t began_us = own_clock_us;
    memset(rig.is_held, true, sizeof(rig.is_held));
    claim(RC_EXISTS, 0);
    assert_int_equal(rig.tries, 4);
    assert_true(own_clock_us - began_us >= 2100000 && own_clock_us - began_us < 2200000);
    assert_string_equal(rig.done, "ask 81-83 ");
    const char *rest = strstr(rig.told, "error: ");
    assert_non_null(rest);
    assert_string_equal(rest,
                        "error: no port is free in 81-83 after 4 tries\n"
                        "error: port 81 is held by node n-7 uuid 07000000000000000000000000000000\n"
                        "error: port 82 is held by node ? uuid 08000000000000000000000000000000\n"
                        "error: port 83 is held by another program\n");
    assert_non_null(strstr(rig.told,
                           "warn: no port is free in 81-83, trying again in 300 ms\n"
                           "debug: port 81 is passed over: tcp: Address already in use\n"));
    assert_non_null(strstr(rig.told, "trying again in 600 ms\n"));
    assert_non_null(strstr(rig.told, "trying again in 1200 ms\n"));
}

static void an_address_that_is_not_the_hosts_ends_it_at_once(void **state)
{
    (void)state;
    static const uint8_t ip[4] = {192, 0, 2, 1};
    rig.node.bind = addr_v4(ip, 0);
    rig.claim_rc = RC_CONFIG;
    claim(RC_CONFIG, 0);
    rig.claim_rc = RC_IO;
    claim(RC_IO, 0);
    rig.is_held[0] = true;
    claim(RC_IO, 0);
    assert_string_equal(
        rig.told, "error: REPRAM_BIND=192.0.2.1 cannot be listened on: udp: Permission denied; "
                  "allowed: all, or an IP address of this host\n"
                  "error: cannot listen: udp: Permission denied\n"
                  "info: port 81 is passed over: tcp: Address already in use\n"
                  "error: cannot listen: tcp: Permission denied\n");
}

static void what_cannot_be_opened_is_given_back(void **state)
{
    (void)state;
    rig.open_rc = RC_NO_MEMORY;
    claim(RC_NO_MEMORY, 0);
    assert_string_equal(rig.done, "open 81 ");
}

static void a_signal_ends_each_wait_and_nothing_is_held(void **state)
{
    (void)state;
    rig.stops_in_check = true;
    claim(RC_CLOSED, 0);
    assert_string_equal(rig.done, "open 81 check 81 close ");
    rig.stops_in_check = rig.is_stopping = false;
    rig.stops_at_verdict = true;
    claim(RC_CLOSED, 0);
    rig.stops_at_verdict = rig.is_stopping = false;
    memset(rig.is_held, true, sizeof(rig.is_held));
    rig.tries = 0;
    rig.stops_at_try = 2;
    claim(RC_CLOSED, 0);
    assert_int_equal(rig.tries, 2);
    rig.stops_at_try = 0;
    rig.is_stopping = false;
    rig.stops_in_holders = true;
    claim(RC_EXISTS, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_free_port_is_opened_checked_and_kept),
        TEST(a_port_that_leads_to_another_node_is_left_for_the_next),
        TEST(a_fixed_port_is_tried_alone_and_not_checked),
        TEST(where_nothing_is_to_be_checked_or_can_be_the_port_is_kept),
        TEST(when_none_is_free_it_tries_again_for_two_seconds_and_says_who_holds_them),
        TEST(an_address_that_is_not_the_hosts_ends_it_at_once),
        TEST(what_cannot_be_opened_is_given_back),
        TEST(a_signal_ends_each_wait_and_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
