/* net/out/pipeline over TLS: to the authority's server, with a certificate, and to others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "net/out/pipeline.h"
#include "net/out/tls_client.h"
#include "own_clock.h"
#include "tls_server.h"

enum { REQUESTS = 12 };

static const size_t BIG = (size_t)1 << 20;

struct line {
    struct tls_server rig;
    struct tls_client *tls;
    struct pipeline *pipeline;
    unsigned count;
    size_t tags[REQUESTS];
    enum rc rc;
    int status;
    char text[32];
    char error[256];
};

static void on_answer(void *arg, const struct pipeline_answer *answer)
{
    struct line *line = arg;
    line->tags[line->count++ % REQUESTS] = (size_t)(uintptr_t)answer->tag;
    line->rc = answer->rc;
    line->status = answer->status;
    (void)snprintf(line->text, sizeof(line->text), "%.*s", (int)answer->body_len,
                   answer->body_len > 0 ? (const char *)answer->body : "");
    (void)snprintf(line->error, sizeof(line->error), "%s", answer->error);
}

static void line_init(struct line *line, uint32_t connections, bool asks, bool shows)
{
    char why[128];
    memset(line, 0, sizeof(*line));
    tls_server_init(&line->rig);
    tls_server_be(&line->rig, &line->rig.good, asks);
    const struct tls_client_files files = {.ca = line->rig.authority.file,
                                           .cert = shows ? line->rig.client.file : NULL};
    line->tls = tls_client_new(&files, why, sizeof(why));
    assert_non_null(line->tls);
    const struct pipeline_config config = {.base = line->rig.base,
                                           .host = "localhost",
                                           .port = line->rig.port,
                                           .is_tls = true,
                                           .tls = line->tls,
                                           .lines = "",
                                           .connections = connections,
                                           .depth = REQUESTS,
                                           .body_max = 1024,
                                           .pending_max = 4 * BIG,
                                           .timeout_ms = 5000,
                                           .answered = on_answer,
                                           .arg = line};
    line->pipeline = pipeline_new(&config);
    assert_non_null(line->pipeline);
}

static void line_fini(struct line *line)
{
    pipeline_free(line->pipeline);
    tls_client_free(line->tls);
    tls_server_fini(&line->rig);
}

static void say(struct line *line, const void *body, size_t len, size_t tag)
{
    const struct pipeline_request request = {.method = body != NULL ? "PUT" : "GET",
                                             .target = "/",
                                             .lines = "",
                                             .body = body,
                                             .body_len = len,
                                             .tag = (void *)(uintptr_t)tag};
    assert_int_equal(pipeline_send(line->pipeline, &request), RC_OK);
}

static void wait_all(struct line *line)
{
    while (pipeline_pending(line->pipeline) > 0) {
        pipeline_wait(line->pipeline);
    }
}

static void answers_come_in_order_over_one_connection_that_is_kept(void **state)
{
    struct line line;
    (void)state;
    line_init(&line, 1, false, false);
    for (size_t i = 0; i < REQUESTS; i++) {
        say(&line, NULL, 0, i);
    }
    wait_all(&line);
    assert_string_equal(line.error, "");
    assert_int_equal(line.count, REQUESTS);
    for (size_t i = 0; i < REQUESTS; i++) {
        assert_int_equal(line.tags[i], i);
    }
    say(&line, "abc", 3, 7);
    wait_all(&line);
    assert_string_equal(line.text, "3");
    assert_int_equal(line.rig.conn_count, 1);
    line_fini(&line);
}

static void a_large_body_goes_up_whole_in_many_records(void **state)
{
    struct line line;
    char *body = mem_new(BIG, 1);
    (void)state;
    memset(body, 'x', BIG);
    line_init(&line, 2, true, true);
    say(&line, body, BIG, 0);
    say(&line, body, BIG - 1, 1);
    wait_all(&line);
    assert_string_equal(line.error, "");
    assert_int_equal(line.count, 2);
    assert_int_equal(line.rig.answered, 2);
    assert_int_equal(line.rig.conn_count, 2);
    assert_string_equal(line.rig.peer, "client");
    line_fini(&line);
    free(body);
}

static void what_is_sent_to_who_is_refused_fails_and_never_arrives(void **state)
{
    struct line line;
    (void)state;
    line_init(&line, 1, false, false);
    tls_server_be(&line.rig, &line.rig.foreign, false);
    say(&line, "secret", 6, 1);
    wait_all(&line);
    assert_int_equal(line.rc, RC_IO);
    assert_non_null(strstr(line.error, "it is for example.org, not for "));
    assert_string_equal(pipeline_error(line.pipeline), line.error);
    assert_int_equal(line.rig.answered, 0);
    /* The next connection finds the right one. */
    tls_server_be(&line.rig, &line.rig.good, false);
    say(&line, "secret", 6, 2);
    wait_all(&line);
    assert_int_equal(line.rc, RC_OK);
    line_fini(&line);
}

static void the_refusal_of_a_large_body_is_read_although_nobody_takes_the_body(void **state)
{
    struct line line;
    char *body = mem_new(2 * BIG, 1);
    (void)state;
    line_init(&line, 1, false, false);
    line.rig.refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    say(&line, body, 2 * BIG, 1);
    wait_all(&line);
    assert_string_equal(line.error, "");
    assert_int_equal(line.status, 413);
    line_fini(&line);
    free(body);
}

static void a_server_that_misses_a_certificate_says_so(void **state)
{
    struct line line;
    (void)state;
    line_init(&line, 1, true, false);
    say(&line, NULL, 0, 1);
    wait_all(&line);
    assert_int_equal(line.rc, RC_IO);
    assert_string_equal(line.error, "TLS: the server asks for a certificate");
    line_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_order_over_one_connection_that_is_kept),
        cmocka_unit_test(a_large_body_goes_up_whole_in_many_records),
        cmocka_unit_test(what_is_sent_to_who_is_refused_fails_and_never_arrives),
        cmocka_unit_test(the_refusal_of_a_large_body_is_read_although_nobody_takes_the_body),
        cmocka_unit_test(a_server_that_misses_a_certificate_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
