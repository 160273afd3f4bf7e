#include "net/sys/proc_figures.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { DESCRIPTORS = 1024, TOUCHED_BYTES = 32 << 20, QUARTER = TOUCHED_BYTES / 4 };

static struct proc_figures now_figures(void)
{
    struct proc_figures figures;
    proc_figures_read(&figures);
    return figures;
}

static void every_open_descriptor_counts_and_reading_opens_none(void **state)
{
    (void)state;
    uint64_t count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    assert_int_equal(now_figures().open_fds, count);
    assert_int_equal(now_figures().open_fds, count);
    const int fd = dup(STDIN_FILENO);
    assert_int_equal(now_figures().open_fds, count + 1);
    (void)close(fd);
}

static void memory_counts_in_bytes_once_it_is_touched(void **state)
{
    (void)state;
    const uint64_t before = now_figures().resident_bytes;
    void *memory =
        mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memset(memory, 1, TOUCHED_BYTES);
    const uint64_t after = now_figures().resident_bytes;
    assert_true(before > 0 && before < after);
    const uint64_t more = after - before;
    assert_true(more > TOUCHED_BYTES - QUARTER && more < TOUCHED_BYTES + QUARTER);
    assert_int_equal(munmap(memory, TOUCHED_BYTES), 0);
}

static void memory_that_is_only_mapped_is_virtual(void **state)
{
    (void)state;
    const struct proc_figures before = now_figures();
    void *memory =
        mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    const struct proc_figures after = now_figures();
    assert_true(before.virtual_bytes >= before.resident_bytes);
    assert_int_equal(after.virtual_bytes - before.virtual_bytes, TOUCHED_BYTES);
    assert_true(after.resident_bytes < before.resident_bytes + QUARTER);
    assert_int_equal(munmap(memory, TOUCHED_BYTES), 0);
}

static void the_most_descriptors_are_the_soft_limit(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(now_figures().max_fds, limit.rlim_cur);
    const struct rlimit less = {.rlim_cur = 64, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    assert_int_equal(now_figures().max_fds, 64);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void processor_time_only_grows(void **state)
{
    (void)state;
    const uint64_t before = now_figures().cpu_us;
    assert_true(before > 0);
    while (now_figures().cpu_us == before) {
        /* Reading takes some. */
    }
    assert_true(now_figures().cpu_us > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_open_descriptor_counts_and_reading_opens_none),
        cmocka_unit_test(memory_counts_in_bytes_once_it_is_touched),
        cmocka_unit_test(memory_that_is_only_mapped_is_virtual),
        cmocka_unit_test(the_most_descriptors_are_the_soft_limit),
        cmocka_unit_test(processor_time_only_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
