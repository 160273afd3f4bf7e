/* dns_servers and, under it, dns_channel with c-ares: whom they ask, and what they make of answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "name_server.h"
#include "net/out/dns_channel.h"
#include "net/out/dns_servers.h"
#include "own_clock.h"
#include "patience.h"

#include <ares.h>
#include <stdio.h>

/* Where nobody is silent a kernel may take its time: a lost segment of TCP alone costs 200 ms. */
enum { SERVERS = 3, TRY_MS = 200, LONG_TRY_MS = 1000 * PATIENCE_S };

struct scene {
    struct event_base *base;
    struct name_server own[SERVERS];
    struct dns_servers *servers;
    size_t calls;
    enum rc rc;
    bool is_name;
    uint32_t records;
    char detail[DNS_DETAIL_SIZE];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    s->base = event_base_new();
    for (size_t i = 0; i < SERVERS; i++) {
        name_server_open(&s->own[i], s->base, i > 0);
        s->own[i].v4 = s->own[i].v6 = SAYS_ADDRESS;
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    dns_servers_free(s->servers);
    for (size_t i = 0; i < SERVERS; i++) {
        name_server_close(&s->own[i]);
    }
    event_base_free(s->base);
    free(s);
    return 0;
}

/* The first `count` servers from `first` on are known from now on. */
static void know_for(struct scene *s, size_t first, size_t count, uint32_t try_ms)
{
    struct addr at[SERVERS];
    for (size_t i = 0; i < count; i++) {
        at[i] = s->own[first + i].at;
    }
    dns_servers_free(s->servers);
    s->servers = dns_servers_new(s->base, at, count, try_ms);
    assert_non_null(s->servers);
}

static void know(struct scene *s, size_t first, size_t count)
{
    know_for(s, first, count, TRY_MS);
}

static void count_record(void *arg, const struct dns_record *record)
{
    struct scene *s = arg;
    s->records += record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA;
}

static void on_done(void *arg, const struct dns_outcome *outcome)
{
    struct scene *s = arg;
    s->calls++;
    s->rc = outcome->rc;
    s->is_name = outcome->is_name;
    s->records = 0;
    (void)snprintf(s->detail, sizeof(s->detail), "%s",
                   outcome->detail != NULL ? outcome->detail : "");
    if (outcome->rc == RC_OK) {
        s->rc = dns_message_read(outcome->bytes, outcome->len, count_record, s);
    }
    event_base_loopbreak(s->base);
}

static void await(struct scene *s)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    event_base_loopexit(s->base, &patience);
    event_base_dispatch(s->base);
    assert_int_equal(s->calls, 1);
}

static void ask(struct scene *s, enum dns_type type)
{
    s->calls = 0;
    assert_non_null(dns_servers_ask(s->servers, "cluster.example", type, on_done, s));
    assert_int_equal(s->calls, 0);
    await(s);
}

/* The name of a server in details, and what it did. */
static void assert_said(const struct scene *s, size_t server, const char *what)
{
    char at[ADDR_TEXT_SIZE], text[160];
    (void)snprintf(text, sizeof(text), "%s %s", addr_format(&s->own[server].at, at), what);
    if (strstr(s->detail, text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, s->detail);
    }
}

static void every_kind_of_question_goes_to_the_first_server_that_answers(void **state)
{
    struct scene *s = *state;
    know_for(s, 0, SERVERS, LONG_TRY_MS);
    for (int i = 0; i < 3; i++) {
        ask(s, DNS_TYPE_A);
        ask(s, DNS_TYPE_AAAA);
        assert_int_equal(s->rc, RC_OK);
        assert_int_equal(s->records, 1);
    }
    assert_int_equal(s->own[0].asked_v4, 3);
    assert_int_equal(s->own[0].asked_v6, 3);
    assert_int_equal(s->own[1].asked_v4 + s->own[1].asked_v6, 0);
}

