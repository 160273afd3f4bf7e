#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acl_rig.h"
#include "log_lines.h"
#include "net/api/api_admit.h"
#include "net/claiming.h"
#include "net/node_access.h"
#include "net/sys/hostclock.h"
#include "net/sys/rfc3339.h"
#include "own_clock.h"
#include "patience.h"

#include <event2/event.h>

struct rig {
    struct log_lines lines;
    const char *rules; /* NULL: the file is no good */
    unsigned asked;
    struct event_base *base;
    struct node_access na;
    struct watch *watch;
};

static struct acl *on_acl(void *arg)
{
    struct rig *rig = (struct rig *)arg;
    rig->asked++;
    return rig->rules == NULL ? NULL : acl_rig(rig->rules);
}

static uint64_t on_now(void *arg)
{
    (void)arg;
    return hostclock_boot_us();
}

static void on_nothing(void *arg, uint64_t n)
{
    (void)arg;
    (void)n;
}

static int setup(void **state)
{
    static struct rig rig;
    rig = (struct rig){.rules = "", .base = event_base_new()};
    log_lines_init(&rig.lines);
    rig.lines.hooks.acl = on_acl;
    const struct watch_config config = {
        .watchers_max = 9, .now_us = on_now, .wake = on_nothing, .turn_by = on_nothing};
    rig.watch = watch_new(&config);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    node_access_fini(&rig->na);
    watch_free(rig->watch);
    event_base_free(rig->base);
    return 0;
}

static enum rc start(struct rig *rig, const struct node_config *config)
{
    const enum rc rc = node_access_init(&rig->na, rig->base, config, &rig->lines.hooks);
    rig->na.watch = rig->watch;
    return rc;
}

static bool may_watch(struct rig *rig, const char *token)
{
    char value[32];
    (void)snprintf(value, sizeof(value), "Bearer %s", token);
    const struct http_header header = {{"Authorization", 13}, {value, strlen(value)}};
    struct http_request rq = {.path = {"/watch", 6}, .headers = &header, .header_count = 1};
    struct http_response rs;
    http_response_init(&rs);
    rq.route = claiming_route(rig->na.cors, &rq);
    const bool is_allowed = node_access_judge(&rig->na, NULL, &rq, 0, &rs);
    http_response_fini(&rs);
    return is_allowed;
}

/* hooks.acl is the log's argument too: the rig's first member is the lines. */
static void without_a_file_all_may_do_everything_and_nobody_is_asked(void **state)
{
    struct rig *rig = *state;
    const struct node_config config = {.cors = "none"};
    assert_int_equal(start(rig, &config), RC_OK);
    assert_null(rig->na.access);
    assert_null(rig->na.timer);
    assert_true(may_watch(rig, "any"));
    node_access_reload(&rig->na);
    assert_int_equal(rig->asked, 0);
    assert_null(cors_lines_blind(rig->na.cors));
}

static void rules_that_are_no_good_start_no_node(void **state)
{
    struct rig *rig = *state;
    const struct node_config config = {.has_acl = true};
    rig->rules = NULL;
    assert_int_equal(start(rig, &config), RC_CONFIG);
}

static void bad_acl_reload_keeps_old(void **state)
{
    struct rig *rig = *state;
    const struct node_config config = {.has_acl = true};
    rig->rules = "user a token:a\nallow watch";
    assert_int_equal(start(rig, &config), RC_OK);
    assert_true(may_watch(rig, "a"));
    rig->rules = NULL;
    node_access_reload(&rig->na);
    assert_true(may_watch(rig, "a"));
    assert_non_null(strstr(rig->lines.text, "the rules are as they were"));
    rig->rules = "user b token:b\nallow watch";
    node_access_reload(&rig->na);
    assert_false(may_watch(rig, "a"));
    assert_true(may_watch(rig, "b"));
    assert_int_equal(rig->asked, 3);
}

static struct http_response open_stream(struct rig *rig, const char *token)
{
    struct watch_request request = {.prefix = (const uint8_t *)"", .id = 1};
    struct http_response rs;
    http_response_init(&rs);
    acl_rig_hash(token, strlen(token), request.who);
    assert_int_equal(watch_open(rig->watch, &request, &rs), RC_OK);
    return rs;
}

static bool has_ended(const struct http_response *rs)
{
    struct buf piece;
    buf_init(&piece, 4096);
    const bool is_over = !rs->produce(rs->arg, &piece);
    assert_int_equal(is_over, memmem(buf_data(&piece), piece.len, "forbidden", 9) != NULL);
    buf_fini(&piece);
    return is_over;
}

static void token_expires_mid_watch(void **state)
{
    struct rig *rig = *state;
    const struct node_config config = {.has_acl = true};
    char end[RFC3339_TEXT_SIZE], rules[160];
    (void)rfc3339_format(hostclock_wall_ms() + 60000, end);
    (void)snprintf(rules, sizeof(rules),
                   "user a token:a expires=%s\nallow watch\nuser b token:b\nallow watch", end);
    rig->rules = rules;
    assert_int_equal(start(rig, &config), RC_OK);
    struct http_response a = open_stream(rig, "a");
    struct http_response b = open_stream(rig, "b");
    own_clock_pass_ms(59000);
    (void)event_base_loop(rig->base, EVLOOP_NONBLOCK);
    assert_false(has_ended(&a));
    own_clock_pass_ms(1000);
    /* At the next look, which is at most a quarter of a second away. */
    own_clock_pass_ms(ACCESS_TICK_MS);
    (void)event_base_loop(rig->base, EVLOOP_NONBLOCK);
    assert_true(has_ended(&a));
    assert_false(has_ended(&b));
    assert_false(may_watch(rig, "a"));
    http_response_fini(&a);
    http_response_fini(&b);
}

static void token_revoked_mid_watch(void **state)
{
    struct rig *rig = *state;
    const struct node_config config = {.has_acl = true};
    rig->rules = "user a token:a\nallow watch\nuser b token:b\nallow watch";
    assert_int_equal(start(rig, &config), RC_OK);
    struct http_response a = open_stream(rig, "a");
    struct http_response b = open_stream(rig, "b");
    assert_false(has_ended(&a));
    rig->rules = "user b token:b\nallow watch";
    node_access_reload(&rig->na);
    assert_true(has_ended(&a));
    assert_false(has_ended(&b));
    http_response_fini(&a);
    http_response_fini(&b);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_all_may_do_everything_and_nobody_is_asked),
        TEST(rules_that_are_no_good_start_no_node),
        TEST(bad_acl_reload_keeps_old),
        TEST(token_expires_mid_watch),
        TEST(token_revoked_mid_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
