#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "net/crypto/key_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured.h"

static struct captured out, err;
static char folder[32], path[64];
static const char *printed, *complained;

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/repram-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    return unsetenv("REPRAM_NETWORK");
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* Runs `repram keygen` with at most four words; NULL ends them. */
static int keygen(const char *const words[4])
{
    char text[5][64] = {"keygen"};
    char *argv[6] = {text[0]};
    int argc = 1;
    for (; argc < 5 && words[argc - 1] != NULL; argc++) {
        (void)snprintf(text[argc], sizeof(text[argc]), "%s", words[argc - 1]);
        argv[argc] = text[argc];
    }
    captured_begin(&out, STDOUT_FILENO);
    captured_begin(&err, STDERR_FILENO);
    const int code = command_keygen(argc, argv);
    complained = captured_end(&err);
    printed = captured_end(&out);
    return code;
}

static void assert_key(const char *text)
{
    struct keyring_items items;
    char fault[KEY_TEXT_FAULT_SIZE];
    assert_int_equal(strlen(text), KEY_TEXT_LEN + 1);
    assert_int_equal(text[KEY_TEXT_LEN], '\n');
    assert_int_equal(key_text_parse(text, KEY_TEXT_LEN, &items, fault), RC_OK);
}

static size_t read_key(char ret_text[static KEY_TEXT_SIZE + 1])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t len = fread(ret_text, 1, KEY_TEXT_SIZE, file);
    ret_text[len] = '\0';
    (void)fclose(file);
    return len;
}

static void a_key_goes_to_a_file_of_its_owner_alone_and_is_not_shown(void **state)
{
    (void)state;
    char text[KEY_TEXT_SIZE + 1];
    struct stat at;
    const mode_t before = umask(0);
    assert_int_equal(keygen((const char *const[4]){"--out", path}), EXIT_CODE_OK);
    (void)umask(before);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 07777, 0600);
    (void)read_key(text);
    assert_key(text);
    text[KEY_TEXT_LEN] = '\0';
    assert_null(strstr(printed, text));
    assert_non_null(strstr(printed, path));
    assert_non_null(strstr(printed, "in the network private"));
    assert_non_null(strstr(printed, "REPRAM_CLUSTER_SECRET_FILE="));
    assert_string_equal(complained, "");
}

static void no_file_is_written_over(void **state)
{
    (void)state;
    char first[KEY_TEXT_SIZE + 1], second[KEY_TEXT_SIZE + 1];
    assert_int_equal(keygen((const char *const[4]){"-o", path}), EXIT_CODE_OK);
    (void)read_key(first);
    assert_int_equal(keygen((const char *const[4]){"-o", path}), EXIT_CODE_FAILED);
    assert_non_null(strstr(complained, "no key is written over another"));
    assert_string_equal(printed, "");
    (void)read_key(second);
    assert_string_equal(first, second);
}

static void without_a_file_the_key_alone_is_on_standard_output(void **state)
{
    (void)state;
    char first[KEY_TEXT_SIZE + 1];
    assert_int_equal(keygen((const char *const[4]){NULL}), EXIT_CODE_OK);
    assert_key(printed);
    (void)snprintf(first, sizeof(first), "%s", printed);
    assert_non_null(strstr(complained, "a new key, id "));
    assert_int_equal(keygen((const char *const[4]){"--network", "other"}), EXIT_CODE_OK);
    assert_non_null(strstr(complained, "in the network other"));
    assert_string_not_equal(printed, first);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    assert_int_equal(keygen((const char *const[4]){"word"}), EXIT_CODE_USAGE);
    assert_int_equal(keygen((const char *const[4]){"--outt=x"}), EXIT_CODE_USAGE);
    assert_int_equal(keygen((const char *const[4]){"--network", "a b"}), EXIT_CODE_BAD_CONFIG);
    assert_int_equal(keygen((const char *const[4]){"--out", "/not/there/secret"}),
                     EXIT_CODE_FAILED);
    assert_non_null(strstr(complained, "/not/there/secret: No such file or directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_goes_to_a_file_of_its_owner_alone_and_is_not_shown),
        TEST(no_file_is_written_over),
        TEST(without_a_file_the_key_alone_is_on_standard_output),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
