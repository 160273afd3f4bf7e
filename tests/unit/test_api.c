#include "api_fixture.h"
#include "net/api/mget_request.h"

static void both_generations_of_every_path_are_served(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/health", "/livez",  "/readyz",   "/keys",   "/scan",
                                        "/peers",  "/status", "/topology", "/metrics"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char target[64];
        (void)snprintf(target, sizeof(target), "/v1%s", paths[i]);
        assert_int_equal(ask(f, HTTP_GET_, paths[i]), 200);
        assert_header(f, "Access-Control-Allow-Origin", "*");
        assert_int_equal(ask(f, HTTP_HEAD_, target), 200);
        assert_int_equal(ask(f, HTTP_GET_, target), 200);
        assert_header(f, "Cache-Control", "no-store");
    }
}

static void other_paths_are_not_found_whatever_the_method(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {
        "/data",  "/v1",     "/v1/",           "/v1/v1/keys",    "/v2/keys",
        "/keys/", "/Keys",   "/watch/",        "/fade/",         "/%6beys",
        "//keys", "/v1keys", "/cluster/peers", "/gossip/message"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ask(f, HTTP_GET_, paths[i]), 404);
        assert_problem(f, "not_found");
        assert_int_equal(ask(f, HTTP_POST_, paths[i]), 404);
    }
}

static void pages_are_only_read(void **state)
{
    struct fixture *f = *state;
    static const enum http_method methods[] = {HTTP_PUT_, HTTP_POST_, HTTP_DELETE_, HTTP_PATCH_,
                                               HTTP_OTHER_};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_int_equal(ask(f, methods[i], "/v1/health"), 405);
        assert_problem(f, "method_not_allowed");
        assert_header(f, "Allow", "GET, HEAD, OPTIONS");
    }
}

static void a_preflight_is_answered_on_any_path(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/data/k", "/keys", "/nowhere", "/data/%", "*"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ask(f, HTTP_OPTIONS_, paths[i]), 204);
        assert_string_equal(body_text(f), "");
        assert_header(f, "Access-Control-Allow-Origin", "*");
        assert_header(f, "Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, OPTIONS");
        assert_header(f, "Access-Control-Max-Age", "86400");
        char allowed[256];
        assert_int_equal(
            fixture_header(f, "Access-Control-Allow-Headers", allowed, sizeof(allowed)), 1);
        assert_non_null(strstr(allowed, "X-TTL"));
        assert_non_null(strstr(allowed, "If-None-Match"));
    }
}

static void every_answer_exposes_our_headers_to_pages_once(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/data/k", "/keys", "/nowhere", "/", "/metrics"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char exposed[256];
        (void)ask(f, HTTP_GET_, paths[i]);
        assert_header(f, "Access-Control-Allow-Origin", "*");
        assert_int_equal(
            fixture_header(f, "Access-Control-Expose-Headers", exposed, sizeof(exposed)), 1);
        assert_non_null(strstr(exposed, "ETag"));
        assert_non_null(strstr(exposed, "X-Created-At"));
        assert_non_null(strstr(exposed, "X-Original-TTL"));
        assert_non_null(strstr(exposed, "X-Remaining-TTL"));
        assert_non_null(strstr(exposed, "X-Replicas"));
    }
}

static void the_root_answers_a_short_help(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_GET_, "/"), 200);
    assert_header(f, "Content-Type", "text/plain; charset=utf-8");
    assert_non_null(strstr(body_text(f), "curl"));
    static const char *const paths[] = {"/data/KEY", "/keys",  "/scan",   "/mget",
                                        "/watch",    "/peers", "/status", "/topology",
                                        "/health",   "/livez", "/readyz", "/metrics"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_non_null(strstr(body_text(f), paths[i])); /* an unknown path's answer points here */
    }
    assert_true(strlen(body_text(f)) < 1500);
}

