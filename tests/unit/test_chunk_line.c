#include "net/http/chunk_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is kept of a line; "!" from the first wrong byte on. */
static const char *kept(const char *line)
{
    static char text[64];
    struct chunk_line l = {.has_size = false};
    size_t len = 0;
    assert_true(strlen(line) < sizeof(text));
    for (; *line != '\0'; line++) {
        const enum chunk_byte is = chunk_line_take(&l, (uint8_t)*line);
        if (is == CHUNK_BYTE_WRONG) {
            text[len++] = '!';
            break;
        }
        if (is == CHUNK_BYTE_KEPT) {
            text[len++] = *line;
        }
    }
    text[len] = '\0';
    return text;
}

static void lines_without_extensions_are_kept_as_they_are(void **state)
{
    (void)state;
    static const char *const lines[] = {"5\r\n", "0aF\r\n", "\r\n", "x\r\n", "5\n", "5\r5", ""};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_string_equal(kept(lines[i]), lines[i]);
    }
}

static void extensions_are_dropped_with_the_blanks_around_their_parts(void **state)
{
    (void)state;
    static const char *const extensions[] = {
        ";a",
        ";a;b;c=d;e",
        " ; a = b",
        "\t;\ta\t=\tb\t;\tc",
        "  ;  a  ;b  =  c",
        ";a=\"\"",
        " ; a = \" b ; c = d \" ; e",
        ";a=\"b\\\" c\";d",
        ";a=\"b\\\\\" ;d",
        ";a=\"\xe4\t\\\xe4\"",
    };
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "5%s\r\n", extensions[i]);
        assert_string_equal(kept(line), "5\r\n");
    }
}

static void what_is_no_extension_is_wrong(void **state)
{
    (void)state;
    static const char *const extensions[] = {
        " ",
        " \r",
        " 5",
        ";",
        "; ",
        ";;a",
        ";a ",
        ";a b",
        ";=b",
        ";a=",
        ";a=;b",
        ";a= ",
        ";a=b ",
        ";a=b c",
        ";a==b",
        ";a=b=c",
        ";a=\"b\"c",
        ";a=\"b\" ",
        ";a=b\"c\"",
        ";a=\"b\x01\"",
        ";a=\"b\x7f\"",
        ";a=\"b\\\x01\"",
        ";a=\"b\r",
        ";\"a\"",
        ";a\n",
    };
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "5%s\r\n", extensions[i]);
        assert_string_equal(kept(line), "5!");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_without_extensions_are_kept_as_they_are),
        cmocka_unit_test(extensions_are_dropped_with_the_blanks_around_their_parts),
        cmocka_unit_test(what_is_no_extension_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
