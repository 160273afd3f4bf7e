#include "cmd/base/json_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_text_is_there_or_it_is_otherwise(void **state)
{
    cJSON *root = cJSON_Parse("{\"a\":\"text\",\"b\":7,\"c\":null,\"d\":\"\"}");
    (void)state;
    assert_string_equal(json_in_text(root, "a", "?"), "text");
    assert_string_equal(json_in_text(root, "b", "?"), "?");
    assert_string_equal(json_in_text(root, "c", "?"), "?");
    assert_string_equal(json_in_text(root, "d", "?"), "");
    assert_null(json_in_text(root, "A", NULL));
    assert_string_equal(json_in_text(NULL, "a", "?"), "?");
    cJSON_Delete(root);
}

static void a_number_is_whole_and_no_less_than_nothing(void **state)
{
    static const struct {
        const char *text;
        uint64_t number;
    } roots[] = {
        {"{\"n\":7}", 7},
        {"{\"n\":7.9}", 7},
        {"{\"n\":0.5}", 0},
        {"{\"n\":-1}", 0},
        {"{\"n\":9007199254740991}", 9007199254740991},
        {"{\"n\":999999999999999872}", 999999999999999872}, /* the last double below 1e18 */
        {"{\"n\":1e18}", 0},
        {"{\"n\":\"7\"}", 0},
        {"{\"N\":7}", 0},
        {"7", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        cJSON *root = cJSON_Parse(roots[i].text);
        assert_int_equal(json_in_number(root, "n"), roots[i].number);
        cJSON_Delete(root);
    }
    assert_int_equal(json_in_number(NULL, "n"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_there_or_it_is_otherwise),
        cmocka_unit_test(a_number_is_whole_and_no_less_than_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
