/* Who may do what, asked of the front door as a client would. */
#include "api_fixture.h"

#include "acl_rig.h"
#include "log_lines.h"
#include "net/api/api_admit.h"
#include "net/api/api_watch.h"

static struct log_lines lines;
static struct access *rules;

static uint64_t on_clock(void *arg)
{
    const struct fixture *f = arg;
    return engine_clock_ms(&f->engine, f->now_us);
}

/* A front door with these rules. */
static void set_rules(struct fixture *f, const char *text)
{
    const struct access_config config = {
        .hooks = &lines.hooks, .seed = 1, .arg = f, .clock_ms = on_clock};
    log_lines_init(&lines);
    access_free(rules);
    rules = access_new(&config, acl_rig(text));
    assert_non_null(rules);
    api_free(f->api);
    f->api_config.access = rules;
    f->api = api_new(&f->api_config, f->now_us);
}

static int teardown(void **state)
{
    access_free(rules);
    rules = NULL;
    return fixture_teardown(state);
}

static int ask_as(struct fixture *f, const char *token, enum http_method method, const char *target)
{
    char header[64];
    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    if (*token != '\0') {
        with_header(f, "Authorization", header);
    }
    if (strncmp(target, "/watch", 6) != 0) {
        return ask(f, method, target);
    }
    /* A stream has no end, and its answer is another test's. */
    fixture_reset(f);
    struct http_request rq = fixture_request(f, method, target);
    const bool is_allowed = api_judge(f->api, &rq, f->now_us, &f->rs);
    f->header_count = 0;
    return is_allowed ? 200 : f->rs.status;
}

struct expected {
    const char *token;
    enum http_method method;
    const char *target;
    int status;
};

static void check(struct fixture *f, const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int status = ask_as(f, cases[i].token, cases[i].method, cases[i].target);
        if (status != cases[i].status) {
            fail_msg("%s as '%s': %d, not %d", cases[i].target, cases[i].token, status,
                     cases[i].status);
        }
        if (status == 0) {
            assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
        }
    }
}

#define CHECK(f, cases) check(f, cases, sizeof(cases) / sizeof((cases)[0]))

