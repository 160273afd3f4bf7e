#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/search_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_list(struct search_list *l, const char *text)
{
    char path[] = "/tmp/repram-test-search-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    search_list_read(l, path);
    (void)unlink(path);
}

static void assert_forms(const struct search_list *l, const char *name, const char *wanted)
{
    char all[1024] = "", form[SEARCH_NAME_SIZE];
    for (uint32_t turn = 0; search_list_form(l, name, turn, form); turn++) {
        const size_t len = strlen(all);
        (void)snprintf(all + len, sizeof(all) - len, "%s ", form);
    }
    assert_string_equal(all, wanted);
}

static void names_with_few_dots_are_searched_first(void **state)
{
    (void)state;
    struct search_list l;
    read_list(&l, "nameserver 192.0.2.1\nsearch a.test b.test\noptions timeout:1 ndots:2\n");
    assert_forms(&l, "one", "one.a.test one.b.test one ");
    assert_forms(&l, "one.two", "one.two.a.test one.two.b.test one.two ");
    assert_forms(&l, "one.two.three", "one.two.three one.two.three.a.test one.two.three.b.test ");
    assert_forms(&l, "one.", "one ");
}

static void without_a_list_a_name_is_what_it_is(void **state)
{
    (void)state;
    struct search_list l;
    read_list(&l, "# search a.test\n");
    assert_forms(&l, "one", "one ");
    search_list_read(&l, "/nowhere/resolv.conf");
    assert_forms(&l, "one", "one ");
    assert_int_equal(l.ndots, 1);
}

static void the_last_line_counts_and_domain_is_a_list_of_one(void **state)
{
    (void)state;
    struct search_list l;
    read_list(&l, "search a.test b.test\ndomain c.test d.test\noptions ndots:x\n");
    assert_forms(&l, "one", "one.c.test one ");
    read_list(&l, "search a b c d e f g h\n");
    assert_int_equal(l.count, SEARCH_DOMAINS_MAX);
}

static void only_so_many_lines_are_read(void **state)
{
    (void)state;
    enum { LINES_MAX = 4096 };
    static char text[LINES_MAX + 64];
    for (size_t before = LINES_MAX - 1; before <= LINES_MAX; before++) {
        struct search_list l;
        memset(text, '\n', before);
        (void)snprintf(text + before, sizeof(text) - before, "search a.test\n");
        read_list(&l, text);
        assert_int_equal(l.count, before < LINES_MAX ? 1 : 0);
    }
}

static void a_line_may_be_long(void **state)
{
    (void)state;
    struct search_list l;
    char text[1024];
    (void)snprintf(text, sizeof(text), "search %900s a.test\n", "");
    read_list(&l, text);
    assert_forms(&l, "one", "one.a.test one ");
}

static void a_form_that_is_too_long_is_empty(void **state)
{
    (void)state;
    struct search_list l;
    char name[SEARCH_NAME_SIZE], form[SEARCH_NAME_SIZE];
    char longest[SEARCH_NAME_SIZE - sizeof(".a.test") + 1];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memcpy(longest, name, sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    read_list(&l, "search a.test\n");
    assert_true(search_list_form(&l, longest, 0, form));
    assert_int_equal(strlen(form), SEARCH_NAME_SIZE - 1);
    name[sizeof(longest)] = '\0'; /* one more */
    assert_true(search_list_form(&l, name, 0, form));
    assert_string_equal(form, "");
    name[sizeof(longest)] = 'x';
    assert_true(search_list_form(&l, name, 0, form));
    assert_string_equal(form, "");
    assert_true(search_list_form(&l, name, 1, form));
    assert_string_equal(form, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_with_few_dots_are_searched_first),
        cmocka_unit_test(without_a_list_a_name_is_what_it_is),
        cmocka_unit_test(the_last_line_counts_and_domain_is_a_list_of_one),
        cmocka_unit_test(only_so_many_lines_are_read),
        cmocka_unit_test(a_line_may_be_long),
        cmocka_unit_test(a_form_that_is_too_long_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
