#include "cmd/settings/help.h"

#include "cmd/settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_SIZE = 64 * 1024 };

/* What help_settings() writes. */
static const char *settings_text_of_help(void)
{
    static char text[TEXT_SIZE];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    help_settings(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void a_command_has_its_text_and_others_have_none(void **state)
{
    (void)state;
    char text[TEXT_SIZE] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(help_command(out, "ge"), RC_NOT_FOUND);
    assert_int_equal(help_command(out, "get"), RC_OK);
    assert_int_equal(fclose(out), 0);
    assert_memory_equal(text, "usage: repram get ", strlen("usage: repram get "));
    assert_null(strstr(text + 1, "usage: "));
}

static void every_setting_stands_there_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    const char *at = strchr(settings_text_of_help(), '\n');
    assert_non_null(at);
    at++;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct settings_def *def = settings_def((enum setting_id)i);
        char expected[2048], flag[SETTING_NAME_SIZE], allowed[SETTINGS_ALLOWED_SIZE];
        size_t len =
            (size_t)snprintf(expected, sizeof(expected), "\n%s%s%s\n    %s\n", def->name,
                             def->aliases[0] != '\0' ? ", also " : "", def->aliases, def->meaning);
        (void)settings_flag((enum setting_id)i, flag);
        if ((def->traits & TRAIT_UNUSED) == 0) {
            len += (size_t)snprintf(expected + len, sizeof(expected) - len,
                                    "    default: %s; allowed: %s",
                                    def->fallback[0] != '\0' ? def->fallback : "not set",
                                    settings_allowed((enum setting_id)i, allowed, sizeof(allowed)));
            (void)snprintf(expected + len, sizeof(expected) - len, "%s%s\n",
                           flag[0] != '\0' ? "; flag: --" : "", flag);
        }
        assert_memory_equal(at, expected, strlen(expected));
        at += strlen(expected);
    }
    assert_string_equal(at, "");
}

static void examples_of_each_kind_of_setting_read_well(void **state)
{
    (void)state;
    const char *text = settings_text_of_help();
    assert_memory_equal(text, "Settings: flag > environment > file", 35);
    assert_non_null(strstr(text,
                           "\nBASE_PORT\n    first port of the range\n"
                           "    default: 8081; allowed: a port, 1 to 65535; flag: --base-port\n"));
    assert_non_null(strstr(text, "\nREPRAM_HTTP_PORT, also REPRAM_PORT,HTTP_PORT\n"));
    assert_non_null(strstr(text, "    default: not set; allowed: "));
    assert_non_null(strstr(
        text, "\nREPRAM_CLUSTER_SECRET\n    keyring that seals all traffic between nodes; "));
    assert_non_null(strstr(text, "named by the same name with _FILE\n\nREPRAM_TLS_CERT\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_has_its_text_and_others_have_none),
        cmocka_unit_test(every_setting_stands_there_with_all_that_is_known_of_it),
        cmocka_unit_test(examples_of_each_kind_of_setting_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
