#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/dns.h"
#include "own_clock.h"
#include "patience.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRS_MAX = 4 };

struct seen {
    struct event_base *base;
    size_t calls;
    enum rc rc;
    size_t count;
    struct addr addrs[ADDRS_MAX];
    char detail[160];
};

static void on_done(void *arg, const struct dns_answer *answer)
{
    struct seen *s = arg;
    s->calls++;
    s->rc = answer->rc;
    s->count = answer->count;
    (void)snprintf(s->detail, sizeof(s->detail), "%s", answer->detail);
    for (size_t i = 0; i < answer->count && i < ADDRS_MAX; i++) {
        s->addrs[i] = answer->addrs[i];
    }
    event_base_loopbreak(s->base);
}

/* Only names that need no server. */
static void resolve(const char *name, struct seen *s)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    *s = (struct seen){.base = event_base_new()};
    const struct dns_config config = {.base = s->base, .timeout_ms = 500};
    struct dns *d = dns_new(&config);
    assert_non_null(d);
    assert_non_null(dns_resolve(d, name, DNS_BOTH, on_done, s));
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
    const struct dns_config config = {.base = s.base, .timeout_ms = 500};
    struct dns *d = dns_new(&config);
    dns_cancel(dns_resolve(d, "127.0.0.1", DNS_BOTH, on_done, &s));
    dns_cancel(dns_resolve(d, "localhost", DNS_BOTH, on_done, &s));
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
    const struct dns_config config = {.base = s.base, .timeout_ms = 500};
    struct dns *d = dns_new(&config);
    dns_cancel(dns_resolve(d, "name.invalid", DNS_BOTH, on_done, &s)); /* RFC 6761 */
    dns_free(d);
    assert_int_equal(s.calls, 0);
    event_base_free(s.base);
}

/* ---- A name server of ours ---- */

enum saying {
    SAYS_NOTHING,
    SAYS_ADDRESS,
    SAYS_NO_ADDRESS, /* the name exists */
    SAYS_NO_NAME,
    SAYS_FAILED,
    SAYS_REFUSED,
    SAYS_TRUNCATED,
    SAYS_GARBAGE,
};

enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5, HEADER_SIZE = 12, TYPE_A = 1 };
enum { QUESTION_REST = 4, TIMEOUT_MS = 4000, SILENCE_MS = 300, TYPE_AAAA = 28, MESSAGE_MAX = 512 };

struct server {
    struct event_base *base;
    struct event *event;
    int fd;
    enum saying v4, v6;  /* to questions for each family */
    enum saying then_v4; /* from the second question on, unless it is nothing */
    uint32_t asked_v4, asked_v6;
    char folder[64];
    char resolv_conf[96], hosts[96];
};

static enum saying count_question(struct server *s, bool is_v4)
{
    *(is_v4 ? &s->asked_v4 : &s->asked_v6) += 1;
    const enum saying saying = is_v4 ? s->v4 : s->v6;
    if (s->then_v4 != SAYS_NOTHING) {
        s->v4 = s->then_v4;
    }
    return saying;
}

/* Appends one answer: the name by a pointer to the question's. */
static size_t add_answer(uint8_t *message, size_t len, bool is_v4)
{
    static const uint8_t v4[] = {0xc0, HEADER_SIZE, 0, TYPE_A, 0,   1, 0, 0,
                                 0,    60,          0, 4,      192, 0, 2, 7};
    static const uint8_t v6[] = {0xc0, HEADER_SIZE, 0,    TYPE_AAAA, 0,    1,    0, 0, 0, 60,
                                 0,    16,          0x20, 0x01,      0x0d, 0xb8, 0, 0, 0, 0,
                                 0,    0,           0,    0,         0,    0,    0, 7};
    message[7] = 1;
    memcpy(message + len, is_v4 ? v4 : v6, is_v4 ? sizeof(v4) : sizeof(v6));
    return len + (is_v4 ? sizeof(v4) : sizeof(v6));
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    uint8_t message[MESSAGE_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    (void)what;
    const ssize_t got =
        recvfrom(fd, message, MESSAGE_MAX / 2, 0, (struct sockaddr *)&from, &from_len);
    assert_true(got > HEADER_SIZE + QUESTION_REST);
    size_t len = (size_t)got;
    const bool is_v4 = message[len - 3] == TYPE_A;
    message[2] = 0x84; /* an answer, by authority */
    message[3] = 0;
    switch (count_question(s, is_v4)) {
    case SAYS_NOTHING:
        return;
    case SAYS_ADDRESS:
        len = add_answer(message, len, is_v4);
        break;
    case SAYS_NO_ADDRESS:
        break;
    case SAYS_NO_NAME:
        message[3] = RCODE_NXDOMAIN;
        break;
    case SAYS_FAILED:
        message[3] = RCODE_SERVFAIL;
        break;
    case SAYS_REFUSED:
        message[3] = RCODE_REFUSED;
        break;
    case SAYS_TRUNCATED:
        message[2] |= 2;
        break;
    case SAYS_GARBAGE:
        message[7] = 3; /* answers that are not there */
        break;
    }
    assert_int_equal(sendto(fd, message, len, 0, (struct sockaddr *)&from, from_len), len);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static int setup(void **state)
{
    struct server *s = calloc(1, sizeof(*s));
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t len = sizeof(own);
    char text[64];
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->base = event_base_new();
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&own, len), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&own, &len), 0);
    s->event = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_question, s);
    assert_int_equal(event_add(s->event, NULL), 0);
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/repram-test-dns-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->resolv_conf, sizeof(s->resolv_conf), "%s/resolv.conf", s->folder);
    (void)snprintf(s->hosts, sizeof(s->hosts), "%s/hosts", s->folder);
    (void)snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n", ntohs(own.sin_port));
    write_file(s->resolv_conf, text);
    write_file(s->hosts, "192.0.2.9 written.example\n");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct server *s = *state;
    event_free(s->event);
    (void)close(s->fd);
    event_base_free(s->base);
    (void)unlink(s->resolv_conf);
    (void)unlink(s->hosts);
    (void)rmdir(s->folder);
    free(s);
    return 0;
}

