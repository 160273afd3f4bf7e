#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"
#include "net/out/pipeline.h"

#include <stdio.h>

enum { TIMEOUT_MS = 5000, ANSWERS_MAX = 64 };

/* A pipeline and its server on one loop. */
struct line {
    struct rig rig;
    struct pipeline *pipeline;
    struct pipeline_config config;
    unsigned count;
    size_t tags[ANSWERS_MAX];
    enum rc rcs[ANSWERS_MAX];
    int statuses[ANSWERS_MAX];
    size_t lens[ANSWERS_MAX];
    char text[64]; /* of the last body */
    char type[32];
    char error[128];
};

static void on_answer(void *arg, const struct pipeline_answer *answer)
{
    struct line *line = arg;
    const char *type = pipeline_header_of(answer, "content-TYPE");
    const unsigned at = line->count++ % ANSWERS_MAX;
    line->tags[at] = (size_t)(uintptr_t)answer->tag;
    line->rcs[at] = answer->rc;
    line->statuses[at] = answer->status;
    line->lens[at] = answer->body_len;
    (void)snprintf(line->text, sizeof(line->text), "%.*s",
                   (int)(answer->body_len < 60 ? answer->body_len : 60),
                   answer->body_len > 0 ? (const char *)answer->body : "");
    (void)snprintf(line->type, sizeof(line->type), "%s", type != NULL ? type : "");
    (void)snprintf(line->error, sizeof(line->error), "%s", answer->error);
}

static void line_configure(struct line *line)
{
    line->config = (struct pipeline_config){.base = line->rig.base,
                                            .host = "127.0.0.1",
                                            .port = line->rig.port,
                                            .lines = "User-Agent: test\r\n",
                                            .connections = 2,
                                            .depth = 3,
                                            .body_max = 1 << 20,
                                            .pending_max = 1 << 21,
                                            .timeout_ms = TIMEOUT_MS,
                                            .answered = on_answer,
                                            .arg = line};
}

static void line_init(struct line *line)
{
    memset(line, 0, sizeof(*line));
    rig_init(&line->rig);
    rig_start(&line->rig);
    line_configure(line);
    line->pipeline = pipeline_new(&line->config);
    assert_non_null(line->pipeline);
}

static void line_fini(struct line *line)
{
    pipeline_free(line->pipeline);
    rig_fini(&line->rig);
}

static enum rc say(struct line *line, const char *target, const char *body, size_t len, size_t tag)
{
    const struct pipeline_request request = {.method = body != NULL ? "PUT" : "GET",
                                             .target = target,
                                             .lines = "",
                                             .body = body,
                                             .body_len = len,
                                             .tag = (void *)(uintptr_t)tag};
    return pipeline_send(line->pipeline, &request);
}

static void wait_all(struct line *line)
{
    while (pipeline_pending(line->pipeline) > 0) {
        const size_t before = pipeline_pending(line->pipeline);
        pipeline_wait(line->pipeline);
        assert_true(pipeline_pending(line->pipeline) < before);
    }
}

static void an_answer_comes_with_the_tag_of_its_request(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    assert_int_equal(say(&line, "/hello", NULL, 0, 7), RC_OK);
    assert_int_equal(pipeline_pending(line.pipeline), 1);
    wait_all(&line);
    assert_int_equal(line.count, 1);
    assert_int_equal(line.tags[0], 7);
    assert_int_equal(line.rcs[0], RC_OK);
    assert_int_equal(line.statuses[0], 200);
    assert_string_equal(line.text, "hello");
    assert_string_equal(line.type, "text/plain");
    assert_int_equal(say(&line, "/echo", "body", 4, 8), RC_OK);
    wait_all(&line);
    assert_int_equal(line.tags[1], 8);
    assert_string_equal(line.text, "body");
    assert_int_equal(say(&line, "/nothing", NULL, 0, 9), RC_OK);
    wait_all(&line);
    assert_int_equal(line.statuses[2], 404);
    pipeline_wait(line.pipeline); /* for nothing: it returns */
    line_fini(&line);
}

static void as_many_are_under_way_as_connections_and_depth_allow(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(say(&line, "/hello", NULL, 0, i), RC_OK);
    }
    assert_int_equal(say(&line, "/hello", NULL, 0, 6), RC_FULL);
    wait_all(&line);
    assert_int_equal(line.count, 6);
    assert_int_equal(http_server_stats(line.rig.server).connections, 2);
    /* On each connection they come in order: even tags went over the one, odd ones over the other.
     */
    size_t last[2] = {0, 1};
    for (size_t i = 0; i < 6; i++) {
        assert_true(line.tags[i] >= last[line.tags[i] % 2]);
        last[line.tags[i] % 2] = line.tags[i];
    }
    line_fini(&line);
}

