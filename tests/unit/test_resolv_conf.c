#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/resolv_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *own_name = "host"; /* of this machine, as the code is told */

int __wrap_gethostname(char *ret_name, size_t size);
int __wrap_gethostname(char *ret_name, size_t size)
{
    (void)snprintf(ret_name, size, "%s", own_name);
    return 0;
}

static void read_list(struct resolv_conf *l, const char *text)
{
    char path[] = "/tmp/repram-test-search-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    resolv_conf_read(l, path);
    (void)unlink(path);
}

static void append(char *text, size_t size, const char *part)
{
    const size_t len = strlen(text);
    (void)snprintf(text + len, size - len, "%s", part);
}

static void assert_forms(const struct resolv_conf *l, const char *name, const char *wanted)
{
    char all[1024] = "", form[DNS_NAME_SIZE];
    for (uint32_t turn = 0; resolv_conf_form(l, name, turn, form); turn++) {
        append(all, sizeof(all), form);
        append(all, sizeof(all), " ");
    }
    assert_string_equal(all, wanted);
}

static void names_with_few_dots_are_searched_first(void **state)
{
    (void)state;
    struct resolv_conf l;
    read_list(&l, "nameserver 192.0.2.1\nsearch a.test b.test\noptions timeout:1 ndots:2\n");
    assert_forms(&l, "one", "one.a.test one.b.test one ");
    assert_forms(&l, "one.two", "one.two.a.test one.two.b.test one.two ");
    assert_forms(&l, "one.two.three", "one.two.three one.two.three.a.test one.two.three.b.test ");
    assert_forms(&l, "one.", "one ");
}

static void without_a_list_a_name_is_what_it_is(void **state)
{
    (void)state;
    struct resolv_conf l;
    read_list(&l, "# search a.test\n");
    assert_forms(&l, "one", "one ");
    resolv_conf_read(&l, "/nowhere/resolv.conf");
    assert_forms(&l, "one", "one ");
    assert_int_equal(l.ndots, 1);
}

static void the_last_line_counts_and_domain_is_a_list_of_one(void **state)
{
    (void)state;
    struct resolv_conf l;
    read_list(&l, "search a.test b.test\ndomain c.test d.test\noptions ndots:x\n");
    assert_forms(&l, "one", "one.c.test one ");
    for (uint32_t count = SEARCH_DOMAINS_MAX - 1; count <= SEARCH_DOMAINS_MAX + 1; count++) {
        char text[256] = "search";
        for (uint32_t i = 0; i < count; i++) {
            append(text, sizeof(text), " a");
        }
        read_list(&l, text);
        assert_int_equal(l.count, count < SEARCH_DOMAINS_MAX ? count : SEARCH_DOMAINS_MAX);
    }
}

static void without_a_list_the_domain_of_this_host_is_one(void **state)
{
    (void)state;
    struct resolv_conf l;
    own_name = "host.a.test";
    read_list(&l, "nameserver 192.0.2.1\n");
    assert_forms(&l, "one", "one.a.test one ");
    resolv_conf_read(&l, "/nowhere/resolv.conf");
    assert_forms(&l, "one", "one.a.test one ");
    read_list(&l, "search b.test\n");
    assert_forms(&l, "one", "one.b.test one ");
    read_list(&l, "search .\n");
    assert_forms(&l, "one", "one one ");
    own_name = "host.";
    read_list(&l, "");
    assert_forms(&l, "one", "one ");
    own_name = "host";
}

static void servers_stand_in_the_order_of_the_file(void **state)
{
    (void)state;
    static const char *const wanted[] = {"192.0.2.3:53", "[2001:db8::1]:53", "192.0.2.1:5353"};
    struct resolv_conf l;
    char text[ADDR_TEXT_SIZE];
    read_list(&l, "nameserver 192.0.2.3 # not the last\n#nameserver 192.0.2.9\nnameserver\n"
                  "nameserver name.test\nnameserver 192.0.2.9:0\nnameserver 192.0.2.9:x\n"
                  "nameserver 2001:db8::1\nnameserver 192.0.2.1:5353\n");
    assert_int_equal(l.server_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_string_equal(addr_format(&l.servers[i], text), wanted[i]);
    }
}

