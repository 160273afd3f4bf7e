/*
 * timerheap: many deadlines, the earliest at hand. It is a binary heap of timers that live inside
 * their owners. Setting, moving and clearing one costs O(log n) and allocates nothing.
 *
 * A timer is set at most once; `at` is its place and 0 when it is not set. The heap borrows the
 * timers: clear one before its owner goes away. It knows no clock.
 */
#ifndef CORE_BASE_TIMERHEAP_H
#define CORE_BASE_TIMERHEAP_H

#include <stdint.h>

struct timer {
    void *owner; /* set by the owner, for whoever takes the timer from the heap */
    uint64_t due_us;
    uint32_t at; /* place in the heap plus 1; 0 when not set */
};

struct timerheap {
    struct timer **timers;
    uint32_t count;
    uint32_t size;
    uint32_t count_max;
};

/* At most `count_max` timers are ever set at once, which is asserted. */
void timerheap_init(struct timerheap *h, uint32_t count_max);
void timerheap_fini(struct timerheap *h);

/* Sets the timer, or moves it when it is set. */
void timerheap_set(struct timerheap *h, struct timer *t, uint64_t due_us);

/* Nothing happens when it is not set. */
void timerheap_clear(struct timerheap *h, struct timer *t);

/* The timer that is due first; NULL when none is set. */
struct timer *timerheap_first(const struct timerheap *h);

void timerheap_check(const struct timerheap *h);

#endif