static void bytes_under_way_are_bounded_but_one_request_may_be_larger(void **state)
{
    struct line line;
    static char body[2000];
    (void)state;
    line_init(&line);
    pipeline_free(line.pipeline);
    line.config.pending_max = 1000;
    line.pipeline = pipeline_new(&line.config);
    assert_int_equal(say(&line, "/echo", body, sizeof(body), 1), RC_OK);
    assert_int_equal(say(&line, "/hello", NULL, 0, 2), RC_FULL);
    wait_all(&line);
    assert_int_equal(line.lens[0], sizeof(body));
    assert_int_equal(say(&line, "/echo", body, 495, 1), RC_OK); /* and five of the target */
    assert_int_equal(say(&line, "/echo", body, 495, 2), RC_OK);
    assert_int_equal(say(&line, "/", NULL, 0, 3), RC_FULL);
    wait_all(&line);
    line_fini(&line);
}

static void a_large_body_goes_and_comes_whole(void **state)
{
    struct line line;
    const size_t len = 1 << 20;
    char *body = calloc(1, len);
    (void)state;
    line_init(&line);
    memset(body, 'b', len);
    assert_int_equal(say(&line, "/echo", body, len, 1), RC_OK);
    wait_all(&line);
    assert_int_equal(line.statuses[0], 200);
    assert_int_equal(line.lens[0], len);
    free(body);
    line_fini(&line);
}

static void an_answer_that_is_too_long_fails_alone(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    pipeline_free(line.pipeline);
    line.config.body_max = 4;
    line.pipeline = pipeline_new(&line.config);
    assert_int_equal(say(&line, "/hello", NULL, 0, 1), RC_OK);
    wait_all(&line);
    assert_int_equal(line.rcs[0], RC_TOO_LONG);
    assert_int_equal(line.statuses[0], 0);
    assert_int_equal(say(&line, "/echo", "four", 4, 2), RC_OK);
    wait_all(&line);
    assert_int_equal(line.rcs[1], RC_OK);
    line_fini(&line);
}

static void without_an_answer_in_time_all_of_the_connection_fail(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    pipeline_free(line.pipeline);
    line.config.timeout_ms = 200;
    line.pipeline = pipeline_new(&line.config);
    assert_int_equal(say(&line, "/defer", NULL, 0, 0), RC_OK);
    assert_int_equal(say(&line, "/hello", NULL, 0, 1), RC_OK);
    assert_int_equal(say(&line, "/hello", NULL, 0, 2), RC_OK);
    wait_all(&line);
    assert_int_equal(line.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const bool is_behind = line.tags[i] != 1;
        assert_int_equal(line.rcs[i], is_behind ? RC_TIMEOUT : RC_OK);
    }
    assert_string_equal(line.error, "no answer in time");
    assert_int_equal(say(&line, "/hello", NULL, 0, 3), RC_OK);
    wait_all(&line);
    assert_int_equal(line.rcs[3], RC_OK);
    line_fini(&line);
}

static void a_connection_that_was_closed_while_idle_is_opened_again(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(say(&line, "/hello", NULL, 0, i), RC_OK);
        wait_all(&line);
        own_clock_pass_ms(UINT64_C(2) * line.rig.config.idle_timeout_ms);
        assert_true(rig_has_connections(&line.rig, 0));
    }
    assert_int_equal(line.rcs[1], RC_OK);
    line_fini(&line);
}

static void a_server_that_goes_fails_what_is_under_way_and_refuses_the_rest(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    assert_int_equal(say(&line, "/defer", NULL, 0, 1), RC_OK);
    assert_true(wait_for(&line.rig, &line.rig.handled, 1));
    http_server_free(line.rig.server);
    line.rig.server = NULL;
    wait_all(&line);
    assert_int_equal(line.rcs[0], RC_IO);
    assert_int_equal(say(&line, "/hello", NULL, 0, 2), RC_REFUSED);
    assert_non_null(strstr(pipeline_error(line.pipeline), "Connection refused"));
    assert_int_equal(pipeline_pending(line.pipeline), 0);
    line_fini(&line);
}

static void a_host_without_addresses_is_told_when_something_is_sent(void **state)
{
    struct line line;
    (void)state;
    line_init(&line);
    pipeline_free(line.pipeline);
    line.config.host = "no host";
    line.pipeline = pipeline_new(&line.config);
    assert_int_equal(say(&line, "/hello", NULL, 0, 2), RC_REFUSED);
    assert_non_null(strstr(pipeline_error(line.pipeline), "no host does not resolve"));
    line_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_the_tag_of_its_request),
        cmocka_unit_test(as_many_are_under_way_as_connections_and_depth_allow),
        cmocka_unit_test(bytes_under_way_are_bounded_but_one_request_may_be_larger),
        cmocka_unit_test(a_large_body_goes_and_comes_whole),
        cmocka_unit_test(an_answer_that_is_too_long_fails_alone),
        cmocka_unit_test(without_an_answer_in_time_all_of_the_connection_fail),
        cmocka_unit_test(a_connection_that_was_closed_while_idle_is_opened_again),
        cmocka_unit_test(a_server_that_goes_fails_what_is_under_way_and_refuses_the_rest),
        cmocka_unit_test(a_host_without_addresses_is_told_when_something_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
