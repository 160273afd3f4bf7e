#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "name_server.h"
#include "net/out/dns.h"
#include "own_clock.h"
#include "patience.h"

#include <stdio.h>

enum { ADDRS_MAX = 4 };

struct seen {
    struct event_base *base;
    size_t calls;
    enum rc rc;
    size_t count;
    struct addr addrs[ADDRS_MAX];
    char detail[DNS_DETAIL_SIZE];
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

/* ---- Name servers of ours ---- */

enum { TIMEOUT_MS = 4000, SILENCE_MS = 300 };

struct scene {
    struct event_base *base;
    struct name_server server, other; /* resolv.conf names the first; without a list there */
    char folder[64];
    char resolv_conf[96], hosts[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* The first server, and what else the file says. */
static void write_conf(const struct scene *s, const char *rest)
{
    char at[ADDR_TEXT_SIZE], text[256];
    (void)snprintf(text, sizeof(text), "nameserver %s\n%s", addr_format(&s->server.at, at), rest);
    write_file(s->resolv_conf, text);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    s->base = event_base_new();
    name_server_open(&s->server, s->base, true);
    name_server_open(&s->other, s->base, true);
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/repram-test-dns-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->resolv_conf, sizeof(s->resolv_conf), "%s/resolv.conf", s->folder);
    (void)snprintf(s->hosts, sizeof(s->hosts), "%s/hosts", s->folder);
    write_conf(s, "search .\n");
    write_file(s->hosts, "192.0.2.9 written.example\n");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    name_server_close(&s->server);
    name_server_close(&s->other);
    event_base_free(s->base);
    (void)unlink(s->resolv_conf);
    (void)unlink(s->hosts);
    (void)rmdir(s->folder);
    free(s);
    return 0;
}

static struct dns_config config_of(const struct scene *s, enum dns_family usable)
{
    const bool is_silent = s->server.v4 == SAYS_NOTHING || s->server.v6 == SAYS_NOTHING;
    return (struct dns_config){.base = s->base,
                               .timeout_ms = is_silent ? SILENCE_MS : TIMEOUT_MS,
                               .resolv_conf = s->resolv_conf,
                               .hosts = s->hosts,
                               .usable = usable};
}

static void ask_with(const struct dns_config *config, const char *name, struct seen *seen)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct dns *d = dns_new(config);
    assert_non_null(d);
    *seen = (struct seen){.base = config->base};
    assert_non_null(dns_resolve(d, name, DNS_BOTH, on_done, seen));
    event_base_loopexit(config->base, &patience);
    event_base_dispatch(config->base);
    assert_int_equal(seen->calls, 1);
    dns_free(d);
}

static void ask(const struct scene *s, const char *name, enum dns_family usable, struct seen *seen)
{
    const struct dns_config config = config_of(s, usable);
    ask_with(&config, name, seen);
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
        {SAYS_NOTHING, SAYS_NOTHING, RC_TIMEOUT, 0, "does not answer"},
        {SAYS_FAILED, SAYS_FAILED, RC_IO, 0, "SERVFAIL"},
        {SAYS_REFUSED, SAYS_REFUSED, RC_IO, 0, "refuse"},
        {SAYS_GARBAGE, SAYS_GARBAGE, RC_IO, 0, "cannot be used"},
        /* The missing family might have named a node. */
        {SAYS_ADDRESS, SAYS_NOTHING, RC_TIMEOUT, 1, "does not answer"},
        {SAYS_NOTHING, SAYS_ADDRESS, RC_TIMEOUT, 1, "does not answer"},
        {SAYS_ADDRESS, SAYS_FAILED, RC_IO, 1, "SERVFAIL"},
        {SAYS_GARBAGE, SAYS_NO_ADDRESS, RC_IO, 0, "cannot be used"},
        {SAYS_NO_NAME, SAYS_FAILED, RC_IO, 0, "SERVFAIL"},
        {SAYS_NO_ADDRESS, SAYS_REFUSED, RC_IO, 0, "refuse"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen;
        s->server.v4 = cases[i].v4;
        s->server.v6 = cases[i].v6;
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
    struct scene *s = *state;
    char label[64 + 1], name[300 + 1];
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    memset(name, 'a', sizeof(name) - 1);
    for (size_t i = 1; i < sizeof(name); i += 2) {
        name[i] = '.';
    }
    name[sizeof(name) - 1] = '\0';
    const char *const names[] = {label, name};
    s->server.v4 = s->server.v6 = SAYS_ADDRESS;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen;
        ask(s, names[i], DNS_BOTH, &seen);
        assert_int_equal(seen.rc, RC_NOT_FOUND);
        assert_int_equal(seen.count, 0);
        assert_string_equal(seen.detail, "it is no host name");
        assert_int_equal(s->server.asked_v4 + s->server.asked_v6, 0);
    }
}

static void a_family_that_the_host_cannot_use_is_not_asked_for(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    s->server.v4 = SAYS_ADDRESS;
    s->server.v6 = SAYS_FAILED;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(s->server.asked_v6, 0);
    s->server.v4 = SAYS_NO_NAME;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_NOT_FOUND);
}

static void one_lost_datagram_is_asked_for_again(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    s->server.v4 = SAYS_NOTHING;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_TIMEOUT);
    assert_int_equal(s->server.asked_v4, 2);
}