static void a_peer_is_upgraded(void **state)
{
    struct fixture *f = *state;
    with_header(f, "connection", "keep-alive, upgrade");
    with_header(f, "UPGRADE", "Repram-Gossip/1");
    assert_int_equal(ask(f, HTTP_GET_, "/gossip"), 101);
    assert_int_equal(f->rs.kind, HTTP_BODY_UPGRADE);
    assert_header(f, "Connection", "Upgrade");
    assert_header(f, "Upgrade", "repram-gossip/1");
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "h2c , repram-gossip/1");
    assert_int_equal(ask(f, HTTP_GET_, "/v1/gossip"), 101);
}

/* While there is an item `open` in the ring, upgrades are taken, too. */
static void a_sealed_node_takes_no_upgrade(void **state)
{
    struct fixture *f = *state;
    f->engine.ring = (struct keyring){.count = 2, .keys = {{.id = 7}, {.id = KEYRING_ID_OPEN}}};
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "repram-gossip/1");
    assert_int_equal(ask(f, HTTP_GET_, "/gossip"), 101);
    f->engine.ring.count = 1;
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "repram-gossip/1");
    assert_int_equal(ask(f, HTTP_GET_, "/gossip"), 403);
    assert_problem(f, "forbidden");
    assert_int_equal(ask(f, HTTP_GET_, "/v1/gossip"), 403);
}

static void whoever_asks_for_no_upgrade_is_told_that_one_is_required(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        {"Connection", "Upgrade"}, {"Upgrade", "repram-gossip/1"}, {"Accept", "*/*"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        with_header(f, pairs[i][0], pairs[i][1]);
        assert_int_equal(ask(f, HTTP_GET_, "/gossip"), 426);
        assert_problem(f, "unsupported");
        assert_header(f, "Upgrade", "repram-gossip/1");
    }
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "repram-gossip/2");
    assert_int_equal(ask(f, HTTP_GET_, "/gossip"), 426);
    assert_int_equal(ask(f, HTTP_POST_, "/gossip"), 405);
}

/* A path that is served, whether longer ones are too, and who brings how much of a body. */
static void each_path_takes_the_bodies_that_it_needs_and_no_more_of_its_name(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        bool is_prefix;
        uint64_t put_max, post_max;
    } routes[] = {
        {"/data/k", true, 10 << 20, 10 << 20},     {"/health", false, 64 << 10, 64 << 10},
        {"/livez", false, 64 << 10, 64 << 10},     {"/readyz", false, 64 << 10, 64 << 10},
        {"/keys", false, 64 << 10, 64 << 10},      {"/scan", false, 64 << 10, 64 << 10},
        {"/mget", false, 64 << 10, MGET_BODY_MAX}, {"/watch", false, 64 << 10, 64 << 10},
        {"/peers", false, 64 << 10, 64 << 10},     {"/status", false, 64 << 10, 64 << 10},
        {"/topology", false, 64 << 10, 64 << 10},  {"/metrics", false, 64 << 10, 64 << 10},
        {"/gossip", false, 64 << 10, 64 << 10},    {"/", false, 64 << 10, 64 << 10},
        {"/data%2Fk", true, 10 << 20, 10 << 20},   {"/data%2fk", true, 10 << 20, 10 << 20},
        {"/nowhere", true, 64 << 10, 64 << 10}};
    const void *unknown = fixture_request(f, HTTP_GET_, "/nowhere").route.row;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        char longer[64];
        const char *path = routes[i].path;
        (void)snprintf(longer, sizeof(longer), "%sx", path);
        const struct http_request get = fixture_request(f, HTTP_GET_, path);
        const struct http_request put = fixture_request(f, HTTP_PUT_, path);
        const struct http_request post = fixture_request(f, HTTP_POST_, path);
        assert_int_equal(get.route.body_max, 64 << 10);
        assert_int_equal(put.route.body_max, routes[i].put_max);
        assert_int_equal(post.route.body_max, routes[i].post_max);
        assert_ptr_equal(fixture_request(f, HTTP_GET_, longer).route.row,
                         routes[i].is_prefix ? get.route.row : unknown);
    }
}

