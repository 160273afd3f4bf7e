/* What the front door's handlers answer when memory ends: what was asked, a 500, or an answer that
 * the server cuts; and the next request is served as always. */
#include "api_fixture.h"

#include "log_lines.h"
#include "net/discovery/flux.h"
#include "net/discovery/health_answer.h"
#include "net/watch/watch.h"
#include "tests/unit/failing_alloc.h"

struct question {
    enum http_method method;
    const char *target, *body;
    int status;    /* with memory; 0: deferred */
    int otherwise; /* what may be said without, besides 500; cJSON takes the body for no JSON */
};

static uint64_t on_now(void *arg)
{
    return ((struct fixture *)arg)->now_us;
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void on_wake(void *arg, uint64_t id)
{
    (void)arg;
    (void)id;
}

static char said[1 << 16]; /* by the last stream */

/* Runs a stream until it ends or has nothing more to say for now. */
static void run_stream(struct fixture *f)
{
    size_t len = 0;
    struct buf piece;
    buf_init(&piece, f->piece_max);
    bool is_more = f->rs.kind == HTTP_BODY_STREAM;
    for (size_t pieces = 0; is_more; pieces++) {
        assert_true(pieces < FIXTURE_PIECES_MAX);
        is_more = f->rs.produce(f->rs.arg, &piece) && piece.len > 0;
        assert_true(len + piece.len < sizeof(said));
        memcpy(said + len, buf_data(&piece), piece.len);
        len += piece.len;
        buf_clear(&piece);
    }
    said[len] = '\0';
    buf_fini(&piece);
}

/* A batch that ends as one has all that was asked for; one that is cut is no JSON. */
static void expect_batch(void)
{
    const char *end = strstr(said, "]}");
    assert_true(end == NULL || strstr(said, "\"none\"") != NULL);
}

/* Returns the status of the answer, whatever became of its body. */
static int answer_of(struct fixture *f, const struct question *q)
{
    f->last_id++;
    fixture_reset(f);
    if (q->body != NULL) {
        with_body(f, q->body);
    }
    const struct http_request rq = fixture_request(f, q->method, q->target);
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, fixture_figures, f);
    f->body = NULL;
    f->body_len = 0;
    run_stream(f);
    return f->rs.kind == HTTP_BODY_DEFER ? 0 : f->rs.status;
}

static void put_entry(struct fixture *f, const char *key)
{
    const struct put put = {.key = (const uint8_t *)key,
                            .key_len = strlen(key),
                            .value = (const uint8_t *)"value",
                            .value_len = 5,
                            .ttl_ms = 300000};
    assert_int_equal(engine_put(&f->engine, &put, f->now_us), RC_OK);
}

static void ask_twice(void *arg)
{
    const struct question *q = arg;
    void *state = NULL;
    assert_int_equal(fixture_setup(&state), 0);
    struct fixture *f = state;
    const struct watch_config config = {.engine = &f->engine,
                                        .boot = 1,
                                        .watchers_max = 1,
                                        .arg = f,
                                        .now_us = on_now,
                                        .wake = on_wake,
                                        .turn_by = on_wake};
    struct watch *watch = watch_new(&config);
    api_free(f->api);
    f->api_config.watch = watch;
    f->api = api_new(&f->api_config, f->now_us);
    put_entry(f, "a");
    put_entry(f, "b");
    const int first = answer_of(f, q);
    if (q->body != NULL && first == 200) {
        expect_batch();
    }
    put_entry(f, "c"); /* of which a watcher hears */
    watch_turn(watch);
    run_stream(f);
    if (first != q->status) {
        assert_true(failing_alloc_has_failed());
        assert_true(first == 500 || first == q->otherwise);
    }
    failing_alloc_recover();
    assert_int_equal(answer_of(f, q), q->status);
    assert_false(f->rs.is_cut);
    fixture_reset(f);
    watch_free(watch);
    (void)fixture_teardown(&state);
}

