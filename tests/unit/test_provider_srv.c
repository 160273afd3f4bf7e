/* The srv provider, and the lookups of services in net/out/dns under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "name_server.h"
#include "net/discovery/provider_srv.h"
#include "own_clock.h"
#include "patience.h"

#include <stdio.h>
#include <unistd.h>

enum { NAMED_MAX = 2048, RECORDS_SIZE = 60000, TRY_MS = 200, OWNER = 0xc000 | HEADER_SIZE };

struct scene {
    struct event_base *base;
    struct name_server server;
    struct dns *dns;
    struct provider *provider;
    struct provider_pass pass;
    struct cursor records;
    uint8_t bytes[RECORDS_SIZE];
    struct addr named[NAMED_MAX];
    size_t named_count, done_count;
    enum rc rc;
    char detail[512];
};

static void on_candidate(void *arg, struct provider *p, const struct addr *addr)
{
    struct scene *s = arg;
    (void)p;
    if (s->named_count < NAMED_MAX) {
        s->named[s->named_count++] = *addr;
    }
}

static void on_done(void *arg, struct provider *p, enum rc rc, const char *detail)
{
    struct scene *s = arg;
    (void)p;
    s->done_count++;
    s->rc = rc;
    (void)snprintf(s->detail, sizeof(s->detail), "%s", detail);
}

static void begin_records(struct scene *s)
{
    s->records = cursor_writer(s->bytes, sizeof(s->bytes));
    s->server.records = s->bytes;
    s->server.answer_count = s->server.additional_count = 0;
}

static struct dns *new_dns(const struct scene *s, const char *resolv_conf)
{
    const struct dns_config config = {.base = s->base,
                                      .timeout_ms = DNS_TRIES * TRY_MS,
                                      .resolv_conf = resolv_conf,
                                      .hosts = "/dev/null",
                                      .servers = &s->server.at,
                                      .server_count = 1,
                                      .usable = DNS_BOTH};
    return dns_new(&config);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    s->base = event_base_new();
    name_server_open(&s->server, s->base, true);
    s->server.others = SAYS_RECORDS;
    s->server.v4 = SAYS_ADDRESS;
    s->server.v6 = SAYS_NO_ADDRESS;
    s->dns = new_dns(s, "/dev/null");
    s->provider = provider_srv_new("_repram._tcp.test.");
    s->pass = (struct provider_pass){.base = s->base,
                                     .dns = s->dns,
                                     .wanted = DNS_BOTH,
                                     .arg = s,
                                     .candidate = on_candidate,
                                     .done = on_done};
    begin_records(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    s->provider->free(s->provider);
    dns_free(s->dns);
    name_server_close(&s->server);
    event_base_free(s->base);
    free(s);
    return 0;
}

static void put_name(struct cursor *c, const char *label)
{
    cursor_put_text(c, label); /* one label under the question's name */
    cursor_put_u16(c, OWNER);
}

/* The same without a pointer, as RFC 2782 wants a target. */
static void put_target(struct cursor *c, const char *label)
{
    cursor_put_text(c, label);
    cursor_put_text(c, "_repram");
    cursor_put_text(c, "_tcp");
    cursor_put_text(c, "test");
    cursor_put_u8(c, 0);
}

static void put_service(struct scene *s, uint32_t ttl_s, uint16_t priority, uint16_t port,
                        const char *label)
{
    struct cursor *c = &s->records;
    cursor_put_u16(c, OWNER);
    cursor_put_u16(c, DNS_TYPE_SRV);
    cursor_put_u16(c, 1);
    cursor_put_u32(c, ttl_s);
    cursor_put_u16(c, (uint16_t)(6 + 1 + strlen(label) + sizeof("_repram._tcp.test.")));
    cursor_put_u16(c, priority);
    cursor_put_u16(c, 1);
    cursor_put_u16(c, port);
    put_target(c, label);
    s->server.answer_count++;
}

static void put_addr(struct scene *s, const char *label, uint8_t last)
{
    struct cursor *c = &s->records;
    put_name(c, label);
    cursor_put_u16(c, DNS_TYPE_A);
    cursor_put_u16(c, 1);
    cursor_put_u32(c, 86400);
    cursor_put_u16(c, 4);
    cursor_put_u32(c, 0x0a000000U | last);
    s->server.additional_count++;
}

