#include "cmd/base/plain.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *printed(const char *text, size_t columns_max)
{
    static char shown[256];
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    assert_non_null(out);
    plain_print(out, text, strlen(text), columns_max);
    assert_int_equal(fclose(out), 0);
    return shown;
}

static const char *cleaned(const char *text)
{
    static char copy[64];
    (void)snprintf(copy, sizeof(copy), "%s", text);
    const size_t len = plain_clean(copy, strlen(text));
    assert_int_equal(len, strlen(copy));
    return copy;
}

/* Each span of what is not plain, with its neighbours that are. */
static void what_could_move_a_cursor_or_turn_a_text_is_not_plain(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_plain;
    } cases[] = {
        {"\x01", false},
        {"\x1b", false},
        {"\x1f", false},
        {" ", true},
        {"~", true},
        {"\x7f", false},
        {"\xc2\x80", false},
        {"\xc2\x9b", false},
        {"\xc2\x9f", false},
        {"\xc2\xa0", true},
        {"\xd8\x9b", true},
        {"\xd8\x9c", false},
        {"\xe2\x80\x8d", true},
        {"\xe2\x80\x8e", false},
        {"\xe2\x80\x8f", false},
        {"\xe2\x80\x90", true},
        {"\xe2\x80\xa7", true},
        {"\xe2\x80\xa8", false},
        {"\xe2\x80\xaa", false},
        {"\xe2\x80\xae", false},
        {"\xe2\x80\xaf", true},
        {"\xe2\x81\xa5", true},
        {"\xe2\x81\xa6", false},
        {"\xe2\x81\xa9", false},
        {"\xe2\x81\xaa", true},
        {"\xff", false},
        {"\xc2", false},
        {"\xed\xa0\x80", false},
        {"\xef\xbf\xbd", true},
        {"\xf0\x9f\x98\x80", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const size_t len = strlen(cases[i].text);
        const struct plain c = plain_next(cases[i].text, len);
        assert_int_equal(c.is_plain, cases[i].is_plain);
        assert_int_equal(c.len, c.code == PLAIN_NO_CHARACTER && !c.is_plain ? 1 : len);
    }
    assert_false(plain_next("\0", 1).is_plain);
    assert_int_equal(plain_next("\xf0\x9f\x98\x80", 4).code, 0x1F600);
}

static void a_character_that_is_not_plain_becomes_one_question_mark(void **state)
{
    (void)state;
    assert_string_equal(cleaned("a\tb\xc2\x9b"
                                "2J\xe2\x80\xae"
                                "c\xff\xc3\xa9"),
                        "a?b?2J?c?\xc3\xa9");
    assert_string_equal(cleaned(""), "");
}

static void what_is_printed_can_be_had_back(void **state)
{
    (void)state;
    assert_string_equal(printed("100% \x1b[2J \xc2\x9b \xff caf\xc3\xa9", SIZE_MAX),
                        "100%25 %1B[2J %C2%9B %FF caf\xc3\xa9");
}

static void what_is_too_wide_is_cut_to_the_column(void **state)
{
    (void)state;
    assert_string_equal(printed("abcde", 5), "abcde");
    assert_string_equal(printed("abcdef", 5), "ab...");
    assert_string_equal(printed("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4),
                        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
    assert_string_equal(printed("a\x1b"
                                "bcdef",
                                5),
                        "a...");
    assert_string_equal(printed("abcd", 3), "...");
}

/* Kanji and emoji are two columns wide; an accent that combines has none of its own. */
static void what_is_wide_is_counted_as_it_is_shown(void **state)
{
    (void)state;
    assert_int_equal(plain_columns("\xe6\x97\xa5\xe6\x9c\xac", 6), 4);
    assert_int_equal(plain_columns("\xf0\x9f\x98\x80", 4), 2);
    assert_int_equal(plain_columns("e\xcc\x81", 3), 1);
    assert_int_equal(plain_columns("\xe2\x80\xae\x01\xff", 5), 3); /* a '?' each */
    assert_string_equal(printed("\xe6\x97\xa5\xe6\x9c\xac", 4), "\xe6\x97\xa5\xe6\x9c\xac");
    assert_string_equal(printed("\xe6\x97\xa5\xe6\x9c\xac", 3), "...");
    assert_string_equal(printed("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5), "\xe6\x97\xa5...");
    assert_string_equal(printed("abce\xcc\x81", 4), "abce\xcc\x81");
    assert_string_equal(printed("ae\xcc\x81xyz", 5), "ae\xcc\x81xyz");
    assert_string_equal(printed("ae\xcc\x81xyzz", 5), "ae\xcc\x81...");
}

static void json_stays_the_same_json(void **state)
{
    (void)state;
    static const char json[] = "{\"a\":\"\xc2\x9b\x7f\xe2\x80\xae\xff\xc3\xa9\"}\n";
    char shown[64] = "";
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    assert_non_null(out);
    plain_print_json(out, json, sizeof(json) - 1);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(shown, "{\"a\":\"\\u009b\\u007f\\u202e\\ufffd\xc3\xa9\"}\n");
}

static void base64_is_printed_as_what_it_stands_for(void **state)
{
    (void)state;
    char shown[64] = "";
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    assert_non_null(out);
    plain_print_base64(out, "YRv/", SIZE_MAX);
    plain_print_base64(out, "YRv", SIZE_MAX); /* is none */
    assert_int_equal(fclose(out), 0);
    assert_string_equal(shown, "a%1B%FF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_move_a_cursor_or_turn_a_text_is_not_plain),
        cmocka_unit_test(a_character_that_is_not_plain_becomes_one_question_mark),
        cmocka_unit_test(what_is_printed_can_be_had_back),
        cmocka_unit_test(what_is_too_wide_is_cut_to_the_column),
        cmocka_unit_test(what_is_wide_is_counted_as_it_is_shown),
        cmocka_unit_test(json_stays_the_same_json),
        cmocka_unit_test(base64_is_printed_as_what_it_stands_for),
    };
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
