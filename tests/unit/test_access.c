#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acl_rig.h"
#include "core/base/units.h"
#include "log_lines.h"
#include "net/access/access.h"
#include "net/http/rate_limit.h"

#define TOO_MANY (ACCESS_WRONG_PER_S * RATE_LIMIT_BURST_S)

struct rig {
    struct log_lines lines;
    struct access *access;
    uint64_t clock_ms;
    struct http_header headers[2];
    size_t header_count;
    uint8_t client; /* the last byte of its address */
    struct access_who who;
};

static uint64_t on_clock(void *arg)
{
    return ((struct rig *)arg)->clock_ms;
}

static void start(struct rig *rig, const char *rules)
{
    *rig = (struct rig){.clock_ms = 1000000, .client = 1};
    log_lines_init(&rig->lines);
    const struct access_config config = {
        .hooks = &rig->lines.hooks, .seed = 1, .arg = rig, .clock_ms = on_clock};
    rig->access = access_new(&config, acl_rig(rules));
    assert_non_null(rig->access);
}

static void with(struct rig *rig, const char *name, const char *value)
{
    rig->headers[rig->header_count++] =
        (struct http_header){{name, strlen(name)}, {value, strlen(value)}};
}

static struct http_request request(const struct rig *rig)
{
    const uint8_t ip[4] = {192, 0, 2, rig->client};
    return (struct http_request){.headers = rig->headers,
                                 .header_count = rig->header_count,
                                 .path = {"/data/k", 7},
                                 .query = {"secret=1", 8},
                                 .client = addr_v4(ip, 9)};
}

/* Who asks with that header, or without one. */
static enum rc identify(struct rig *rig, const char *authorization, uint64_t mono_ms)
{
    if (authorization != NULL) {
        with(rig, "authorization", authorization);
    }
    const struct http_request rq = request(rig);
    const enum rc rc = access_identify(rig->access, &rq, mono_ms, &rig->who);
    rig->header_count = 0;
    return rc;
}

static void a_token_comes_as_bearer_once_and_in_no_other_way(void **state)
{
    static const char *const bad[] = {
        "Bearer",    "Bearer ",     "Bearer two",     "Basic b25l",     "one",
        "Bearerone", "Bearer\tone", "Bearer one two", "Bearer \"one\"", "Bearer ONE"};
    struct rig rig;
    (void)state;
    start(&rig, "user a token:one\nuser * ");
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_OK);
    assert_int_equal(rig.who.user, 0);
    assert_true(rig.who.has_token);
    assert_int_equal(identify(&rig, "bEARER   one ", 0), RC_OK);
    assert_int_equal(rig.who.user, 0);
    assert_int_equal(identify(&rig, NULL, 0), RC_OK);
    assert_int_equal(rig.who.user, 1);
    assert_false(rig.who.has_token);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(identify(&rig, bad[i], 0), RC_REFUSED);
        assert_int_equal(rig.who.user, ACCESS_NOBODY);
    }
    with(&rig, "Authorization", "Bearer one"); /* twice, though both are good */
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_REFUSED);
    access_free(rig.access);
}

static void a_token_is_as_long_as_it_may_be_and_no_longer(void **state)
{
    char header[1100] = "Bearer ";
    struct rig rig;
    char rules[2200];
    (void)state;
    memset(header + 7, 'x', 1025);
    (void)snprintf(rules, sizeof(rules), "user a token:%.1024s token:%s", header + 7, header + 7);
    start(&rig, rules);
    assert_int_equal(identify(&rig, header, 0), RC_REFUSED);
    header[7 + 1024] = '\0';
    assert_int_equal(identify(&rig, header, 0), RC_OK);
    access_free(rig.access);
}

static void wrong_tokens_of_an_address_have_a_budget_and_good_ones_are_not_slowed(void **state)
{
    struct rig rig;
    (void)state;
    start(&rig, "user a token:one");
    for (unsigned i = 0; i < TOO_MANY; i++) {
        assert_int_equal(identify(&rig, "Bearer two", 5000), RC_REFUSED);
    }
    assert_int_equal(identify(&rig, "Bearer two", 5000), RC_OVERLOADED);
    for (unsigned i = 0; i < 3 * TOO_MANY; i++) {
        assert_int_equal(identify(&rig, "Bearer one", 5000), RC_OK);
        assert_int_equal(identify(&rig, NULL, 5000), RC_OK);
    }
    assert_int_equal(identify(&rig, "Bearer two", 5000), RC_OVERLOADED);
    rig.client = 2;
    assert_int_equal(identify(&rig, "Bearer two", 5000), RC_REFUSED);
    rig.client = 1;
    for (unsigned i = 0; i < ACCESS_WRONG_PER_S; i++) {
        assert_int_equal(identify(&rig, "Bearer two", 6000), RC_REFUSED);
    }
    assert_int_equal(identify(&rig, "Bearer two", 6000), RC_OVERLOADED);
    access_free(rig.access);
}

static void nobody_may_anything_where_the_rules_are_empty(void **state)
{
    const struct acl_ask ask = {.verb = ACL_READ, .key = (const uint8_t *)"k", .key_len = 1};
    char text[ACCESS_PREFIXES_SIZE];
    struct rig rig;
    (void)state;
    start(&rig, "");
    assert_int_equal(identify(&rig, NULL, 0), RC_OK);
    assert_int_equal(rig.who.user, ACCESS_NOBODY);
    assert_int_equal(access_judge(rig.access, rig.who.user, &ask).why, ACL_NO_VERB);
    assert_string_equal(access_prefixes(rig.access, rig.who.user, ACL_READ, text), "");
    access_free(rig.access);
    access_free(NULL);
}

