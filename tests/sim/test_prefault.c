/* A large cluster's memory is there before it is asked for. */
#include "tests/sim/prefault.h"

#include "gossip/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { SMALL = 1000, LARGE = 3000 };

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %zu", &pages), 1);
    (void)fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void a_small_cluster_is_left_alone(void **state)
{
    (void)state;
    assert_null(prefault_begin(SMALL));
    prefault_end(NULL);
}

static void a_large_ones_comes_by_itself(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* the sanitizers' allocator does not give out again what was freed */
#endif
    const size_t before = resident_bytes();
    struct prefault *p = prefault_begin(LARGE);
    assert_non_null(p);
    prefault_end(p);
    assert_in_range(resident_bytes() - before, LARGE * LARGE * sizeof(struct member), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_cluster_is_left_alone),
        cmocka_unit_test(a_large_ones_comes_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
