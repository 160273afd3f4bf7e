#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acl_rig.h"
#include "log_lines.h"
#include "net/api/api_admit.h"
#include "net/claiming.h"

static struct http_request request(enum http_method method, const char *path)
{
    struct http_request rq = {.method = method, .path = {path, strlen(path)}};
    rq.route = claiming_route(NULL, &rq);
    return rq;
}

static int answer(enum http_method method, const char *path, struct http_response *rs)
{
    static const struct uuid uuid = {{1, 2, 3}};
    const struct claiming claiming = {.uuid = &uuid, .port = 8081};
    const struct http_request rq = request(method, path);
    http_response_clear(rs);
    claiming_answer(&claiming, &rq, rs);
    return rs->status;
}

static void it_says_who_it_is_and_that_all_else_is_to_come(void **state)
{
    struct http_response rs;
    (void)state;
    http_response_init(&rs);
    assert_int_equal(answer(HTTP_GET_, "/v1/health", &rs), 503);
    assert_non_null(memmem(buf_data(&rs.bytes), rs.bytes.len, "01020300", 8));
    assert_int_equal(answer(HTTP_GET_, "/data/k", &rs), 503);
    assert_non_null(memmem(buf_data(&rs.bytes), rs.bytes.len, "\"joining\"", 9));
    /* Who wants to watch is told in a stream, as after another status he would not come back. */
    assert_int_equal(answer(HTTP_GET_, "/watch", &rs), 200);
    assert_int_equal(answer(HTTP_PUT_, "/watch", &rs), 503);
    http_response_fini(&rs);
}

static void only_watching_takes_a_right(void **state)
{
    (void)state;
    assert_int_equal(request(HTTP_GET_, "/watch").route.right, API_RIGHT_WATCH);
    assert_int_equal(request(HTTP_HEAD_, "/v1/watch").route.right, API_RIGHT_WATCH);
    assert_int_equal(request(HTTP_POST_, "/watch").route.right, API_RIGHT_NONE);
    assert_int_equal(request(HTTP_GET_, "/health").route.right, API_RIGHT_NONE);
    assert_true(request(HTTP_GET_, "/health").route.is_exempt);
    assert_null(request(HTTP_GET_, "/health").route.row);
    assert_string_equal(request(HTTP_GET_, "/health").route.cors, HTTP_CORS_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_who_it_is_and_that_all_else_is_to_come),
        cmocka_unit_test(only_watching_takes_a_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