static void ask(const struct server *s, const char *name, enum dns_family usable, struct seen *seen)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const bool is_silent = s->v4 == SAYS_NOTHING || s->v6 == SAYS_NOTHING;
    const struct dns_config config = {.base = s->base,
                                      .timeout_ms = is_silent ? SILENCE_MS : TIMEOUT_MS,
                                      .resolv_conf = s->resolv_conf,
                                      .hosts = s->hosts,
                                      .usable = usable};
    struct dns *d = dns_new(&config);
    assert_non_null(d);
    *seen = (struct seen){.base = s->base};
    assert_non_null(dns_resolve(d, name, DNS_BOTH, on_done, seen));
    event_base_loopexit(s->base, &patience);
    event_base_dispatch(s->base);
    assert_int_equal(seen->calls, 1);
    dns_free(d);
}

static void what_servers_say_of_both_families_decides(void **state)
{
    static const struct {
        enum saying v4, v6;
        enum rc rc;
        size_t count;
        const char *detail; /* a part of it */
    } cases[] = {
        {SAYS_ADDRESS, SAYS_ADDRESS, RC_OK, 2, ""},
        {SAYS_ADDRESS, SAYS_NO_ADDRESS, RC_OK, 1, ""},
        {SAYS_NO_ADDRESS, SAYS_ADDRESS, RC_OK, 1, ""},
        {SAYS_NO_NAME, SAYS_NO_NAME, RC_NOT_FOUND, 0, "no such name"},
        {SAYS_NO_ADDRESS, SAYS_NO_ADDRESS, RC_NOT_FOUND, 0, "no address"},
        {SAYS_NOTHING, SAYS_NOTHING, RC_TIMEOUT, 0, "do not answer"},
        {SAYS_FAILED, SAYS_FAILED, RC_IO, 0, "SERVFAIL"},
        {SAYS_REFUSED, SAYS_REFUSED, RC_IO, 0, "refuse"},
        {SAYS_TRUNCATED, SAYS_TRUNCATED, RC_IO, 0, "too long"},
        {SAYS_GARBAGE, SAYS_GARBAGE, RC_IO, 0, "cannot be used"},
        /* The missing family might have named a node. */
        {SAYS_ADDRESS, SAYS_NOTHING, RC_TIMEOUT, 1, "do not answer"},
        {SAYS_NOTHING, SAYS_ADDRESS, RC_TIMEOUT, 1, "do not answer"},
        {SAYS_ADDRESS, SAYS_FAILED, RC_IO, 1, "SERVFAIL"},
        {SAYS_TRUNCATED, SAYS_NO_ADDRESS, RC_IO, 0, "too long"},
        {SAYS_NO_NAME, SAYS_FAILED, RC_IO, 0, "SERVFAIL"},
        {SAYS_NO_ADDRESS, SAYS_REFUSED, RC_IO, 0, "refuse"},
    };
    struct server *s = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen;
        s->v4 = cases[i].v4;
        s->v6 = cases[i].v6;
        ask(s, "cluster.example", DNS_BOTH, &seen);
        assert_int_equal(seen.rc, cases[i].rc);
        assert_int_equal(seen.count, cases[i].count);
        assert_non_null(strstr(seen.detail, cases[i].detail));
        assert_int_equal(seen.rc == RC_OK, seen.detail[0] == '\0');
    }
}

