#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "net/access/acl.h"
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

enum { TOKEN_LEN = 4 + 43 };

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
    assert_non_null(strstr(complained, "no key is written over it"));
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

/* Whether the line is the user's, with the hash of the token. */
static void assert_user(const char *line, const char *name, const char *token)
{
    char front[64];
    uint8_t hash[DIGEST_SIZE];
    struct acl_fault fault;
    uint32_t user = 9;
    struct digest *d = digest_new();
    struct acl *acl = acl_parse(line, strlen(line), &fault);
    assert_non_null(acl);
    assert_true(digest_sha256(d, token, TOKEN_LEN, hash));
    assert_int_equal(acl_find(acl, hash, 0, &user), RC_OK);
    assert_string_equal(acl_name(acl, user), name);
    (void)snprintf(front, sizeof(front), "user %s sha256:", name);
    assert_int_equal(strncmp(line, front, strlen(front)), 0);
    acl_free(acl);
    digest_free(d);
}

static void a_token_is_shown_once_with_the_line_of_its_hash(void **state)
{
    (void)state;
    char first[TOKEN_LEN + 1];
    assert_int_equal(keygen((const char *const[4]){"--token", "alice"}), EXIT_CODE_OK);
    assert_string_equal(complained, "");
    assert_int_equal(strncmp(printed, "rt1_", 4), 0);
    assert_int_equal(strcspn(printed, "\n"), TOKEN_LEN);
    (void)snprintf(first, sizeof(first), "%s", printed);
    assert_user(printed + TOKEN_LEN + 1, "alice", printed);
    assert_int_equal(keygen((const char *const[4]){"--token", "alice"}), EXIT_CODE_OK);
    assert_int_not_equal(strncmp(printed, first, TOKEN_LEN), 0);
}

static void a_token_in_a_file_is_not_shown(void **state)
{
    (void)state;
    char text[KEY_TEXT_SIZE + 1];
    struct stat at;
    assert_int_equal(keygen((const char *const[4]){"--token", "bob", "-o", path}), EXIT_CODE_OK);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 07777, 0600);
    assert_int_equal(read_key(text), TOKEN_LEN + 1);
    assert_int_equal(text[TOKEN_LEN], '\n');
    assert_user(printed, "bob", text);
    text[TOKEN_LEN] = '\0';
    assert_null(strstr(printed, text));
    assert_int_equal(keygen((const char *const[4]){"--token", "bob", "-o", path}),
                     EXIT_CODE_FAILED);
    assert_non_null(strstr(complained, "no token is written over it"));
}

static void a_token_needs_a_name_that_rules_may_have(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a b", "", "a/b", "#", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee12345678"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) - 1; i++) {
        assert_int_equal(keygen((const char *const[4]){"--token", names[i]}), EXIT_CODE_USAGE);
        assert_string_equal(printed, "");
        assert_non_null(strstr(complained, "--token"));
    }
    assert_int_equal(keygen((const char *const[4]){"--token", names[4]}), EXIT_CODE_OK);
    assert_int_equal(keygen((const char *const[4]){"--token=a", "--network", "n"}),
                     EXIT_CODE_USAGE);
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
        TEST(a_token_is_shown_once_with_the_line_of_its_hash),
        TEST(a_token_in_a_file_is_not_shown),
        TEST(a_token_needs_a_name_that_rules_may_have),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