static void that_there_is_no_such_name_or_record_is_an_answer(void **state)
{
    struct scene *s = *state;
    know_for(s, 0, SERVERS, LONG_TRY_MS);
    s->own[0].v4 = SAYS_NO_NAME;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_NOT_FOUND);
    assert_false(s->is_name);
    s->own[0].v4 = SAYS_NO_ADDRESS;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_NOT_FOUND);
    assert_true(s->is_name);
    assert_int_equal(s->own[1].asked_v4, 0);
}

static void a_server_that_cannot_answer_or_is_silent_hides_no_next_one(void **state)
{
    static const enum saying sayings[] = {SAYS_FAILED, SAYS_REFUSED, SAYS_NOT_IMPLEMENTED,
                                          SAYS_GARBAGE, SAYS_NOTHING};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        know(s, 0, SERVERS);
        s->own[0].v4 = s->own[1].v4 = sayings[i];
        ask(s, DNS_TYPE_A);
        assert_int_equal(s->rc, RC_OK);
        assert_int_equal(s->own[2].asked_v4, i + 1);
    }
}

static void the_end_says_which_server_did_what(void **state)
{
    static const struct {
        enum saying saying;
        enum rc rc;
        const char *text;
    } cases[] = {
        {SAYS_FAILED, RC_IO, "fails (SERVFAIL)"},
        {SAYS_REFUSED, RC_IO, "refuses to answer (REFUSED)"},
        {SAYS_NOT_IMPLEMENTED, RC_IO, "does not do such questions (NOTIMP)"},
        {SAYS_GARBAGE, RC_IO, "gives an answer that cannot be used"},
        {SAYS_NOTHING, RC_TIMEOUT, "does not answer"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        know(s, 1, 1);
        s->own[1].v4 = cases[i].saying;
        ask(s, DNS_TYPE_A);
        assert_int_equal(s->rc, cases[i].rc);
        assert_said(s, 1, cases[i].text);
    }
    know(s, 0, 2);
    s->own[0].v4 = SAYS_NOTHING;
    s->own[1].v4 = SAYS_REFUSED;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_IO);
    assert_said(s, 0, "does not answer, ");
    assert_said(s, 1, "refuses to answer (REFUSED)");
}

/* Nobody has the port any more, unless somebody took it since: then another one does. */
static void a_server_that_is_not_there_is_known_at_once_to_be_none(void **state)
{
    struct scene *s = *state;
    uint64_t waited_us = UINT64_MAX;
    for (const uint64_t until = patience_begins(); waited_us > 0 && patience_lasts(until);) {
        struct name_server gone;
        name_server_open(&gone, s->base, false);
        const struct addr at[] = {gone.at, s->own[1].at};
        name_server_close(&gone);
        dns_servers_free(s->servers);
        s->servers = dns_servers_new(s->base, at, 2, TRY_MS);
        const uint64_t before_us = own_clock_us;
        ask(s, DNS_TYPE_A);
        waited_us = own_clock_us - before_us;
        assert_int_equal(s->rc, RC_OK);
    }
    assert_int_equal(waited_us, 0);
}

static void a_silent_server_is_asked_twice_and_one_that_fails_once(void **state)
{
    struct scene *s = *state;
    know(s, 1, 2);
    s->own[1].v4 = SAYS_NOTHING;
    s->own[2].v6 = SAYS_NOTHING;
    s->own[2].v4 = SAYS_REFUSED;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[1].asked_v4, DNS_TRIES);
    assert_int_equal(s->own[2].asked_v4, 1);
    assert_int_equal(dns_servers_limit_ms(s->servers), 2 * DNS_TRIES * TRY_MS);
}

static void one_lost_datagram_is_made_up_for(void **state)
{
    struct scene *s = *state;
    know(s, 1, 1);
    s->own[1].v4 = SAYS_NOTHING;
    s->own[1].then_v4 = SAYS_ADDRESS;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->own[1].asked_v4, 2);
}

static void on_release(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    name_server_release(arg);
}