static void run(struct scene *s)
{
    assert_true(cursor_ok(&s->records));
    s->server.records_len = s->records.pos;
    s->named_count = s->done_count = 0;
    s->provider->start(s->provider, &s->pass);
    assert_int_equal(s->named_count + s->done_count, 0);
    while (s->done_count == 0) { /* each lookup ends by itself */
        assert_int_equal(event_base_loop(s->base, EVLOOP_ONCE), 0);
    }
    assert_int_equal(s->done_count, 1);
}

/* All that was named, in its order: "10.0.0.1:8081 ". */
static void assert_named(const struct scene *s, const char *wanted)
{
    char all[512] = "", text[ADDR_TEXT_SIZE];
    for (size_t i = 0, len = 0; i < s->named_count && len < sizeof(all); i++) {
        len +=
            (size_t)snprintf(all + len, sizeof(all) - len, "%s ", addr_format(&s->named[i], text));
    }
    assert_string_equal(all, wanted);
}

static void services_are_named_by_priority_with_the_addresses_that_came_along(void **state)
{
    struct scene *s = *state;
    put_service(s, 60, 2, 8082, "b");
    put_service(s, 60, 1, 8081, "A");
    put_service(s, 60, 3, 8083, "a");
    put_addr(s, "b", 2);
    put_addr(s, "a", 1);
    put_addr(s, "stranger", 3);
    run(s);
    assert_int_equal(s->rc, RC_OK);
    assert_string_equal(s->detail, "");
    assert_named(s, "10.0.0.1:8081 10.0.0.2:8082 10.0.0.1:8083 ");
    assert_int_equal(s->server.asked_v4 + s->server.asked_v6, 0);
}

static void addresses_that_did_not_come_along_are_asked_for_once_a_target(void **state)
{
    struct scene *s = *state;
    put_service(s, 60, 1, 8081, "a");
    put_service(s, 60, 2, 8082, "a");
    put_service(s, 60, 3, 8083, "b");
    put_addr(s, "b", 2);
    run(s);
    assert_int_equal(s->rc, RC_OK);
    assert_named(s, "192.0.2.7:8081 192.0.2.7:8082 10.0.0.2:8083 ");
    assert_int_equal(s->server.asked_v4, 1);
}

/* As in a pod, where a search list would have each asked for under four names. */
static void a_target_is_asked_for_as_it_is_whatever_the_search_list(void **state)
{
    static const char list[] = "search a.test b.test\noptions ndots:5\n";
    struct scene *s = *state;
    char path[] = "/tmp/repram-test-srv-XXXXXX";
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, list, sizeof(list) - 1), sizeof(list) - 1);
    dns_free(s->dns);
    s->dns = s->pass.dns = new_dns(s, path);
    (void)close(fd);
    (void)unlink(path);
    s->server.v4 = s->server.v6 = SAYS_NO_NAME;
    put_service(s, 60, 1, 8081, "a");
    run(s);
    assert_int_equal(s->rc, RC_NOT_FOUND);
    assert_int_equal(s->server.asked_v4, 1);
}

static void a_target_may_have_many_addresses_and_there_may_be_many_targets(void **state)
{
    struct scene *s = *state;
    s->server.addr_count = 60;
    put_service(s, 60, 1, 8081, "a");
    run(s);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->named_count, 60);
    s->server.addr_count = 1;
    begin_records(s);
    own_clock_pass_ms(60000);
    for (uint16_t i = 0; i < 60; i++) {
        char label[8];
        (void)snprintf(label, sizeof(label), "n%u", i);
        put_service(s, 60, 1, (uint16_t)(9000 + i), label);
    }
    run(s);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->named_count, 60);
    assert_int_equal(s->server.asked_v4, 61);
}

static void an_answer_is_named_again_for_its_ttl_and_then_asked_for_anew(void **state)
{
    static const struct {
        uint32_t ttl_s, fresh_s;
    } cases[] = {{0, 0}, {5, 5}, {299, 299}, {300, 300}, {301, 300}, {86400, 300}};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_records(s);
        put_service(s, cases[i].ttl_s, 1, 8081, "a");
        put_addr(s, "a", 1);
        s->server.asked_others = 0;
        run(s);
        assert_int_equal(s->server.asked_others, 1);
        if (cases[i].fresh_s > 0) {
            own_clock_pass_ms(UINT64_C(1000) * cases[i].fresh_s - 10);
            run(s);
            assert_int_equal(s->server.asked_others, 1);
            assert_named(s, "10.0.0.1:8081 ");
            own_clock_pass_ms(10);
        }
        begin_records(s);
        put_service(s, 0, 1, 8082, "a");
        run(s);
        assert_int_equal(s->server.asked_others, 2);
        assert_named(s, "192.0.2.7:8082 ");
    }
}