static void new_rules_take_the_place_of_the_old_ones_and_bad_ones_do_not(void **state)
{
    struct rig rig;
    uint32_t user = 9;
    uint8_t hash[DIGEST_SIZE];
    (void)state;
    start(&rig, "user a token:one\nallow read");
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_OK);
    memcpy(hash, rig.who.hash, sizeof(hash));
    const uint32_t serial = access_serial(rig.access);
    access_reload(rig.access, NULL);
    assert_int_equal(access_serial(rig.access), serial);
    assert_int_equal(access_recall(rig.access, hash, &user), RC_OK);
    assert_int_equal(user, 0);
    assert_string_equal(
        rig.lines.text,
        "error acl the rules are as they were: 1 user, 1 line, digest 9eecaffba1012434\n");
    log_lines_clear(&rig.lines);
    access_reload(rig.access, acl_rig("user b token:two\nuser a token:one\nuser *"));
    assert_int_not_equal(access_serial(rig.access), serial);
    assert_string_equal(
        rig.lines.text,
        "info acl the rules are read anew: 3 users, 0 lines, digest f12d87cfe76036e6; were 1 user, "
        "1 line\n");
    assert_int_equal(access_recall(rig.access, hash, &user), RC_OK);
    assert_int_equal(user, 1);
    memset(hash, 0, sizeof(hash));
    assert_int_equal(access_recall(rig.access, hash, &user), RC_OK);
    assert_int_equal(user, 2);
    access_reload(rig.access, acl_rig(""));
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_REFUSED);
    assert_int_equal(access_recall(rig.access, hash, &user), RC_REFUSED);
    const struct access_stats stats = access_stats(rig.access);
    assert_int_equal(stats.reloads_total, 2);
    assert_int_equal(stats.reloads_failed_total, 1);
    assert_int_equal(stats.users, 0);
    assert_int_equal(stats.rules, 0);
    assert_int_equal(stats.digest, UINT64_C(0xe3b0c44298fc1c14));
    access_free(rig.access);
}

static void the_end_of_a_token_is_told_once_whatever_the_clock_does(void **state)
{
    struct rig rig;
    uint32_t user = 0;
    (void)state;
    start(&rig, "user a token:one expires=1970-01-01T01:00:00Z\n"
                "user b token:two expires=1970-01-01T02:00:00Z");
    const uint64_t hour_ms = 3600000;
    assert_false(access_tick(rig.access));
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_OK);
    rig.clock_ms = hour_ms - 1;
    assert_false(access_tick(rig.access));
    rig.clock_ms = hour_ms;
    assert_true(access_tick(rig.access));
    assert_false(access_tick(rig.access));
    assert_int_equal(access_recall(rig.access, rig.who.hash, &user), RC_REFUSED);
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_REFUSED);
    rig.clock_ms = hour_ms / 2; /* set back: it is good again, and ends again */
    assert_false(access_tick(rig.access));
    assert_int_equal(identify(&rig, "Bearer one", 0), RC_OK);
    rig.clock_ms = hour_ms;
    assert_true(access_tick(rig.access));
    rig.clock_ms = 3 * hour_ms;
    assert_true(access_tick(rig.access));
    assert_false(access_tick(rig.access));
    access_free(rig.access);
}

static void a_refusal_is_counted_and_logged_without_token_or_query(void **state)
{
    struct rig rig;
    (void)state;
    start(&rig, "user a token:one\nuser b token:two");
    with(&rig, "Authorization", "Bearer hush");
    struct http_request rq = request(&rig);
    access_refused(rig.access, &rq, ACCESS_FORBIDDEN, 1, "write");
    access_refused(rig.access, &rq, ACCESS_NO_TOKEN, ACCESS_NOBODY, "read");
    access_refused(rig.access, &rq, ACCESS_BAD_TOKEN, ACCESS_NOBODY, "try");
    access_refused(rig.access, &rq, ACCESS_LATER, ACCESS_NOBODY, "try");
    assert_string_equal(rig.lines.text,
                        "warn acl refused: user b from 192.0.2.1: write /data/k\n"
                        "warn acl refused: no token from 192.0.2.1: read /data/k\n"
                        "warn acl refused: a token that is not good from 192.0.2.1: try /data/k\n"
                        "warn acl refused: too many tokens that are not good from 192.0.2.1: try "
                        "/data/k\n");
    const struct access_stats stats = access_stats(rig.access);
    for (int i = 0; i < ACCESS_REFUSALS; i++) {
        assert_int_equal(stats.refused_total[i], 1);
    }
    static char path[1000];
    memset(path, 'p', sizeof(path));
    rq.path = (struct http_text){path, sizeof(path)};
    log_lines_clear(&rig.lines);
    access_refused(rig.access, &rq, ACCESS_NO_TOKEN, ACCESS_NOBODY, "read");
    assert_true(strlen(rig.lines.text) < 200);
    access_free(rig.access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_as_bearer_once_and_in_no_other_way),
        cmocka_unit_test(a_token_is_as_long_as_it_may_be_and_no_longer),
        cmocka_unit_test(wrong_tokens_of_an_address_have_a_budget_and_good_ones_are_not_slowed),
        cmocka_unit_test(nobody_may_anything_where_the_rules_are_empty),
        cmocka_unit_test(new_rules_take_the_place_of_the_old_ones_and_bad_ones_do_not),
        cmocka_unit_test(the_end_of_a_token_is_told_once_whatever_the_clock_does),
        cmocka_unit_test(a_refusal_is_counted_and_logged_without_token_or_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
