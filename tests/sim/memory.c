#include "tests/sim/memory.h"

#include <stddef.h>

static bool is_all_spared = true;
static uint64_t calls_before, failures_left;
static uint64_t failed;

void memory_fail(uint64_t calls, uint64_t count)
{
    calls_before = calls;
    failures_left = count;
}

bool memory_spare(bool is_spared)
{
    const bool was_spared = is_all_spared;
    is_all_spared = is_spared;
    return was_spared;
}

uint64_t memory_failures(void)
{
    return failed;
}

static bool is_failing(void)
{
    if (is_all_spared || failures_left == 0) {
        return false;
    }
    if (calls_before > 0) {
        calls_before--;
        return false;
    }
    failures_left--;
    failed++;
    return true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

/* A test that brings tests/unit/failing_alloc has that one. */
__attribute__((weak)) void *__wrap_malloc(size_t size)
{
    return is_failing() ? NULL : __real_malloc(size);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
