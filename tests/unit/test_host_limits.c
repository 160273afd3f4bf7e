#include "cmd/settings/host_limits.h"

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

/* A small /proc and /sys of our own. */
static char root[32];

static void put(const char *path, const char *text)
{
    char name[512];
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(name, 0700);
        *slash = '/';
    }
    FILE *out = fopen(name, "w");
    assert_non_null(out);
    (void)fputs(text, out);
    (void)fclose(out);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/repram-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("/proc/meminfo", "MemTotal:       8388608 kB\nMemFree:  1 kB\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void without_groups_it_is_the_machines_memory(void **state)
{
    (void)state;
    assert_int_equal(host_limits_memory(root), UINT64_C(8) << 30);
}

static void version_2_limits_of_the_group_and_those_above_it_hold(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(host_limits_memory(root), UINT64_C(8) << 30);
    put("/sys/fs/cgroup/a/memory.max", "536870912\n");
    assert_int_equal(host_limits_memory(root), UINT64_C(512) << 20);
    put("/sys/fs/cgroup/a/b/memory.max", "268435456\n");
    assert_int_equal(host_limits_memory(root), UINT64_C(256) << 20);
}

static void inside_a_container_the_group_is_the_root(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "524288000\n");
    assert_int_equal(host_limits_memory(root), 524288000);
}

static void version_1_limits_hold_and_its_huge_number_means_none(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
    put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(host_limits_memory(root), UINT64_C(8) << 30);
    put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "104857600\n");
    assert_int_equal(host_limits_memory(root), 104857600);
}

static void a_root_without_files_gives_something_to_work_with(void **state)
{
    (void)state;
    assert_true(host_limits_memory("/nonexistent") > 0);
    assert_true(host_limits_descriptors() > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_groups_it_is_the_machines_memory),
        TEST(version_2_limits_of_the_group_and_those_above_it_hold),
        TEST(inside_a_container_the_group_is_the_root),
        TEST(version_1_limits_hold_and_its_huge_number_means_none),
        TEST(a_root_without_files_gives_something_to_work_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