static void empty_acl_denies_all_but_probes(void **state)
{
    struct fixture *f = *state;
    static const struct expected cases[] = {
        {"", HTTP_GET_, "/health", 200},    {"", HTTP_GET_, "/livez", 200},
        {"", HTTP_GET_, "/v1/readyz", 200}, {"x", HTTP_GET_, "/health", 200},
        {"", HTTP_GET_, "/", 200},          {"", HTTP_OPTIONS_, "/data/k", 204},
        {"", HTTP_GET_, "/none", 404},      {"", HTTP_DELETE_, "/data/k", 405},
        {"", HTTP_GET_, "/data/k", 401},    {"", HTTP_HEAD_, "/data/k", 401},
        {"", HTTP_PUT_, "/data/k", 401},    {"", HTTP_PUT_, "/v1/data/k", 401},
        {"", HTTP_GET_, "/data%2Fk", 401},  {"", HTTP_GET_, "/keys", 401},
        {"", HTTP_GET_, "/scan", 401},      {"", HTTP_POST_, "/mget", 401},
        {"", HTTP_GET_, "/watch", 401},     {"", HTTP_HEAD_, "/watch", 401},
        {"", HTTP_GET_, "/peers", 401},     {"", HTTP_GET_, "/status", 401},
        {"", HTTP_GET_, "/topology", 401},  {"", HTTP_GET_, "/metrics", 401},
        {"x", HTTP_GET_, "/data/k", 401},
    };
    set_rules(f, "");
    CHECK(f, cases);
    assert_header(f, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
    assert_problem(f, "unauthorized");
    assert_int_equal(ask(f, HTTP_GET_, "/keys"), 401);
    assert_header(f, "WWW-Authenticate", "Bearer");
    assert_header(f, "Access-Control-Allow-Origin", "*");
}

static void each_path_takes_its_verb(void **state)
{
    struct fixture *f = *state;
    static const struct expected cases[] = {
        {"r", HTTP_GET_, "/data/k", 404},
        {"r", HTTP_HEAD_, "/data/k", 404},
        {"r", HTTP_PUT_, "/data/k", 403},
        {"r", HTTP_GET_, "/keys", 403},
        {"w", HTTP_PUT_, "/data/k", 0},
        {"w", HTTP_GET_, "/data/k", 403},
        {"r", HTTP_GET_, "/data/k", 200},
        {"l", HTTP_GET_, "/keys", 200},
        {"l", HTTP_GET_, "/scan", 200},
        {"l", HTTP_GET_, "/data/k", 403},
        {"l", HTTP_GET_, "/keys?values=1", 403},
        {"l", HTTP_GET_, "/keys?values=0", 200},
        {"s", HTTP_GET_, "/status", 200},
        {"s", HTTP_GET_, "/peers", 200},
        {"s", HTTP_GET_, "/topology", 200},
        {"s", HTTP_GET_, "/metrics", 403},
        {"m", HTTP_GET_, "/metrics", 200},
        {"m", HTTP_GET_, "/status", 403},
        {"all", HTTP_GET_, "/metrics", 200},
        {"all", HTTP_GET_, "/keys?values=1", 200},
        {"wa", HTTP_HEAD_, "/watch", 200},
        {"wa", HTTP_HEAD_, "/watch?values=1", 403},
        {"wa", HTTP_HEAD_, "/watch?values=x", 403},
        {"wa", HTTP_GET_, "/keys", 403},
        {"l", HTTP_HEAD_, "/watch", 403},
    };
    set_rules(f, "user r token:r\nallow read\nuser w token:w\nallow write\nuser l token:l\n"
                 "allow list\nuser wa token:wa\nallow watch\nuser s token:s\nallow status\n"
                 "user m token:m\nallow metrics\nuser all token:all\nallow all");
    CHECK(f, cases);
}

/* Whoever may only write learns nothing of what is there. */
static void write_only_has_no_oracle(void **state)
{
    struct fixture *f = *state;
    static char said[2][4096];
    set_rules(f, "user w token:w\nallow write\nuser rw token:rw\nallow read,write");
    assert_int_equal(ask_as(f, "rw", HTTP_PUT_, "/data/there"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    for (int i = 0; i < 4; i++) {
        static const char *const conditions[] = {"If-Match", "If-None-Match"};
        with_header(f, conditions[i / 2], i % 2 == 0 ? "*" : "\"1\"");
        assert_int_equal(ask_as(f, "w", HTTP_PUT_, "/data/there"), 403);
        assert_problem(f, "forbidden");
        (void)snprintf(said[0], sizeof(said[0]), "%s", body_text(f));
        with_header(f, conditions[i / 2], i % 2 == 0 ? "*" : "\"1\"");
        assert_int_equal(ask_as(f, "w", HTTP_PUT_, "/data/none"), 403);
        (void)snprintf(said[1], sizeof(said[1]), "%s", body_text(f));
        assert_string_equal(said[0], said[1]);
    }
    assert_int_equal(ask_as(f, "w", HTTP_GET_, "/data/there"), 403);
    (void)snprintf(said[0], sizeof(said[0]), "%s", body_text(f));
    assert_int_equal(ask_as(f, "w", HTTP_GET_, "/data/none"), 403);
    assert_string_equal(said[0], body_text(f));
    with_header(f, "If-None-Match", "*");
    assert_int_equal(ask_as(f, "rw", HTTP_PUT_, "/data/there"), 412);
}

static void mget_mixed_rights(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "{\"keys\":[\"a/1\",\"b/1\",\"b/none\",\"a/none\"]}";
    set_rules(f, "user a token:a\nallow read a/\nuser w token:w\nallow write");
    assert_int_equal(ask_as(f, "w", HTTP_PUT_, "/data/a%2F1"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    assert_int_equal(ask_as(f, "w", HTTP_PUT_, "/data/b%2F1"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    with_body(f, body);
    assert_int_equal(ask_as(f, "a", HTTP_POST_, "/mget"), 200);
    assert_non_null(strstr(body_text(f), "{\"key\":\"a/1\",\"found\":true"));
    assert_non_null(strstr(body_text(f), "{\"key\":\"b/1\",\"forbidden\":true},"
                                         "{\"key\":\"b/none\",\"forbidden\":true},"
                                         "{\"key\":\"a/none\",\"found\":false}]}"));
    with_body(f, body);
    assert_int_equal(ask_as(f, "w", HTTP_POST_, "/mget"), 403);
    with_body(f, body);
    assert_int_equal(ask(f, HTTP_POST_, "/mget"), 401);
}

static void listing_outside_one_prefix_403(void **state)
{
    struct fixture *f = *state;
    static const struct expected cases[] = {
        {"a", HTTP_GET_, "/keys?prefix=a/", 200},
        {"a", HTTP_GET_, "/keys?prefix=a/b", 200},
        {"a", HTTP_GET_, "/keys?prefix=a%2Fb", 200},
        {"a", HTTP_GET_, "/keys?prefix=a", 403},
        {"a", HTTP_GET_, "/keys?prefix=", 403},
        {"a", HTTP_GET_, "/keys", 403},
        {"a", HTTP_GET_, "/keys?prefix=b/", 403},
        {"a", HTTP_GET_, "/scan", 403},
        {"a", HTTP_GET_, "/scan?prefix=a/", 403}, /* which does not look at it */
        {"a", HTTP_GET_, "/keys?prefix=a/&prefix=a/", 403},
        {"a", HTTP_GET_, "/keys?prefix=a/%2", 403},
        {"a", HTTP_GET_, "/keys?Prefix=a/", 403},
        {"a", HTTP_GET_, "/keys?%70refix=a/", 200},
        {"a", HTTP_HEAD_, "/watch?prefix=c", 200},
        {"a", HTTP_HEAD_, "/watch?prefix=a/", 403},
        {"a", HTTP_HEAD_, "/watch", 403},
        {"a", HTTP_GET_, "/keys?prefix=a/&cursor=YQ", 200},
    };
    set_rules(f, "user a token:a\nallow list a/\nallow list c%20/\nallow watch c");
    CHECK(f, cases);
    assert_int_equal(ask_as(f, "a", HTTP_GET_, "/keys?prefix=x"), 403);
    assert_problem(f, "forbidden");
    assert_non_null(strstr(body_text(f), "one of these prefixes alone: a/, c%20/"));
}

static void put_refused_before_body(void **state)
{
    struct fixture *f = *state;
    static const struct expected cases[] = {
        {"a", HTTP_PUT_, "/data/a/k?ttl=10m", 0},  {"a", HTTP_PUT_, "/data/b", 403},
        {"a", HTTP_PUT_, "/data/a/k?ttl=2h", 403}, {"a", HTTP_PUT_, "/data/a/k", 0},
        {"a", HTTP_PUT_, "/data/a/k?ttl=x", 403},  {"all", HTTP_PUT_, "/data/a/k?ttl=x", 400},
        {"a", HTTP_PUT_, "/data/a/k?ttl=1s", 0}, /* which becomes the least that is stored */
    };
    set_rules(f, "user a token:a\nallow write a/ ttl<=1h size<=100\nallow write a/ ttl<=10m\n"
                 "user all token:all\nallow all");
    CHECK(f, cases);
    with_header(f, "Content-Length", "101");
    assert_int_equal(ask_as(f, "a", HTTP_PUT_, "/data/a/k?ttl=1h"), 403);
    assert_non_null(strstr(body_text(f), "at most 100 bytes"));
    with_header(f, "Content-Length", "101");
    assert_int_equal(ask_as(f, "a", HTTP_PUT_, "/data/a/k?ttl=10m"), 0);
    /* In chunks a body has no length before it is there, and ends at the bound. */
    with_header(f, "X-TTL", "3600");
    assert_int_equal(ask_as(f, "a", HTTP_PUT_, "/data/a/k"), 0);
    assert_int_equal(f->body_max, 100);
    assert_int_equal(ask_as(f, "a", HTTP_PUT_, "/data/a/k?ttl=5m"), 0);
    assert_int_equal(f->body_max, 10 << 20);
    assert_int_equal(ask_as(f, "a", HTTP_PUT_, "/data/a/k?ttl=2h"), 403);
    assert_non_null(strstr(body_text(f), "at most 3600 seconds"));
}

static void what_everybody_may_needs_no_token_and_a_wrong_one_is_refused_all_the_same(void **state)
{
    struct fixture *f = *state;
    static const struct expected cases[] = {
        {"", HTTP_GET_, "/keys?prefix=pub/", 200},
        {"", HTTP_GET_, "/keys?prefix=x", 401},
        {"bad", HTTP_GET_, "/keys?prefix=pub/", 401},
        {"a", HTTP_GET_, "/keys?prefix=pub/", 403},
    };
    set_rules(f, "user *\nallow list pub/\nuser a token:a\nallow read");
    CHECK(f, cases);
    assert_int_equal(access_stats(rules).refused_total[ACCESS_NO_TOKEN], 1);
    assert_int_equal(access_stats(rules).refused_total[ACCESS_BAD_TOKEN], 1);
    assert_int_equal(access_stats(rules).refused_total[ACCESS_FORBIDDEN], 1);
    for (int i = 0; i < 30; i++) {
        (void)ask_as(f, "bad", HTTP_GET_, "/keys");
    }
    assert_int_equal(ask_as(f, "bad", HTTP_GET_, "/keys"), 429);
    assert_problem(f, "rate_limited");
    assert_header(f, "Retry-After", "1");
    assert_int_equal(ask_as(f, "", HTTP_GET_, "/keys?prefix=pub/"), 200);
    assert_true(access_stats(rules).refused_total[ACCESS_LATER] > 0);
}

/* While a body comes, the rules may become others: those that are in force when it is whole
 * judge. */
/* What a browser asks for a page: the connection has its user's certificate. */
static int ask_as_page(struct fixture *f, const char *token, enum http_method method,
                       const char *target)
{
    char header[64];
    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    if (*token != '\0') {
        with_header(f, "Authorization", header);
    }
    with_header(f, "Origin", "https://page.example");
    fixture_reset(f);
    struct http_request rq = fixture_request(f, method, target);
    rq.needs_token = true;
    const bool is_allowed = api_judge(f->api, &rq, f->now_us, &f->rs);
    f->header_count = 0;
    return is_allowed ? 200 : f->rs.status;
}

static void beside_a_certificate_a_page_may_what_its_token_may_and_nothing_without_one(void **state)
{
    struct fixture *f = *state;
    set_rules(f, "user a token:a\nallow write app/\nuser *\nallow read,status");
    assert_int_equal(ask_as(f, "", HTTP_GET_, "/status"), 200);
    assert_int_equal(ask_as_page(f, "", HTTP_GET_, "/status"), 401);
    assert_header(f, "WWW-Authenticate", "Bearer");
    assert_int_equal(ask_as_page(f, "", HTTP_POST_, "/mget"), 401);
    assert_int_equal(ask_as_page(f, "a", HTTP_PUT_, "/data/app/k"), 200);
    assert_int_equal(ask_as_page(f, "a", HTTP_PUT_, "/data/k"), 403);
    assert_int_equal(ask_as_page(f, "b", HTTP_PUT_, "/data/app/k"), 401);
    assert_int_equal(ask_as_page(f, "", HTTP_GET_, "/fade/"), 200);
    assert_int_equal(ask_as_page(f, "", HTTP_OPTIONS_, "/data/app/k"), 200);
}

static void rules_that_change_while_a_body_comes_hold(void **state)
{
    struct fixture *f = *state;
    struct http_request rq;
    set_rules(f, "user a token:a\nallow write");
    with_header(f, "Authorization", "Bearer a");
    rq = fixture_request(f, HTTP_PUT_, "/data/k");
    fixture_reset(f);
    assert_true(api_judge(f->api, &rq, f->now_us, &f->rs));
    access_reload(rules, acl_rig("user a token:a\nallow read"));
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, NULL, NULL);
    assert_int_equal(f->rs.status, 403);
    assert_int_equal(f->rs.kind, HTTP_BODY_BYTES);
    access_reload(rules, acl_rig("user b token:b\nuser a token:a\nallow write"));
    fixture_reset(f);
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, NULL, NULL);
    assert_int_equal(f->rs.kind, HTTP_BODY_DEFER);
    /* It came in chunks, and is larger than what is allowed by now. */
    access_reload(rules, acl_rig("user a token:a\nallow write size<=3"));
    rq.body = (const uint8_t *)"four";
    rq.body_len = 4;
    fixture_reset(f);
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, NULL, NULL);
    assert_int_equal(f->rs.status, 403);
    static const char words[] = "at most 3 bytes";
    assert_non_null(memmem(buf_data(&f->rs.bytes), f->rs.bytes.len, words, sizeof(words) - 1));
}

static void what_may_not_is_said_in_words(void **state)
{
    struct fixture *f = *state;
    set_rules(f, "user a token:a");
    static const struct {
        const char *target, *words;
    } cases[] = {
        {"/status", "This token may not see the status of the node (status)."},
        {"/metrics", "This token may not see the metrics of the node (metrics)."},
        {"/data/k", "This token may not read here."},
        {"/keys", "This token may not list here."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask_as(f, "a", HTTP_GET_, cases[i].target), 403);
        assert_non_null(strstr(body_text(f), cases[i].words));
    }
}

static void status_says_which_rules_there_are(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    assert_null(strstr(body_text(f), "\"access\""));
    set_rules(f, "user *\nallow status,metrics\nallow read app/");
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    assert_non_null(strstr(body_text(f), "\"access\":{\"users\":1,\"rules\":2,"
                                         "\"digest\":\"d1894be915d05e8a\"}"));
}

static void a_page_of_an_origin_that_may_not_read_hears_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    struct cors *cors = cors_new("https://a.example");
    api_free(f->api);
    f->api_config.cors = cors;
    f->api = api_new(&f->api_config, f->now_us);
    with_header(f, "Origin", "https://a.example");
    assert_int_equal(ask(f, HTTP_OPTIONS_, "/data/k"), 204);
    assert_header(f, "Access-Control-Allow-Origin", "https://a.example");
    assert_header(f, "Access-Control-Allow-Headers",
                  "Authorization, Content-Type, X-TTL, If-Match, If-None-Match, Cache-Control, "
                  "Last-Event-ID");
    with_header(f, "Origin", "https://b.example");
    assert_int_equal(ask(f, HTTP_OPTIONS_, "/data/k"), 204);
    assert_no_header(f, "Access-Control-Allow-Origin");
    assert_no_header(f, "Access-Control-Allow-Headers");
    assert_header(f, "Vary", "Origin");
    cors_free(cors);
}

#define API(test) cmocka_unit_test_setup_teardown(test, fixture_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        API(empty_acl_denies_all_but_probes),
        API(each_path_takes_its_verb),
        API(write_only_has_no_oracle),
        API(mget_mixed_rights),
        API(listing_outside_one_prefix_403),
        API(put_refused_before_body),
        API(what_everybody_may_needs_no_token_and_a_wrong_one_is_refused_all_the_same),
        API(beside_a_certificate_a_page_may_what_its_token_may_and_nothing_without_one),
        API(rules_that_change_while_a_body_comes_hold),
        API(what_may_not_is_said_in_words),
        API(status_says_which_rules_there_are),
        API(a_page_of_an_origin_that_may_not_read_hears_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