static void the_hosts_file_comes_before_the_servers(void **state)
{
    static const char *const names[] = {"Written.example", "written.example."};
    struct scene *s = *state;
    struct seen seen;
    s->server.v4 = SAYS_FAILED;
    for (size_t i = 0; i < 2; i++) {
        ask(s, names[i], DNS_BOTH, &seen);
        assert_int_equal(seen.rc, RC_OK);
        assert_int_equal(seen.count, 1);
        assert_int_equal(s->server.asked_v4 + s->server.asked_v6, 0);
    }
}

static void of_one_name_only_so_many_addresses_are_taken_and_each_once(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    for (unsigned count = DNS_ADDRS_MAX - 1; count <= DNS_ADDRS_MAX + 1; count++) {
        FILE *file = fopen(s->hosts, "we");
        assert_non_null(file);
        for (unsigned i = 0; i < 2 * count; i++) {
            (void)fprintf(file, "198.18.%u.%u many.example\n", i % count / 256, i % count % 256);
        }
        (void)fclose(file);
        s->server.v4 = s->server.v6 = SAYS_ADDRESS;
        s->server.addr_count = count;
        static const char *const names[] = {"many.example", "asked.example"};
        for (size_t i = 0; i < 2; i++) {
            ask(s, names[i], DNS_IPV4, &seen);
            assert_int_equal(seen.rc, RC_OK);
            assert_int_equal(seen.count, count < DNS_ADDRS_MAX ? count : DNS_ADDRS_MAX);
            assert_string_equal(seen.detail,
                                count <= DNS_ADDRS_MAX
                                    ? ""
                                    : "it has more than 1024 addresses; the others are left out");
        }
    }
}

static void a_form_that_cannot_be_looked_up_hides_no_later_one(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    write_conf(s, "search a.test b.test\noptions ndots:5\n");
    s->server.v4 = SAYS_REFUSED;
    s->server.then_v4 = SAYS_ADDRESS;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.detail, "");
    assert_int_equal(s->server.asked_v4, 2);
}

static void a_failure_is_not_hidden_by_forms_that_do_not_exist(void **state)
{
    static const char *const lists[] = {"search a.test b.test\n",
                                        "search a.test\noptions ndots:5\n"};
    struct scene *s = *state;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen;
        write_conf(s, lists[i]);
        s->server.v4 = SAYS_REFUSED; /* to the first form, and the others do not exist */
        s->server.then_v4 = SAYS_NO_NAME;
        ask(s, "cluster.example", DNS_IPV4, &seen);
        assert_int_equal(seen.rc, RC_IO);
        assert_non_null(strstr(seen.detail, "REFUSED"));
    }
}

static void silent_servers_are_asked_for_no_further_form(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    write_conf(s, "search a.test b.test\n");
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_TIMEOUT);
    assert_int_equal(s->server.asked_v4, DNS_TRIES);
}

static void a_name_is_found_by_the_search_list(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    write_conf(s, "search a.test b.test\n");
    s->server.v4 = SAYS_NO_NAME;
    s->server.then_v4 = SAYS_ADDRESS;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(s->server.asked_v4, 2);
}

static void the_callers_servers_are_asked_in_place_of_those_of_the_file(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    s->server.v4 = SAYS_NO_NAME;
    s->other.v4 = SAYS_ADDRESS;
    struct dns_config config = config_of(s, DNS_IPV4);
    config.servers = &s->other.at;
    config.server_count = 1;
    ask_with(&config, "cluster.example", &seen);
    assert_int_equal(seen.rc, RC_OK);
    assert_int_equal(s->server.asked_v4, 0);
}

static void the_file_is_read_by_each_resolver(void **state)
{
    struct scene *s = *state;
    struct seen seen;
    char at[ADDR_TEXT_SIZE], text[96];
    s->server.v4 = SAYS_NO_NAME;
    s->other.v4 = SAYS_ADDRESS;
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_NOT_FOUND);
    (void)snprintf(text, sizeof(text), "nameserver %s\n", addr_format(&s->other.at, at));
    write_file(s->resolv_conf, text);
    ask(s, "cluster.example", DNS_IPV4, &seen);
    assert_int_equal(seen.rc, RC_OK);
}

static void two_servers_have_twice_the_time(void **state)
{
    struct scene *s = *state;
    struct dns_config config = config_of(s, DNS_IPV4);
    const struct addr both[] = {s->server.at, s->other.at};
    config.servers = both;
    for (size_t count = 1; count <= 2; count++) {
        config.server_count = count;
        struct dns *d = dns_new(&config);
        assert_non_null(d);
        assert_int_equal(dns_limit_ms(d), count * SILENCE_MS * 5 / 4);
        dns_free(d);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_need_no_lookup),
        cmocka_unit_test(localhost_is_loopback_of_both_families),
        cmocka_unit_test(cancelled_query_is_not_heard_of),
        cmocka_unit_test(lookup_cancelled_on_its_way_leaves_nothing),
        TEST(what_servers_say_of_both_families_decides),
        TEST(what_is_too_long_for_a_name_is_none_and_no_server_is_asked),
        TEST(a_family_that_the_host_cannot_use_is_not_asked_for),
        TEST(one_lost_datagram_is_asked_for_again),
        TEST(the_hosts_file_comes_before_the_servers),
        TEST(of_one_name_only_so_many_addresses_are_taken_and_each_once),
        TEST(a_form_that_cannot_be_looked_up_hides_no_later_one),
        TEST(a_failure_is_not_hidden_by_forms_that_do_not_exist),
        TEST(silent_servers_are_asked_for_no_further_form),
        TEST(a_name_is_found_by_the_search_list),
        TEST(the_callers_servers_are_asked_in_place_of_those_of_the_file),
        TEST(the_file_is_read_by_each_resolver),
        TEST(two_servers_have_twice_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