static bool is_exempt(struct fixture *f, enum http_method method, const char *target)
{
    const struct http_request rq = fixture_request(f, method, target);
    f->header_count = 0;
    return rq.route.is_exempt;
}

static void only_probes_and_peers_are_exempt_from_limits(void **state)
{
    struct fixture *f = *state;
    assert_true(is_exempt(f, HTTP_GET_, "/health"));
    assert_true(is_exempt(f, HTTP_HEAD_, "/v1/livez"));
    assert_true(is_exempt(f, HTTP_GET_, "/readyz?x"));
    assert_false(is_exempt(f, HTTP_PUT_, "/health"));
    assert_false(is_exempt(f, HTTP_GET_, "/data/health"));
    static const char *const limited[] = {"/keys",   "/scan",     "/mget",    "/watch", "/peers",
                                          "/status", "/topology", "/metrics", "/",      "/nowhere"};
    for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]); i++) {
        assert_false(is_exempt(f, HTTP_GET_, limited[i]));
    }
    assert_false(is_exempt(f, HTTP_GET_, "/gossip"));
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "repram-gossip/1");
    assert_true(is_exempt(f, HTTP_GET_, "/gossip"));
    f->engine.ring.keys[0].id = 7; /* peers come with a handshake, and this is a stranger */
    with_header(f, "Connection", "Upgrade");
    with_header(f, "Upgrade", "repram-gossip/1");
    assert_false(is_exempt(f, HTTP_GET_, "/gossip"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void only_metrics_begin_anew_what_is_counted_since_the_last_scrape(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_GET_, "/status"), 200);
    assert_int_equal(f->looks, 1);
    assert_int_equal(f->scrapes, 0);
    assert_int_equal(ask(f, HTTP_GET_, "/metrics"), 200);
    assert_int_equal(ask(f, HTTP_GET_, "/peers"), 200);
    assert_int_equal(f->looks, 1);
    assert_int_equal(f->scrapes, 1);
}

static void assert_metric(struct fixture *f, const char *line)
{
    assert_int_equal(ask(f, HTTP_GET_, "/metrics"), 200);
    if (strstr(body_text(f), line) == NULL) {
        fail_msg("the page lacks %s", line);
    }
}

#define COUNT(route, method, count)                                                     \
    "\nrepram_http_request_duration_seconds_count{route=\"" route "\",method=\"" method \
    "\"} " count "\n"

static void requests_are_timed_by_route_and_method(void **state)
{
    struct fixture *f = *state;
    f->waited_us = 3000;
    assert_int_equal(ask(f, HTTP_GET_, "/data/a"), 404);
    f->waited_us = 200;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/data/b/c"), 404);
    assert_int_equal(ask(f, HTTP_HEAD_, "/data/a"), 404);
    assert_int_equal(ask(f, HTTP_GET_, "/keys?limit=1"), 200);
    assert_int_equal(ask(f, HTTP_GET_, "/"), 200);
    assert_metric(f, COUNT("/data", "GET", "2"));
    assert_metric(f, COUNT("/data", "HEAD", "1"));
    assert_metric(f, COUNT("/keys", "GET", "1"));
    assert_metric(f, COUNT("/", "GET", "1"));
    assert_metric(f, COUNT("/metrics", "GET", "4"));
#define TIME(part) "\nrepram_http_request_duration_seconds" part "\n"
    assert_metric(f, TIME("_bucket{route=\"/data\",method=\"GET\",le=\"0.0001\"} 0"));
    assert_metric(f, TIME("_bucket{route=\"/data\",method=\"GET\",le=\"0.00025\"} 1"));
    assert_metric(f, TIME("_bucket{route=\"/data\",method=\"GET\",le=\"0.0025\"} 1"));
    assert_metric(f, TIME("_bucket{route=\"/data\",method=\"GET\",le=\"0.005\"} 2"));
    assert_metric(f, TIME("_sum{route=\"/data\",method=\"GET\"} 0.0032"));
#undef TIME
}

