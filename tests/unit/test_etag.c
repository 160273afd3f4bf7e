#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/api/etag.h"

#include <stdio.h>
#include <string.h>

#define TAG_A "0123456789abcdef000102030405060708090a0b0c0d0e0f"
#define TAG_LONG "0123456789abcdef000102030405060708090a0b0c0d0e0f0"
#define TAG_B "0123456789abcdee000102030405060708090a0b0c0d0e0f"

static const struct version VERSION_A = {
    .stamp = 0x0123456789abcdef,
    .origin = {.bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}};
static const struct version VERSION_B = {
    .stamp = 0x0123456789abcdee,
    .origin = {.bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}};

static struct http_text text_of(const char *text)
{
    return (struct http_text){.data = text, .len = strlen(text)};
}

/* Reads the list of one header, or of two when `second` is not NULL. */
static enum rc read_list(const char *first, const char *second, bool is_strong,
                         struct etag_list *ret_list)
{
    const struct http_header headers[] = {
        {text_of("Accept"), text_of("*/*")},
        {text_of("if-match"), text_of(first)},
        {text_of("IF-MATCH"), text_of(second == NULL ? "" : second)},
    };
    const struct http_request rq = {.headers = headers, .header_count = second == NULL ? 2 : 3};
    return etag_read(&rq, "If-Match", is_strong, ret_list);
}

static void a_tag_is_the_version_in_quotes(void **state)
{
    (void)state;
    char text[ETAG_TEXT_SIZE];
    assert_string_equal(etag_format(&VERSION_A, text), "\"" TAG_A "\"");
}

static void no_header_is_no_list(void **state)
{
    (void)state;
    const struct http_request rq = {.header_count = 0};
    struct etag_list list;
    assert_int_equal(etag_read(&rq, "If-Match", true, &list), RC_OK);
    assert_false(list.is_present);
    assert_false(etag_has(&list, &VERSION_A));
}

static void a_list_has_the_versions_it_names(void **state)
{
    (void)state;
    struct etag_list list;
    assert_int_equal(read_list("\"" TAG_A "\"", NULL, true, &list), RC_OK);
    assert_true(list.is_present);
    assert_true(etag_has(&list, &VERSION_A));
    assert_false(etag_has(&list, &VERSION_B));
    assert_int_equal(read_list(" , \"x\" ,,\"" TAG_B "\",\t", "\"" TAG_A "\"", true, &list), RC_OK);
    assert_true(etag_has(&list, &VERSION_A));
    assert_true(etag_has(&list, &VERSION_B));
    assert_false(list.is_any);
}

static void a_star_has_every_version(void **state)
{
    (void)state;
    struct etag_list list;
    assert_int_equal(read_list("*", NULL, true, &list), RC_OK);
    assert_true(list.is_any);
    assert_true(etag_has(&list, &VERSION_A));
}

static void weak_tags_match_only_when_weak_comparison_is_asked_for(void **state)
{
    (void)state;
    struct etag_list list;
    assert_int_equal(read_list("W/\"" TAG_A "\"", NULL, true, &list), RC_OK);
    assert_true(list.is_present);
    assert_false(etag_has(&list, &VERSION_A));
    assert_int_equal(read_list("W/\"" TAG_A "\"", NULL, false, &list), RC_OK);
    assert_true(etag_has(&list, &VERSION_A));
}

static void other_spellings_of_a_version_match_nothing(void **state)
{
    (void)state;
    static const char LONG_TAG[] = "\"" TAG_LONG "\"";
    static const char *const others[] = {
        "\"0123456789ABCDEF000102030405060708090A0B0C0D0E0F\"", LONG_TAG,      "\"\"", "\"*\"",
        "\"0123456789abcdef000102030405060708090a0b0c0d0e0\"",  "\"\xc3\xa9\""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct etag_list list;
        assert_int_equal(read_list(others[i], NULL, true, &list), RC_OK);
        assert_int_equal(list.count, 0);
        assert_false(etag_has(&list, &VERSION_A));
    }
}

static void what_is_no_list_of_tags_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {TAG_A,        "\"a",          "a\"",      "\"a\" \"b\"",
                                        "\"a\"\"b\"", "w/\"a\"",      "W/a",      "W/",
                                        "*, \"a\"",   "\"a b\"",      "\"a\", *", "**",
                                        "\"a\";q=1",  "\"a\", W/\"b", "\"a\x7f\""};
    struct etag_list list;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(read_list(wrong[i], NULL, true, &list), RC_MALFORMED);
    }
    assert_int_equal(read_list("*", "*", true, &list), RC_MALFORMED);
    assert_int_equal(read_list("\"a\"", "*", true, &list), RC_MALFORMED);
    assert_int_equal(read_list("*", "\"a\"", true, &list), RC_MALFORMED);
}

static void more_tags_than_a_header_can_hold_are_refused(void **state)
{
    (void)state;
    static const char ELEMENT[] = "\"" TAG_A "\",";
    static char text[(ETAG_LIST_MAX + 1) * sizeof(ELEMENT)];
    struct etag_list list;
    size_t len = 0;
    for (size_t i = 0; i <= ETAG_LIST_MAX; i++) {
        (void)snprintf(text + len, sizeof(text) - len, "%s", ELEMENT);
        len += strlen(ELEMENT);
    }
    assert_int_equal(read_list(text, NULL, true, &list), RC_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_is_the_version_in_quotes),
        cmocka_unit_test(no_header_is_no_list),
        cmocka_unit_test(a_list_has_the_versions_it_names),
        cmocka_unit_test(a_star_has_every_version),
        cmocka_unit_test(weak_tags_match_only_when_weak_comparison_is_asked_for),
        cmocka_unit_test(other_spellings_of_a_version_match_nothing),
        cmocka_unit_test(what_is_no_list_of_tags_is_refused),
        cmocka_unit_test(more_tags_than_a_header_can_hold_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