static void without_a_server_this_hosts_is_asked(void **state)
{
    (void)state;
    static const char *const files[] = {"", "options ndots:2\n", "nameserver name.test\n"};
    struct resolv_conf l;
    char text[ADDR_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        read_list(&l, files[i]);
        assert_int_equal(l.server_count, 1);
        assert_string_equal(addr_format(&l.servers[0], text), "127.0.0.1:53");
    }
    resolv_conf_read(&l, "/nowhere/resolv.conf");
    assert_int_equal(l.server_count, 1);
}

static void only_so_many_servers_are_taken(void **state)
{
    (void)state;
    static const char line[] = "nameserver 192.0.2.1\n";
    for (uint32_t count = RESOLV_CONF_SERVERS_MAX - 1; count <= RESOLV_CONF_SERVERS_MAX + 1;
         count++) {
        struct resolv_conf l;
        char text[sizeof(line) * (RESOLV_CONF_SERVERS_MAX + 1)] = "";
        for (uint32_t i = 0; i < count; i++) {
            append(text, sizeof(text), line);
        }
        read_list(&l, text);
        assert_int_equal(l.server_count,
                         count < RESOLV_CONF_SERVERS_MAX ? count : RESOLV_CONF_SERVERS_MAX);
    }
}

static void only_so_many_lines_are_read(void **state)
{
    (void)state;
    enum { LINES_MAX = 4096 };
    static char text[LINES_MAX + 64];
    for (size_t before = LINES_MAX - 1; before <= LINES_MAX; before++) {
        struct resolv_conf l;
        memset(text, '\n', before);
        (void)snprintf(text + before, sizeof(text) - before, "search a.test\n");
        read_list(&l, text);
        assert_int_equal(l.count, before < LINES_MAX ? 1 : 0);
    }
}

static void a_line_may_be_long(void **state)
{
    (void)state;
    struct resolv_conf l;
    char text[1024];
    (void)snprintf(text, sizeof(text), "search %900s a.test\n", "");
    read_list(&l, text);
    assert_forms(&l, "one", "one.a.test one ");
}

static void a_form_that_is_too_long_is_empty(void **state)
{
    (void)state;
    struct resolv_conf l;
    char name[DNS_NAME_SIZE], form[DNS_NAME_SIZE];
    char longest[DNS_NAME_SIZE - sizeof(".a.test") + 1];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memcpy(longest, name, sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    read_list(&l, "search a.test\n");
    assert_true(resolv_conf_form(&l, longest, 0, form));
    assert_int_equal(strlen(form), DNS_NAME_SIZE - 1);
    name[sizeof(longest)] = '\0'; /* one more */
    assert_true(resolv_conf_form(&l, name, 0, form));
    assert_string_equal(form, "");
    name[sizeof(longest)] = 'x';
    assert_true(resolv_conf_form(&l, name, 0, form));
    assert_string_equal(form, "");
    assert_true(resolv_conf_form(&l, name, 1, form));
    assert_string_equal(form, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_with_few_dots_are_searched_first),
        cmocka_unit_test(without_a_list_a_name_is_what_it_is),
        cmocka_unit_test(the_last_line_counts_and_domain_is_a_list_of_one),
        cmocka_unit_test(without_a_list_the_domain_of_this_host_is_one),
        cmocka_unit_test(servers_stand_in_the_order_of_the_file),
        cmocka_unit_test(without_a_server_this_hosts_is_asked),
        cmocka_unit_test(only_so_many_servers_are_taken),
        cmocka_unit_test(only_so_many_lines_are_read),
        cmocka_unit_test(a_line_may_be_long),
        cmocka_unit_test(a_form_that_is_too_long_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