static void what_no_route_serves_is_timed_together(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_DELETE_, "/data/a"), 405);
    assert_int_equal(ask(f, HTTP_POST_, "/keys"), 405);
    assert_int_equal(ask(f, HTTP_OTHER_, "/keys"), 405);
    assert_int_equal(ask(f, HTTP_OPTIONS_, "/keys"), 204);
    assert_int_equal(ask(f, HTTP_GET_, "/no/such/path"), 404);
    assert_metric(f, COUNT("other", "other", "5"));
    assert_null(strstr(body_text(f), "/keys"));
    assert_null(strstr(body_text(f), "DELETE"));
}

static void a_write_is_timed_until_its_quorum_and_its_answer(void **state)
{
    struct fixture *f = *state;
    f->waited_us = 100;
    with_body(f, "x");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/a"), 0);
    f->now_us += 7000;
    assert_int_equal(settle(f, PUT_QUORUM, 2, 3), 201);
    assert_metric(f, "\nrepram_put_quorum_duration_seconds_bucket{le=\"0.005\"} 0\n"
                     "repram_put_quorum_duration_seconds_bucket{le=\"0.01\"} 1\n");
    assert_metric(f, "\nrepram_put_quorum_duration_seconds_sum 0.0071\n");
    assert_metric(f, COUNT("/data", "PUT", "1"));
}

static void a_write_without_its_quorum_is_an_answer_and_no_time_to_one(void **state)
{
    struct fixture *f = *state;
    with_body(f, "x");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/a"), 0);
    f->now_us += 5000000;
    assert_int_equal(settle(f, PUT_PENDING, 1, 3), 202);
    assert_metric(f, "\nrepram_put_quorum_duration_seconds_count 0\n");
    assert_metric(f, COUNT("/data", "PUT", "1"));
}

static void a_refused_write_is_timed_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_PUT_, "/data/a?ttl=soon"), 400);
    assert_metric(f, COUNT("/data", "PUT", "1"));
}

static void openmetrics_is_for_who_wants_it_rather(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *accept;
        bool is_open;
    } cases[] = {
        {"application/openmetrics-text", true},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/"
         "*;q=0.1",
         true},
        {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"text/plain, application/openmetrics-text;q=0.5", false},
        {"application/openmetrics-text;q=0", false},
        {"text/plain", false},
        {"*/*", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        with_header(f, "Accept", cases[i].accept);
        assert_int_equal(ask(f, HTTP_GET_, "/metrics"), 200);
        assert_header(f, "Vary", "Accept");
        assert_header(f, "Content-Type",
                      cases[i].is_open
                          ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                          : "text/plain; version=0.0.4; charset=utf-8");
        assert_int_equal(strstr(body_text(f), "\n# EOF\n") != NULL, cases[i].is_open);
    }
    assert_int_equal(ask(f, HTTP_GET_, "/metrics"), 200);
    assert_header(f, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_generations_of_every_path_are_served),
        TEST(other_paths_are_not_found_whatever_the_method),
        TEST(pages_are_only_read),
        TEST(a_preflight_is_answered_on_any_path),
        TEST(every_answer_exposes_our_headers_to_pages_once),
        TEST(the_root_answers_a_short_help),
        TEST(a_peer_is_upgraded),
        TEST(a_sealed_node_takes_no_upgrade),
        TEST(whoever_asks_for_no_upgrade_is_told_that_one_is_required),
        TEST(only_probes_and_peers_are_exempt_from_limits),
        TEST(only_metrics_begin_anew_what_is_counted_since_the_last_scrape),
        TEST(each_path_takes_the_bodies_that_it_needs_and_no_more_of_its_name),
        TEST(requests_are_timed_by_route_and_method),
        TEST(what_no_route_serves_is_timed_together),
        TEST(a_write_is_timed_until_its_quorum_and_its_answer),
        TEST(a_write_without_its_quorum_is_an_answer_and_no_time_to_one),
        TEST(a_refused_write_is_timed_at_once),
        TEST(openmetrics_is_for_who_wants_it_rather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
