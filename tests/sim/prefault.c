#include "tests/sim/prefault.h"

#include "core/mem.h"
#include "gossip/member.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    HUGE_PAGE = 1 << 21,
    STEP_BYTES = 16 * HUGE_PAGE,
    INDEX_BYTES = 24, /* of a member in its node's indexes, with the room that they grow by */
};

/* Less is had in the second that it takes. */
#define PREFAULT_MIN ((size_t)1 << 30)

/* Whole huge pages at the top of the heap. */
struct prefault {
    uint8_t *begin;
    size_t len;
    pthread_t thread;
};

static void *touch(void *arg)
{
    const struct prefault *p = arg;
    for (size_t at = 0; at < p->len; at += STEP_BYTES) {
        if (madvise(p->begin + at, STEP_BYTES, MADV_POPULATE_WRITE) != 0) {
            break; /* an old kernel, or no memory: the next to need it is told */
        }
    }
    return NULL;
}

/* Has the heap end in so much that is free, and stay so; returns where that begins. 0 when the
 * allocator does not give out again what was freed, as the sanitizers' does not. */
static uintptr_t stretch_heap(size_t size)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, -1);
    void *stretch = malloc(size);
    const uintptr_t begin = (uintptr_t)stretch;
    free(stretch);
    void *sample = malloc(STEP_BYTES);
    const bool is_given_again = (uintptr_t)sample == begin;
    free(sample);
    return is_given_again ? begin : 0;
}

struct prefault *prefault_begin(uint32_t nodes)
{
    const size_t size = (size_t)nodes * nodes * (sizeof(struct member) + INDEX_BYTES);
    const uintptr_t begin = size >= PREFAULT_MIN ? stretch_heap(size) : 0;
    if (begin == 0) {
        return NULL;
    }
    const size_t skipped = -begin % HUGE_PAGE;
    struct prefault *p = mem_new(1, sizeof(*p));
    p->begin = (uint8_t *)(begin + skipped);
    p->len = (size - skipped) / STEP_BYTES * STEP_BYTES;
    (void)madvise(p->begin, p->len, MADV_HUGEPAGE);
    if (pthread_create(&p->thread, NULL, touch, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

void prefault_end(struct prefault *p)
{
    if (p != NULL) {
        (void)pthread_join(p->thread, NULL);
        free(p);
    }
}
