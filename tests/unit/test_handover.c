#include "cmd/settings/handover.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#define A_KEY "rk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8wUrl"
#define OTHER_KEY "rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0F"

static struct settings s;

static int teardown(void **state)
{
    (void)state;
    settings_fini(&s);
    return 0;
}

static void load(const char *word)
{
    char *const environment[] = {(char *)(uintptr_t)word, NULL};
    const struct settings_sources sources = {.environment = environment};
    settings_fini(&s);
    settings_load(&s, &sources);
}

static void an_environment_loses_its_secrets_and_nothing_else(void **state)
{
    (void)state;
    char secret[] = "REPRAM_CLUSTER_SECRET=" A_KEY;
    char file[] = "REPRAM_CLUSTER_SECRET_FILE=/run/secret", other[] = "BASE_PORT=9000";
    char *const environment[] = {other, secret, file, NULL};
    handover_wipe_environment(environment);
    for (size_t i = strlen("REPRAM_CLUSTER_SECRET="); i < sizeof(secret); i++) {
        assert_int_equal(secret[i], 0);
    }
    assert_string_equal(secret, "REPRAM_CLUSTER_SECRET=");
    assert_string_equal(file, "REPRAM_CLUSTER_SECRET_FILE=/run/secret");
    assert_string_equal(other, "BASE_PORT=9000");
}

static void what_is_sealed_is_read_by_each_child_and_written_by_none(void **state)
{
    (void)state;
    static struct config_file file;
    load("REPRAM_CLUSTER_SECRET=" A_KEY "," OTHER_KEY);
    assert_true(handover_has_any(&s));
    const int fd = handover_seal(&s);
    assert_true(fd >= 0);
    for (int child = 0; child < 2; child++) {
        assert_int_equal(handover_read(fd, &file), RC_OK);
        assert_int_equal(file.line_count, 1);
        assert_string_equal(file.lines[0].key, "REPRAM_CLUSTER_SECRET");
        assert_string_equal(file.lines[0].value, A_KEY "," OTHER_KEY);
        config_file_fini(&file);
    }
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    (void)close(fd);
    assert_int_equal(handover_read(fd, &file), RC_IO);
}

static void the_state_is_that_of_the_ring(void **state)
{
    (void)state;
    load("BASE_PORT=9000");
    assert_false(handover_has_any(&s));
    assert_int_equal(handover_sealing(&s), SEALING_OPEN);
    load("REPRAM_CLUSTER_SECRET=open");
    assert_int_equal(handover_sealing(&s), SEALING_OPEN);
    load("REPRAM_CLUSTER_SECRET=" A_KEY ",open");
    assert_int_equal(handover_sealing(&s), SEALING_MIXED);
    load("REPRAM_CLUSTER_SECRET=" A_KEY);
    assert_int_equal(handover_sealing(&s), SEALING_SEALED);
}

static void a_closed_process_leaves_no_core(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    handover_close_process();
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_environment_loses_its_secrets_and_nothing_else),
        TEST(what_is_sealed_is_read_by_each_child_and_written_by_none),
        TEST(the_state_is_that_of_the_ring),
        TEST(a_closed_process_leaves_no_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