/* An address that lives shorter than the service, too. */
static void the_shortest_ttl_counts(void **state)
{
    struct scene *s = *state;
    put_service(s, 200, 1, 8081, "a"); /* whose address, asked for, has 60 s */
    run(s);
    own_clock_pass_ms(60000);
    run(s);
    assert_int_equal(s->server.asked_others, 2);
}

static void while_the_servers_fail_the_last_list_is_named_again(void **state)
{
    struct scene *s = *state;
    put_service(s, 0, 1, 8081, "a");
    run(s);
    s->server.others = SAYS_REFUSED;
    run(s);
    assert_int_equal(s->rc, RC_IO);
    assert_non_null(strstr(s->detail, "_repram._tcp.test.: "));
    assert_non_null(strstr(s->detail, "refuses to answer (REFUSED)"));
    assert_named(s, "192.0.2.7:8081 ");
    s->server.others = SAYS_NOTHING;
    run(s);
    assert_int_equal(s->rc, RC_TIMEOUT);
    assert_named(s, "192.0.2.7:8081 ");
    s->server.others = SAYS_RECORDS;
    begin_records(s);
    put_service(s, 0, 1, 8082, "a");
    run(s);
    assert_int_equal(s->rc, RC_OK);
    assert_named(s, "192.0.2.7:8082 ");
}

static void without_services_nobody_is_named(void **state)
{
    static const struct {
        enum saying saying;
        const char *text;
    } cases[] = {{SAYS_NO_NAME, "_repram._tcp.test.: there is no such name"},
                 {SAYS_NO_ADDRESS, "_repram._tcp.test.: the name has no service (SRV)"}};
    struct scene *s = *state;
    for (size_t i = 0; i < 2; i++) {
        s->server.others = SAYS_RECORDS;
        begin_records(s);
        put_service(s, 0, 1, 8081, "a");
        run(s);
        assert_int_equal(s->named_count, 1);
        s->server.others = cases[i].saying;
        run(s);
        assert_int_equal(s->rc, RC_NOT_FOUND);
        assert_string_equal(s->detail, cases[i].text);
        assert_int_equal(s->named_count, 0);
    }
}

static void a_target_that_cannot_be_looked_up_is_a_failure_and_hides_no_other(void **state)
{
    static const struct {
        enum saying saying;
        enum rc rc;
        const char *text;
    } cases[] = {{SAYS_REFUSED, RC_IO, "refuses to answer (REFUSED)"},
                 {SAYS_NO_NAME, RC_NOT_FOUND, "there is no such name"}};
    struct scene *s = *state;
    for (size_t i = 0; i < 2; i++) {
        begin_records(s);
        put_service(s, 60, 1, 8081, "a");
        put_service(s, 60, 1, 8082, "b");
        put_addr(s, "b", 2);
        s->server.v4 = s->server.v6 = cases[i].saying;
        run(s);
        assert_int_equal(s->rc, cases[i].rc);
        assert_int_equal(strncmp(s->detail, "a._repram._tcp.test: ", 21), 0);
        assert_non_null(strstr(s->detail, cases[i].text));
        assert_named(s, "10.0.0.2:8082 ");
        assert_int_equal(s->server.asked_others, i + 1); /* the TTL is of what is complete */
    }
}

static void only_so_many_services_and_addresses_are_taken(void **state)
{
    struct scene *s = *state;
    for (unsigned count = SRV_SERVICES_MAX - 1; count <= SRV_SERVICES_MAX + 1; count++) {
        begin_records(s);
        for (unsigned i = 0; i < count; i++) {
            put_service(s, 0, 1, (uint16_t)(1 + i), "a");
        }
        run(s);
        assert_int_equal(s->rc, RC_OK);
        assert_int_equal(s->named_count, count < SRV_SERVICES_MAX ? count : SRV_SERVICES_MAX);
        assert_string_equal(s->detail,
                            count > SRV_SERVICES_MAX
                                ? "_repram._tcp.test.: it has more than 1024 services; the others "
                                  "are left out"
                                : "");
    }
    for (uint16_t count = 511; count <= 513; count++) {
        s->server.addr_count = count; /* of two services each */
        begin_records(s);
        put_service(s, 0, 1, 8081, "a");
        put_service(s, 0, 1, 8082, "a");
        run(s);
        assert_int_equal(s->named_count, count <= 512 ? 2 * count : 1024);
        assert_string_equal(s->detail, count <= 512 ? ""
                                                    : "_repram._tcp.test.: its services have more "
                                                      "addresses than are taken");
    }
}

