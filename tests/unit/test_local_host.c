#include "cmd/settings/local_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void nodes_answer_where_they_are_bound_or_on_loopback(void **state)
{
    (void)state;
    static struct settings s;
    static const struct {
        const char *bind, *host; /* NULL: loopback */
    } cases[] = {{"192.0.2.1", "192.0.2.1"},
                 {"2001:db8::1", "2001:db8::1"},
                 {"::1", "::1"},
                 {"all", NULL},
                 {"0.0.0.0", NULL},
                 {"::", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[ADDR_TEXT_SIZE];
        struct addr addr;
        settings_set(&s, SETTING_BIND, cases[i].bind, 0, "test");
        assert_int_equal(addr_parse_ip(local_host(&s, text), 0, &addr), RC_OK);
        if (cases[i].host != NULL) {
            assert_string_equal(text, cases[i].host);
        } else {
            assert_true(addr_is_loopback(&addr));
        }
    }
    settings_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_answer_where_they_are_bound_or_on_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
