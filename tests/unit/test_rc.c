#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rc.h"

#include <string.h>

static void every_code_is_zero_or_negative_and_has_its_own_text(void **state)
{
    (void)state;
    static const enum rc codes[] = {
#define RC_VALUE(name, value, text) RC_##name,
        RC_TABLE(RC_VALUE)
#undef RC_VALUE
    };
    const size_t count = sizeof(codes) / sizeof(codes[0]);
    for (size_t i = 0; i < count; i++) {
        assert_true(codes[i] <= 0);
        assert_true(strlen(rc_text(codes[i])) > 0);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(codes[i], codes[j]);
            assert_string_not_equal(rc_text(codes[i]), rc_text(codes[j]));
        }
    }
}

static void a_number_that_is_no_code_has_a_text_all_the_same(void **state)
{
    (void)state;
    int stranger = -1000;
    enum rc rc = RC_OK;
    memcpy(&rc, &stranger, sizeof(rc));
    assert_string_equal(rc_text(rc), "unknown error");
    assert_string_equal(rc_text(RC_OK), "ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_zero_or_negative_and_has_its_own_text),
        cmocka_unit_test(a_number_that_is_no_code_has_a_text_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