static void a_cancelled_pass_is_not_heard_of_and_the_next_one_is(void **state)
{
    struct scene *s = *state;
    put_service(s, 60, 1, 8081, "a");
    s->server.records_len = s->records.pos;
    s->server.is_held = true;
    for (int i = 0; i < 2; i++) { /* within the services' lookup, and the target's */
        s->server.asked_v4 = s->server.asked_others = 0;
        s->server.is_held = i == 0;
        s->server.v4 = s->server.v6 = SAYS_NOTHING;
        s->provider->start(s->provider, &s->pass);
        for (const uint64_t until = patience_begins();
             (i == 0 ? s->server.asked_others : s->server.asked_v4) == 0 &&
             patience_lasts(until);) {
            event_base_loop(s->base, EVLOOP_NONBLOCK);
        }
        s->provider->cancel(s->provider);
    }
    s->server.v4 = SAYS_ADDRESS;
    s->server.v6 = SAYS_NO_ADDRESS;
    run(s);
    assert_named(s, "192.0.2.7:8081 ");
    s->provider->start(s->provider, &s->pass); /* from memory */
    s->provider->cancel(s->provider);
    event_base_loop(s->base, EVLOOP_NONBLOCK);
    assert_int_equal(s->done_count, 1);
}

/* Before its targets are known, with one, and with more than are looked up at a time. */
static void a_pass_whose_time_is_over_names_what_it_has_and_says_what_is_missing(void **state)
{
    static const struct {
        bool is_held;
        unsigned silent;
        const char *detail, *named;
    } cases[] = {
        {true, 1, "_repram._tcp.test.: no answer in time", ""},
        {false, 1, "s0._repram._tcp.test: no answer in time", "10.0.0.2:8082 "},
        {false, 40, "s0._repram._tcp.test: no answer in time, nor of other targets",
         "10.0.0.2:8082 "},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_records(s);
        for (unsigned j = 0; j < cases[i].silent; j++) {
            char label[16];
            (void)snprintf(label, sizeof(label), "s%u", j);
            put_service(s, 60, 1, 8081, label);
        }
        put_service(s, 60, 2, 8082, "b");
        put_addr(s, "b", 2);
        s->server.records_len = s->records.pos;
        s->server.is_held = cases[i].is_held;
        s->server.v4 = s->server.v6 = SAYS_NOTHING;
        s->server.asked_v4 = s->server.asked_others = 0;
        s->named_count = 0;
        s->provider->start(s->provider, &s->pass);
        for (const uint64_t until = patience_begins();
             (cases[i].is_held ? s->server.asked_others : s->server.asked_v4) == 0 &&
             patience_lasts(until);) {
            event_base_loop(s->base, EVLOOP_NONBLOCK);
        }
        assert_string_equal(s->provider->give_up(s->provider), cases[i].detail);
        assert_named(s, cases[i].named);
        s->provider->cancel(s->provider);
    }
    assert_int_equal(s->done_count, 0);
}

static void only_addresses_that_the_node_reaches_are_named(void **state)
{
    struct scene *s = *state;
    s->pass.wanted = DNS_IPV6;
    s->server.v6 = SAYS_ADDRESS;
    put_service(s, 60, 1, 8081, "a");
    put_addr(s, "a", 1);
    run(s);
    assert_named(s, "[2001:db8::7]:8081 ");
    assert_int_equal(s->server.asked_v4, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(services_are_named_by_priority_with_the_addresses_that_came_along),
        TEST(addresses_that_did_not_come_along_are_asked_for_once_a_target),
        TEST(a_target_is_asked_for_as_it_is_whatever_the_search_list),
        TEST(a_target_may_have_many_addresses_and_there_may_be_many_targets),
        TEST(an_answer_is_named_again_for_its_ttl_and_then_asked_for_anew),
        TEST(the_shortest_ttl_counts),
        TEST(while_the_servers_fail_the_last_list_is_named_again),
        TEST(without_services_nobody_is_named),
        TEST(a_target_that_cannot_be_looked_up_is_a_failure_and_hides_no_other),
        TEST(only_so_many_services_and_addresses_are_taken),
        TEST(a_cancelled_pass_is_not_heard_of_and_the_next_one_is),
        TEST(a_pass_whose_time_is_over_names_what_it_has_and_says_what_is_missing),
        TEST(only_addresses_that_the_node_reaches_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
