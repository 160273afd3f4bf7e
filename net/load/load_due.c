#include "net/load/load_due.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <stdlib.h>

enum { LEFT_STEPS = 1000 };

static const uint64_t ns_per_s = 1000000000;

void load_due_init(struct load_due *d, uint64_t rate, uint32_t together, size_t lane_count)
{
    ASSERT(rate > 0 && together > 0 && lane_count > 0);
    *d = (struct load_due){.rate = rate, .together = together, .lane_count = lane_count};
    d->taken = mem_new(lane_count, sizeof(*d->taken));
}

void load_due_fini(struct load_due *d)
{
    free(d->taken);
    d->taken = NULL;
}

void load_due_begin(struct load_due *d, uint64_t now_ns, uint64_t most)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        d->taken[i] = 0;
    }
    d->begun_ns = now_ns;
    d->most = most;
    d->count = 0;
}

/* The number, among all, of a lane's n-th request. */
static uint64_t number_of(const struct load_due *d, size_t lane, uint64_t n)
{
    return (n / d->together * d->lane_count + lane) * d->together + n % d->together;
}

static uint64_t due_ns(const struct load_due *d, uint64_t number)
{
    const uint64_t first = number - number % d->together;
    return d->begun_ns + (uint64_t)((unsigned __int128)first * ns_per_s / d->rate);
}

/* How many have fallen due before that moment: whole lots. */
static uint64_t due_before(const struct load_due *d, uint64_t at_ns)
{
    if (at_ns <= d->begun_ns) {
        return 0;
    }
    const unsigned __int128 passed = at_ns - d->begun_ns;
    const uint64_t lot_count =
        (uint64_t)((passed * d->rate - 1) / ((unsigned __int128)ns_per_s * d->together)) + 1;
    return min_u64(lot_count * d->together, d->most);
}

uint64_t load_due_next_ns(const struct load_due *d, size_t lane)
{
    const uint64_t number = number_of(d, lane, d->taken[lane]);
    return number < d->most ? due_ns(d, number) : NEVER;
}

void load_due_take(struct load_due *d, size_t lane)
{
    ASSERT(load_due_next_ns(d, lane) != NEVER);
    d->taken[lane]++;
    d->count++;
}

void load_due_close(struct load_due *d, uint64_t at_ns)
{
    d->most = due_before(d, at_ns);
}

/* How many of the lane's requests have a lower number. */
static uint64_t count_below(const struct load_due *d, size_t lane, uint64_t number)
{
    const uint64_t round = d->together * d->lane_count;
    const uint64_t own = number % round;
    const uint64_t first = (uint64_t)lane * d->together;
    const uint64_t some = own > first ? min_u64(own - first, d->together) : 0;
    return number / round * d->together + some;
}

void load_due_left(const struct load_due *d, uint64_t at_ns,
                   void (*tell)(void *arg, uint64_t waited_ns, uint64_t count), void *arg)
{
    const uint64_t due = due_before(d, at_ns);
    for (size_t lane = 0; lane < d->lane_count; lane++) {
        const uint64_t end = count_below(d, lane, due);
        const uint64_t left = end - d->taken[lane];
        const uint64_t step = left / LEFT_STEPS + 1;
        for (uint64_t n = d->taken[lane]; n < end; n += step) {
            tell(arg, at_ns - due_ns(d, number_of(d, lane, n)), min_u64(step, end - n));
        }
    }
}
