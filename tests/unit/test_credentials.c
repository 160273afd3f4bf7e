#include "cmd/settings/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct credentials c;
static struct report errors;

static void set(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static int begin(void **state)
{
    (void)state;
    set("REPRAM_CACERT", NULL);
    set("REPRAM_CLIENT_CERT", NULL);
    set("REPRAM_CLIENT_KEY", NULL);
    set("REPRAM_TOKEN", NULL);
    set("REPRAM_TOKEN_FILE", NULL);
    c = (struct credentials){.ca = NULL};
    errors = (struct report){.count = 0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    credentials_fini(&c);
    return 0;
}

static void without_any_there_are_none(void **state)
{
    (void)state;
    set("REPRAM_CACERT", "");
    set("REPRAM_TOKEN", "");
    set("REPRAM_TOKEN_FILE", "");
    assert_int_equal(credentials_find_files(&c, &errors), RC_OK);
    assert_int_equal(credentials_read_token(&c, &errors), RC_OK);
    assert_string_equal(c.ca, "");
    assert_string_equal(c.cert, "");
    assert_string_equal(c.key, "");
    assert_null(c.authorization);
}

static void an_option_comes_before_the_environment(void **state)
{
    (void)state;
    set("REPRAM_CACERT", "ca");
    set("REPRAM_CLIENT_CERT", "cert");
    set("REPRAM_CLIENT_KEY", "key");
    c.cert = "other";
    assert_int_equal(credentials_find_files(&c, &errors), RC_OK);
    assert_string_equal(c.ca, "ca");
    assert_string_equal(c.cert, "other");
    assert_string_equal(c.key, "key");
}

static void a_key_without_its_certificate_is_refused(void **state)
{
    (void)state;
    c.key = "key";
    assert_int_equal(credentials_find_files(&c, &errors), RC_CONFIG);
    assert_string_equal(errors.text,
                        "a key without a certificate: --cert (REPRAM_CLIENT_CERT) is missing\n");
}

static void a_token_is_one_line_of_visible_characters(void **state)
{
    (void)state;
    static char longest[CREDENTIALS_TOKEN_MAX + 2];
    memset(longest, 'x', CREDENTIALS_TOKEN_MAX + 1);
    static const char *const bad[] = {"a b", "a\tb", "a\r\nX: y", "\xc3\xa4", "\x7f", longest};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        set("REPRAM_TOKEN", bad[i]);
        assert_int_equal(credentials_read_token(&c, &errors), RC_CONFIG);
        assert_null(c.authorization);
        assert_null(strstr(errors.text, bad[i]));
    }
    longest[CREDENTIALS_TOKEN_MAX] = '\0';
    set("REPRAM_TOKEN", longest);
    assert_int_equal(credentials_read_token(&c, &errors), RC_OK);
    assert_int_equal(strlen(c.authorization), sizeof("Bearer ") - 1 + CREDENTIALS_TOKEN_MAX);
    credentials_fini(&c);
    set("REPRAM_TOKEN", "rt1_!~");
    assert_int_equal(credentials_read_token(&c, &errors), RC_OK);
    assert_string_equal(c.authorization, "Bearer rt1_!~");
}

static void a_file_gives_its_line_and_not_beside_the_variable(void **state)
{
    char path[] = "/tmp/repram-token-XXXXXX";
    static const char line[] = "rt1_abc\n";
    (void)state;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
    (void)close(fd);
    set("REPRAM_TOKEN_FILE", path);
    assert_int_equal(credentials_read_token(&c, &errors), RC_OK);
    assert_string_equal(c.authorization, "Bearer rt1_abc");
    credentials_fini(&c);
    assert_null(c.authorization);
    set("REPRAM_TOKEN", "rt1_def");
    assert_int_equal(credentials_read_token(&c, &errors), RC_CONFIG);
    assert_string_equal(errors.text,
                        "REPRAM_TOKEN and REPRAM_TOKEN_FILE are both set; allowed: one of them\n");
    (void)unlink(path);
    set("REPRAM_TOKEN", NULL);
    assert_int_equal(credentials_read_token(&c, &errors), RC_CONFIG);
    assert_non_null(strstr(errors.text, "cannot be read: No such file or directory\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_any_there_are_none, begin, end),
        cmocka_unit_test_setup_teardown(an_option_comes_before_the_environment, begin, end),
        cmocka_unit_test_setup_teardown(a_key_without_its_certificate_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_token_is_one_line_of_visible_characters, begin, end),
        cmocka_unit_test_setup_teardown(a_file_gives_its_line_and_not_beside_the_variable, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