/* Its answer comes when the next one has been asked already, and that is silent. */
static void a_slow_server_is_heard(void **state)
{
    struct scene *s = *state;
    const struct timeval late = {.tv_usec = TRY_MS * 1000 * 3 / 2};
    know(s, 0, 2);
    s->own[0].is_held = true;
    s->own[1].v4 = SAYS_NOTHING;
    assert_int_equal(event_base_once(s->base, -1, EV_TIMEOUT, on_release, &s->own[0], &late), 0);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->own[0].asked_v4, 1);
    assert_int_equal(s->own[1].asked_v4, 1);
}

static void a_server_that_was_silent_is_asked_last_until_it_speaks(void **state)
{
    struct scene *s = *state;
    know(s, 0, 2);
    s->own[0].v4 = SAYS_NOTHING;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, 1);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, 1);
    assert_int_equal(s->own[1].asked_v4, 2);
    s->own[0].v4 = SAYS_ADDRESS;
    s->own[1].v4 = SAYS_REFUSED;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, 2);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, 3);
    assert_int_equal(s->own[1].asked_v4, 3);
}

static void a_server_that_was_silent_is_asked_once_beside_one_that_fails(void **state)
{
    struct scene *s = *state;
    know(s, 0, 2);
    s->own[0].v4 = SAYS_NOTHING;
    s->own[1].v4 = SAYS_REFUSED;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, DNS_TRIES);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->own[0].asked_v4, DNS_TRIES + 1);
    assert_int_equal(s->rc, RC_IO);
}

/* 60 records of 16 bytes go into a datagram as EDNS allows them, 90 do not, nor do 4,000. */
static void long_answers_come_by_large_datagrams_and_by_tcp(void **state)
{
    static const struct {
        uint32_t count, by_tcp;
    } cases[] = {{28, 0}, {29, 0}, {60, 0}, {90, 1}, {4000, 1}};
    struct scene *s = *state;
    know_for(s, 1, 1, LONG_TRY_MS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s->own[1].addr_count = cases[i].count;
        s->own[1].asked_by_tcp = s->own[1].asked_with_edns = 0;
        ask(s, DNS_TYPE_A);
        assert_int_equal(s->rc, RC_OK);
        assert_int_equal(s->records, cases[i].count);
        assert_int_equal(s->own[1].asked_by_tcp, cases[i].by_tcp);
        assert_true(s->own[1].asked_with_edns > 0);
    }
}

static void a_cut_answer_of_a_server_without_tcp_hides_no_next_one(void **state)
{
    struct scene *s = *state;
    know_for(s, 0, 1, LONG_TRY_MS);
    s->own[0].addr_count = s->own[1].addr_count = 200;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_IO);
    assert_said(s, 0, "cannot be reached");
    know_for(s, 0, 2, LONG_TRY_MS);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->records, 200);
}

static void what_is_no_name_is_not_asked_for(void **state)
{
    struct scene *s = *state;
    know_for(s, 1, 2, LONG_TRY_MS);
    char label[64 + 1];
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    assert_non_null(dns_servers_ask(s->servers, label, DNS_TYPE_A, on_done, s));
    await(s);
    assert_int_equal(s->rc, RC_NOT_FOUND);
    assert_int_equal(s->own[1].asked_v4 + s->own[2].asked_v4, 0);
}

static void a_cancelled_lookup_is_not_heard_of(void **state)
{
    struct scene *s = *state;
    const struct timeval soon = {.tv_usec = 1000};
    know_for(s, 1, 2, LONG_TRY_MS);
    dns_servers_cancel(dns_servers_ask(s->servers, "a.example", DNS_TYPE_A, on_done, s));
    dns_servers_cancel(NULL);
    struct dns_lookup *l = dns_servers_ask(s->servers, "b.example", DNS_TYPE_A, on_done, s);
    s->own[1].is_held = true;
    for (const uint64_t until = patience_begins();
         s->own[1].asked_v4 == 0 && patience_lasts(until);) {
        event_base_loop(s->base, EVLOOP_NONBLOCK);
    }
    dns_servers_cancel(l);
    name_server_release(&s->own[1]);
    event_base_loopexit(s->base, &soon);
    event_base_dispatch(s->base);
    assert_int_equal(s->calls, 0);
}