static void every_route_answers_without_memory(void **state)
{
    static const struct question questions[] = {
        {HTTP_GET_, "/data/a", NULL, 200, 500},
        {HTTP_PUT_, "/data/d", "value", 0, 500},
        {HTTP_GET_, "/data/none", NULL, 404, 500},
        {HTTP_GET_, "/keys", NULL, 200, 500},
        {HTTP_GET_, "/scan", NULL, 200, 500},
        {HTTP_POST_, "/mget", "{\"keys\":[\"a\",\"b\",\"none\"]}", 200, 400},
        {HTTP_GET_, "/watch?prefix=&values=1", NULL, 200, 500},
        {HTTP_GET_, "/status", NULL, 200, 500},
        {HTTP_GET_, "/health", NULL, 200, 500},
        {HTTP_GET_, "/metrics", NULL, 200, 500},
        {HTTP_GET_, "/", NULL, 200, 500},
    };
    uint64_t failures = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
        struct question q = questions[i];
        failures += failing_alloc_each(ask_twice, &q);
    }
    assert_true(failures > 50);
}

/* ---- Answers of other servers ---- */

static const char instances[] =
    "{\"status\":\"success\",\"data\":[{\"ip\":\"192.0.2.1\"},{\"ip\":\"192.0.2.2:16127\"}]}";

static void read_instances(void *arg)
{
    struct addr addrs[FLUX_INSTANCES_MAX];
    size_t count = 0;
    (void)arg;
    const enum rc rc = flux_parse_locations(instances, strlen(instances), addrs, &count);
    if (failing_alloc_has_failed()) {
        assert_int_equal(rc, RC_MALFORMED);
    } else {
        assert_int_equal(rc, RC_OK);
        assert_int_equal(count, 2);
    }
}

static void read_health(void *arg)
{
    char text[HEALTH_ANSWER_BYTES_MAX];
    struct health_answer answer;
    const struct uuid uuid = {{1, 2, 3}};
    (void)arg;
    const size_t len = health_answer_write_claiming(&uuid, 8081, text, sizeof(text));
    const enum rc rc = health_answer_parse(text, len, &answer);
    assert_int_equal(rc, failing_alloc_has_failed() ? RC_MALFORMED : RC_OK);
}

static void an_answer_that_cannot_be_taken_apart_is_malformed(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(read_instances, NULL) > 0);
    assert_true(failing_alloc_each(read_health, NULL) > 0);
}

/* ---- Rules ---- */

static void read_rules(void *arg)
{
    static const char text[] = "user a sha256:"
                               "00000000000000000000000000000000000000000000000000000000000000aa\n"
                               "allow read app/\nuser *\nallow status\n";
    struct log_lines lines;
    struct acl_fault fault;
    (void)arg;
    log_lines_init(&lines);
    const struct access_config config = {.hooks = &lines.hooks, .seed = 1, .clock_ms = no_clock};
    struct acl *acl = acl_parse(text, strlen(text), &fault);
    if (acl == NULL) {
        assert_true(failing_alloc_has_failed());
        assert_string_equal(fault.text, "out of memory");
        return;
    }
    struct access *access = access_new(&config, acl);
    if (access == NULL) {
        assert_true(failing_alloc_has_failed());
        acl_free(acl); /* which is still ours */
    }
    access_free(access);
}

static void read_origins(void *arg)
{
    (void)arg;
    struct cors *cors = cors_new("https://a.example,https://b.example");
    assert_true(cors != NULL || failing_alloc_has_failed());
    cors_free(cors);
}

static void rules_are_there_as_a_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(read_rules, NULL) > 5);
    assert_true(failing_alloc_each(read_origins, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_answers_without_memory),
        cmocka_unit_test(an_answer_that_cannot_be_taken_apart_is_malformed),
        cmocka_unit_test(rules_are_there_as_a_whole_or_not_at_all),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
