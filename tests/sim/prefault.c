#include "tests/sim/prefault.h"

#include "core/base/mem.h"
#include "gossip/wire/member.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HUGE_PAGE = 1 << 21,
    STEP_BYTES = 4 * HUGE_PAGE,
    INDEX_BYTES = 24,       /* of a member in its node's indexes, with the room that they grow by */
    PREFAULT_MIN = 1 << 26, /* bytes: clearing less takes a tenth of a second */
};

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
            break; /* a kernel before 5.14 */
        }
    }
    return NULL;
}

/* Has the heap end in so much that is free, and stay so; returns where that begins. NULL with an
 * allocator that does not keep its memory there, as the sanitizers'. */
static uint8_t *stretch_heap(size_t size)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, -1);
    const uint8_t *before = sbrk(0);
    void *volatile stretch = malloc(size); /* or the compiler would leave it out */
    free(stretch);
    uint8_t *end = sbrk(0);
    return (size_t)(end - before) >= size ? end - size : NULL;
}

struct prefault *prefault_begin(uint32_t nodes)
{
    const size_t size = (size_t)nodes * nodes * (sizeof(struct member) + INDEX_BYTES);
    uint8_t *begin = size >= PREFAULT_MIN ? stretch_heap(size) : NULL;
    if (begin == NULL) {
        return NULL;
    }
    const size_t skipped = -(uintptr_t)begin % HUGE_PAGE;
    struct prefault *p = mem_new(1, sizeof(*p));
    p->begin = begin + skipped;
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