static void as_many_servers_as_there_may_be_are_asked(void **state)
{
    struct scene *s = *state;
    struct addr at[DNS_SERVERS_MAX];
    for (size_t i = 0; i < DNS_SERVERS_MAX; i++) {
        at[i] = i == DNS_SERVERS_MAX - 1 ? s->own[2].at : s->own[1].at;
    }
    s->own[1].v4 = SAYS_REFUSED;
    s->servers = dns_servers_new(s->base, at, DNS_SERVERS_MAX, TRY_MS);
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_OK);
    assert_int_equal(s->own[1].asked_v4, DNS_SERVERS_MAX - 1);
    s->own[2].v4 = SAYS_REFUSED;
    ask(s, DNS_TYPE_A);
    assert_int_equal(s->rc, RC_IO); /* whose text is longer than its place */
    assert_int_equal(strlen(s->detail), DNS_DETAIL_SIZE - 1);
}

/* ---- c-ares without memory ---- */

static struct {
    size_t blocks; /* that c-ares holds */
    size_t left;   /* calls that still get memory */
    bool has_failed;
} memory = {.left = SIZE_MAX};

static bool is_over(void)
{
    memory.has_failed = memory.has_failed || memory.left == 0;
    return memory.left == 0 || memory.left-- == 0;
}

static void *counted_malloc(size_t size)
{
    void *block = is_over() ? NULL : malloc(size);
    memory.blocks += block != NULL;
    return block;
}

static void *counted_realloc(void *old, size_t size)
{
    void *block = is_over() ? NULL : realloc(old, size);
    memory.blocks += block != NULL && old == NULL;
    return block;
}

static void counted_free(void *block)
{
    memory.blocks -= block != NULL;
    free(block);
}

/* No resolver can be made, or a question fails, or the next server answers it. */
static void without_memory_for_c_ares_a_question_ends_and_nothing_is_left(void **state)
{
    struct scene *s = *state;
    const struct addr at[] = {s->own[1].at, s->own[2].at};
    const size_t before = memory.blocks;
    size_t left = 0;
    do {
        memory.has_failed = false;
        memory.left = left++;
        s->own[1].addr_count = 200; /* which come by TCP */
        s->servers = dns_servers_new(s->base, at, 2, TRY_MS);
        if (s->servers != NULL) {
            ask(s, DNS_TYPE_A);
        }
        dns_servers_free(s->servers);
        s->servers = NULL;
        assert_int_equal(memory.blocks, before);
    } while (memory.has_failed);
    memory.left = SIZE_MAX;
    assert_int_equal(s->rc, RC_OK);
    assert_true(left > 10); /* there were some to fail */
}

int main(void)
{
    /* Before its first user, as later ones do not change it. */
    if (ares_library_init_mem(ARES_LIB_INIT_ALL, counted_malloc, counted_free, counted_realloc) !=
        ARES_SUCCESS) {
        return 1;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_question_goes_to_the_first_server_that_answers),
        TEST(that_there_is_no_such_name_or_record_is_an_answer),
        TEST(a_server_that_cannot_answer_or_is_silent_hides_no_next_one),
        TEST(the_end_says_which_server_did_what),
        TEST(a_server_that_is_not_there_is_known_at_once_to_be_none),
        TEST(a_silent_server_is_asked_twice_and_one_that_fails_once),
        TEST(one_lost_datagram_is_made_up_for),
        TEST(a_slow_server_is_heard),
        TEST(a_server_that_was_silent_is_asked_last_until_it_speaks),
        TEST(a_server_that_was_silent_is_asked_once_beside_one_that_fails),
        TEST(long_answers_come_by_large_datagrams_and_by_tcp),
        TEST(a_cut_answer_of_a_server_without_tcp_hides_no_next_one),
        TEST(what_is_no_name_is_not_asked_for),
        TEST(a_cancelled_lookup_is_not_heard_of),
        TEST(without_memory_for_c_ares_a_question_ends_and_nothing_is_left),
        TEST(as_many_servers_as_there_may_be_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