/* RFC 1035 section 2.3.4: 63 bytes between dots, 255 in all. */
static void what_is_too_long_for_a_name_is_none_and_no_server_is_asked(void **state)
{
    struct server *s = *state;
    char label[64 + 1], name[300 + 1];
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    memset(name, 'a', sizeof(name) - 1);
    for (size_t i = 1; i < sizeof(name); i += 2) {
        name[i] = '.';
    }
    name[sizeof(name) - 1] = '\0';
    const char *const names[] = {label, name};
    s->v4 = s->v6 = SAYS_ADDRESS;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen;
        ask(s, names[i], DNS_BOTH, &seen);
        assert_int_equal(seen.rc, RC_NOT_FOUND);
        assert_int_equal(seen.count, 0);
        assert_string_equal(seen.detail, "it is no host name");
        assert_int_equal(s->asked_v4 + s->asked_v6, 0);
    }
}

static void a_family_that_the_host_cannot_use_is_not_asked_for(void **state)
{
    struct server *s = *state;
    struct seen seen;
    s->v4 = SAYS_ADDRESS;
    s->v6 = SAYS_FAILED;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(s->asked_v6, 0);
    s->v4 = SAYS_NO_NAME;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_NOT_FOUND);
}

static void one_lost_datagram_is_asked_for_again(void **state)
{
    struct server *s = *state;
    struct seen seen;
    s->v4 = SAYS_NOTHING;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_TIMEOUT);
    assert_int_equal(s->asked_v4, 2);
}

static void the_hosts_file_comes_before_the_servers(void **state)
{
    struct server *s = *state;
    struct seen seen;
    s->v4 = SAYS_FAILED;
    ask(s, "Written.example", DNS_BOTH, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(s->asked_v4 + s->asked_v6, 0);
}

static void of_one_name_only_so_many_addresses_are_taken_and_each_once(void **state)
{
    struct server *s = *state;
    struct seen seen;
    for (unsigned count = DNS_ADDRS_MAX - 1; count <= DNS_ADDRS_MAX + 1; count++) {
        FILE *file = fopen(s->hosts, "we");
        assert_non_null(file);
        for (unsigned i = 0; i < 2 * count; i++) {
            (void)fprintf(file, "198.18.%u.%u many.example\n", i % count / 256, i % count % 256);
        }
        (void)fclose(file);
        ask(s, "many.example", DNS_BOTH, &seen);
        assert_int_equal(seen.count, count < DNS_ADDRS_MAX ? count : DNS_ADDRS_MAX);
    }
}

static void a_cut_answer_is_not_hidden_by_the_search_list(void **state)
{
    static const char *const lists[] = {"search a.test b.test\n",
                                        "search a.test\noptions ndots:5\n"};
    struct server *s = *state;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen;
        FILE *file = fopen(s->resolv_conf, "ae");
        assert_non_null(file);
        (void)fputs(lists[i], file);
        (void)fclose(file);
        s->v4 = SAYS_TRUNCATED; /* to the first form, and the others do not exist */
        s->then_v4 = SAYS_NO_NAME;
        ask(s, "cluster.example", DNS_IPV4, &seen);
        assert_int_equal(seen.rc, RC_IO);
        assert_non_null(strstr(seen.detail, "too long"));
    }
}

static void a_name_is_found_by_the_search_list(void **state)
{
    struct server *s = *state;
    struct seen seen;
    FILE *file = fopen(s->resolv_conf, "ae");
    assert_non_null(file);
    (void)fputs("search a.test b.test\n", file);
    (void)fclose(file);
    s->v4 = SAYS_NO_NAME;
    s->then_v4 = SAYS_ADDRESS;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(s->asked_v4, 2);
}

static void without_a_server_nobody_has_said_that_there_is_no_such_name(void **state)
{
    struct server *s = *state;
    struct seen seen;
    write_file(s->resolv_conf, "options ndots:1\n");
    ask(s, "cluster.example", DNS_BOTH, &seen);
    assert_int_equal(seen.rc, RC_IO);
    assert_non_null(strstr(seen.detail, "names no server"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_need_no_lookup),
        cmocka_unit_test(localhost_is_loopback_of_both_families),
        cmocka_unit_test(cancelled_query_is_not_heard_of),
        cmocka_unit_test(lookup_cancelled_on_its_way_leaves_nothing),
        cmocka_unit_test_setup_teardown(what_servers_say_of_both_families_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_long_for_a_name_is_none_and_no_server_is_asked,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_family_that_the_host_cannot_use_is_not_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_lost_datagram_is_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(of_one_name_only_so_many_addresses_are_taken_and_each_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_answer_is_not_hidden_by_the_search_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_name_is_found_by_the_search_list, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hosts_file_comes_before_the_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_server_nobody_has_said_that_there_is_no_such_name,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
