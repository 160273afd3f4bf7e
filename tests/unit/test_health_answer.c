/* What another node's /health says, and what is nobody's. */
#include "net/discovery/health_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UUID "00112233445566778899aabbccddeeff"
#define FORTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static enum rc parse(const char *text, struct health_answer *ret_answer)
{
    return health_answer_parse(text, strlen(text), ret_answer);
}

static void what_a_claiming_node_writes_is_read_back(void **state)
{
    (void)state;
    const struct uuid uuid = {{1, 2, 3}};
    char text[256];
    struct health_answer answer;
    const size_t len = health_answer_write_claiming(&uuid, 8081, text, sizeof(text));
    assert_int_equal(len, strlen(text));
    assert_non_null(strstr(text, "\"port\":8081}\n"));
    assert_int_equal(health_answer_parse(text, len, &answer), RC_OK);
    assert_true(answer.is_claiming);
    assert_true(uuid_equal(&answer.uuid, &uuid));
    assert_string_equal(answer.name, "");
    /* What has no room is cut. */
    for (size_t size = len; size <= len + 1; size++) {
        assert_int_equal(health_answer_write_claiming(&uuid, 8081, text, size), size - 1);
        assert_int_equal(strlen(text), size - 1);
    }
}

static void names_are_taken_that_a_log_can_show(void **state)
{
    (void)state;
    static const struct {
        const char *json, *name;
    } rows[] = {
        {"\"node-1\"", "node-1"},    {"\"!~\"", "!~"},    {"\"a b\"", ""},
        {"\"\\u007f\"", ""},         {"\"\\u00e9\"", ""}, {"7", ""},
        {"\"" FORTY FORTY "\"", ""}, {"\"\"", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct health_answer answer;
        (void)snprintf(text, sizeof(text),
                       "{\"uuid\":\"" UUID "\",\"status\":\"healthy\",\"node_id\":%s}",
                       rows[i].json);
        assert_int_equal(parse(text, &answer), RC_OK);
        assert_false(answer.is_claiming);
        assert_int_equal(answer.uuid.bytes[UUID_BYTES - 1], 0xff);
        if (strcmp(answer.name, rows[i].name) != 0) {
            fail_msg("row %zu", i);
        }
    }
    char text[NAME_SIZE + 128];
    struct health_answer answer;
    for (int len = NAME_SIZE - 1; len <= NAME_SIZE; len++) {
        (void)snprintf(text, sizeof(text),
                       "{\"uuid\":\"" UUID "\",\"status\":\"healthy\",\"node_id\":\"%0*d\"}", len,
                       7);
        assert_int_equal(parse(text, &answer), RC_OK);
        assert_int_equal(strlen(answer.name), len < NAME_SIZE ? len : 0);
    }
}

static void what_is_no_nodes_is_malformed_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"uuid\":\"" UUID "\"}",
        "{\"status\":\"healthy\"}",
        "{\"uuid\":7,\"status\":\"healthy\"}",
        "{\"uuid\":\"" UUID "\",\"status\":7}",
        "{\"uuid\":\"\",\"status\":\"healthy\"}",
        "{\"uuid\":\"" UUID "0\",\"status\":\"healthy\"}",
        "{\"uuid\":\"0112233445566778899aabbccddeeff\",\"status\":\"healthy\"}",
        "{\"uuid\":\"00112233445566778899aabbccddeefg\",\"status\":\"healthy\"}",
        "{\"uuid\":\"g0112233445566778899aabbccddeeff\",\"status\":\"healthy\"}",
    };
    struct health_answer answer = {.name = "before"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (parse(bodies[i], &answer) != RC_MALFORMED) {
            fail_msg("body %zu", i);
        }
    }
    assert_int_equal(health_answer_parse(NULL, 0, &answer), RC_MALFORMED);
    assert_string_equal(answer.name, "before");
}

static void a_body_is_read_up_to_its_most_bytes(void **state)
{
    (void)state;
    static char text[HEALTH_ANSWER_BYTES_MAX + 2];
    struct health_answer answer;
    memset(text, ' ', sizeof(text) - 1);
    static const char body[] = "{\"uuid\":\"" UUID "\",\"status\":\"healthy\"}";
    memcpy(text, body, sizeof(body) - 1);
    for (size_t len = HEALTH_ANSWER_BYTES_MAX - 1; len <= HEALTH_ANSWER_BYTES_MAX + 1; len++) {
        assert_int_equal(health_answer_parse(text, len, &answer),
                         len <= HEALTH_ANSWER_BYTES_MAX ? RC_OK : RC_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_claiming_node_writes_is_read_back),
        cmocka_unit_test(names_are_taken_that_a_log_can_show),
        cmocka_unit_test(what_is_no_nodes_is_malformed_and_changes_nothing),
        cmocka_unit_test(a_body_is_read_up_to_its_most_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
