#include "core/base/timerheap.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stddef.h>
#include <stdlib.h>

enum { TIMERHEAP_SIZE_MIN = 16 };

void timerheap_init(struct timerheap *h, uint32_t count_max)
{
    *h = (struct timerheap){.count_max = count_max};
}

void timerheap_fini(struct timerheap *h)
{
    free(h->timers);
    h->timers = NULL;
    h->count = h->size = 0;
}

static void place(struct timerheap *h, uint32_t at, struct timer *t)
{
    h->timers[at] = t;
    t->at = at + 1;
}

static void sift_up(struct timerheap *h, uint32_t at)
{
    struct timer *t = h->timers[at];
    while (at > 0 && h->timers[(at - 1) / 2]->due_us > t->due_us) {
        place(h, at, h->timers[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(h, at, t);
}

static void sift_down(struct timerheap *h, uint32_t at)
{
    struct timer *t = h->timers[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= h->count) {
            break;
        }
        if (child + 1 < h->count && h->timers[child + 1]->due_us < h->timers[child]->due_us) {
            child++;
        }
        if (h->timers[child]->due_us >= t->due_us) {
            break;
        }
        place(h, at, h->timers[child]);
        at = child;
    }
    place(h, at, t);
}

void timerheap_set(struct timerheap *h, struct timer *t, uint64_t due_us)
{
    t->due_us = due_us;
    if (t->at == 0) {
        ASSERT(h->count < h->count_max);
        if (h->count == h->size) {
            h->size = h->size == 0 ? TIMERHEAP_SIZE_MIN : 2 * h->size;
            h->timers = mem_resize(h->timers, h->size, sizeof(struct timer *));
        }
        place(h, h->count++, t);
    }
    sift_up(h, t->at - 1);
    sift_down(h, t->at - 1);
}

void timerheap_clear(struct timerheap *h, struct timer *t)
{
    if (t->at == 0) {
        return;
    }
    const uint32_t at = t->at - 1;
    ASSERT(at < h->count && h->timers[at] == t);
    t->at = 0;
    struct timer *last = h->timers[--h->count];
    if (last != t) {
        place(h, at, last);
        sift_up(h, at);
        sift_down(h, last->at - 1);
    }
}

struct timer *timerheap_first(const struct timerheap *h)
{
    return h->count > 0 ? h->timers[0] : NULL;
}

void timerheap_check(const struct timerheap *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        ASSERT(h->timers[i]->at == i + 1);
        ASSERT(i == 0 || h->timers[(i - 1) / 2]->due_us <= h->timers[i]->due_us);
    }
}
