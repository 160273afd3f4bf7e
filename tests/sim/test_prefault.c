/* A large cluster's memory is there before it is asked for. */
#include "tests/sim/prefault.h"

#include "gossip/wire/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

enum { SMALL = 500, LARGE = 1000 };

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %zu", &pages), 1);
    (void)fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Since Linux 5.14. */
static bool kernel_populates(void)
{
    const size_t len = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    const bool is_done = madvise(page, len, MADV_POPULATE_WRITE) == 0;
    assert_int_equal(munmap(page, len), 0);
    return is_done;
}

static void a_small_cluster_is_left_alone(void **state)
{
    (void)state;
    assert_null(prefault_begin(SMALL));
    prefault_end(NULL);
}

static void a_large_cluster_has_its_memory(void **state)
{
    (void)state;
    if (IS_SANITIZED || !kernel_populates()) {
        skip();
    }
    const size_t expected = (size_t)LARGE * LARGE * sizeof(struct member);
    const size_t before = resident_bytes();
    struct prefault *p = prefault_begin(LARGE);
    assert_non_null(p);
    prefault_end(p);
    assert_in_range(resident_bytes() - before, expected, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_cluster_is_left_alone),
        cmocka_unit_test(a_large_cluster_has_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
