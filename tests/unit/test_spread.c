#include "gossip/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void how_a_record_came_is_told_from_its_kind(void **state)
{
    (void)state;
    static const struct {
        unsigned kind;
        bool is_shadow, is_large;
        enum spread_way way;
    } rows[] = {
        {0, false, false, SPREAD_RECONCILED},
        {0, false, true, SPREAD_RECONCILED},
        {0, true, false, SPREAD_ASIDE},
        {RECORD_IS_COUNTED, false, false, SPREAD_ASIDE},
        {RECORD_IS_COUNTED, false, true, SPREAD_DIRECT},
        {RECORD_IS_COUNTED, true, true, SPREAD_ASIDE},
        {RECORD_IS_FORWARD, false, false, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD, false, true, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD, true, true, SPREAD_ASIDE},
        {RECORD_IS_FORWARD | RECORD_IS_COUNTED, false, false, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD | RECORD_IS_COUNTED, false, true, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT, false, true, SPREAD_REPEATED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT | RECORD_IS_COUNTED, false, false, SPREAD_REPEATED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT, true, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_COUNTED, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_FORWARD, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_FORWARD | RECORD_IS_REPEAT, false, true, SPREAD_ASIDE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(spread_way_of((uint8_t)rows[i].kind, rows[i].is_shadow, rows[i].is_large),
                         rows[i].way);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_a_record_came_is_told_from_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
