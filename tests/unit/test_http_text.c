#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/http_text.h"

#include <string.h>

static struct http_text text(const char *from)
{
    return (struct http_text){from, strlen(from)};
}

static void blanks_around_a_text_are_cut_off(void **state)
{
    (void)state;
    const struct http_text got = http_text_trim(text(" \ta b\t "));
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.data, "a b", 3);
    assert_int_equal(http_text_trim(text(" \t ")).len, 0);
}

static void words_are_compared_whole_and_without_case(void **state)
{
    (void)state;
    assert_true(http_text_is(text("Upgrade"), "upgrade"));
    assert_false(http_text_is(text("upgrade2"), "upgrade"));
    assert_false(http_text_is(text("upgrad"), "upgrade"));
    assert_true(http_text_is(text(""), ""));
}

static void tokens_have_no_blanks_controls_or_separators(void **state)
{
    (void)state;
    assert_true(http_text_is_token(text("X-a.9~!")));
    const char *const none[] = {"", "a b", "a\t", "a:", "(a)", "a\x7f", "\xc3\xa9", "a@", "a["};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_false(http_text_is_token(text(none[i])));
    }
    assert_false(http_text_is_token((struct http_text){"a\0b", 3}));
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "!#$%&'*+-.^_`|~"; /* RFC 9110 section 5.6.2 */
    for (int c = 1; c < 256; c++) {
        const char one = (char)c;
        assert_int_equal(http_text_is_token((struct http_text){&one, 1}),
                         strchr(allowed, c) != NULL);
    }
}

static void a_list_is_searched_element_by_element(void **state)
{
    (void)state;
    assert_true(http_text_lists(text("keep-alive, Upgrade"), "upgrade"));
    assert_true(http_text_lists(text(",,upgrade\t,x"), "upgrade"));
    assert_false(http_text_lists(text("keep-alive upgrade"), "upgrade"));
    assert_false(http_text_lists(text("upgrades,not-upgrade"), "upgrade"));
    assert_false(http_text_lists(text(""), "upgrade"));
}

static void a_weight_is_in_thousandths_and_one_by_default(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        uint32_t weight;
    } cases[] = {
        {"a/b", 1000},
        {"x/y, A/B", 1000},
        {"a/b;q=0.5", 500},
        {"a/b ; version=1.0.0;escaping=allow-utf-8; q=0.25 ,x/y", 250},
        {"a/b;q=0.123;v=1", 123},
        {"a/b;q=0.1, a/b;q=0.7;v=2, a/b;q=0.6", 700},
        {"a/b;Q=1.000", 1000},
        {"a/b;q=0", 0},
        {"a/b;q=0.000", 0},
        {"a/b;q=1.001", 0},
        {"a/b;q=0.1234", 0},
        {"a/b;q=2", 0},
        {"a/b;q=.5", 0},
        {"a/b;q=-1", 0},
        {"a/b;q=0.x", 0},
        {"a/b;q=0,5", 0},
        {"a/b;q=", 1000},
        {"a/bc, xa/b, a /b", 0},
        {"x/y;q=a/b;a/b", 0},
        {"*/*", 0},
        {",;,", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(http_text_weight(text(cases[i].list), "a/b"), cases[i].weight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_around_a_text_are_cut_off),
        cmocka_unit_test(words_are_compared_whole_and_without_case),
        cmocka_unit_test(tokens_have_no_blanks_controls_or_separators),
        cmocka_unit_test(a_list_is_searched_element_by_element),
        cmocka_unit_test(a_weight_is_in_thousandths_and_one_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
