#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/claim_check.h"
#include "net/discovery/health_answer.h"

#include <string.h>

static const struct uuid low = {{1}}, middle = {{2}}, high = {{3}};

static void claiming_answer_is_read_back(void **state)
{
    (void)state;
    char text[256];
    struct health_answer answer;
    const size_t len = health_answer_write_claiming(&middle, 8081, text, sizeof(text));
    assert_int_equal(len, strlen(text));
    assert_int_equal(health_answer_parse(text, len, &answer), RC_OK);
    assert_true(uuid_equal(&answer.uuid, &middle));
    assert_true(answer.is_claiming);
    assert_string_equal(answer.name, "");
}

static void health_of_a_node_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"status\":\"healthy\",\"node_id\":\"flux-node-1\","
        "\"uuid\":\"03000000000000000000000000000000\",\"port\":8081,\"uptime\":\"1s\"}";
    struct health_answer answer;
    assert_int_equal(health_answer_parse(text, strlen(text), &answer), RC_OK);
    assert_true(uuid_equal(&answer.uuid, &high));
    assert_false(answer.is_claiming);
    assert_string_equal(answer.name, "flux-node-1");
}

static void names_that_are_not_printable_are_not_taken(void **state)
{
    (void)state;
    static const char text[] = "{\"status\":\"healthy\",\"node_id\":\"a\\u000ab\","
                               "\"uuid\":\"03000000000000000000000000000000\"}";
    struct health_answer answer;
    assert_int_equal(health_answer_parse(text, strlen(text), &answer), RC_OK);
    assert_string_equal(answer.name, "");
}

static void other_programs_answers_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "ok",
        "null",
        "[]",
        "{}",
        "{\"status\":\"healthy\"}",
        "{\"uuid\":\"03000000000000000000000000000000\"}",
        "{\"status\":\"healthy\",\"uuid\":\"0300\"}",
        "{\"status\":\"healthy\",\"uuid\":\"0300000000000000000000000000000g\"}",
        "{\"status\":\"healthy\",\"uuid\":\"030000000000000000000000000000000\"}",
        "{\"status\":\"healthy\",\"uuid\":3}",
        "{\"status\":1,\"uuid\":\"03000000000000000000000000000000\"}",
    };
    struct health_answer answer;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(health_answer_parse(cases[i], strlen(cases[i]), &answer), RC_MALFORMED);
    }
    assert_int_equal(health_answer_parse(NULL, 0, &answer), RC_MALFORMED);
}

static void claim_is_kept_when_itself_or_no_node_answers(void **state)
{
    (void)state;
    const struct health_answer self = {.uuid = middle};
    assert_int_equal(claim_check_judge(&middle, NULL, 0), CLAIM_KEEP);
    assert_int_equal(claim_check_judge(&middle, &self, 0), CLAIM_KEEP);
}

static void claim_is_left_to_a_settled_node_of_any_uuid(void **state)
{
    (void)state;
    const struct health_answer lower = {.uuid = low}, higher = {.uuid = high};
    assert_int_equal(claim_check_judge(&middle, &lower, 0), CLAIM_LEAVE);
    assert_int_equal(claim_check_judge(&middle, &higher, 0), CLAIM_LEAVE);
}

static void of_two_that_claim_at_once_the_lower_uuid_keeps(void **state)
{
    (void)state;
    const struct health_answer lower = {.uuid = low, .is_claiming = true};
    const struct health_answer higher = {.uuid = high, .is_claiming = true};
    assert_int_equal(claim_check_judge(&middle, &lower, 0), CLAIM_LEAVE);
    assert_int_equal(claim_check_judge(&middle, &higher, 0), CLAIM_AGAIN);
    assert_int_equal(claim_check_judge(&middle, &higher, CLAIM_ATTEMPTS_MAX), CLAIM_KEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claiming_answer_is_read_back),
        cmocka_unit_test(health_of_a_node_is_read),
        cmocka_unit_test(names_that_are_not_printable_are_not_taken),
        cmocka_unit_test(other_programs_answers_are_refused),
        cmocka_unit_test(claim_is_kept_when_itself_or_no_node_answers),
        cmocka_unit_test(claim_is_left_to_a_settled_node_of_any_uuid),
        cmocka_unit_test(of_two_that_claim_at_once_the_lower_uuid_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
