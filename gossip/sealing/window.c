#include "gossip/sealing/window.h"

#include "core/base/assert.h"

#include <string.h>

static uint64_t *word_of(struct window *w, uint64_t counter)
{
    return &w->bits[counter % WINDOW_BITS / 64];
}

static uint64_t bit_of(uint64_t counter)
{
    return UINT64_C(1) << counter % 64;
}

bool window_is_new(const struct window *w, uint64_t counter)
{
    if (counter > w->highest) {
        return true;
    }
    const bool is_kept = counter != 0 && w->highest - counter < WINDOW_BITS;
    return is_kept && (w->bits[counter % WINDOW_BITS / 64] & bit_of(counter)) == 0;
}

void window_take(struct window *w, uint64_t counter)
{
    ASSERT(window_is_new(w, counter));
    if (counter > w->highest) {
        if (counter - w->highest >= WINDOW_BITS) {
            memset(w->bits, 0, sizeof(w->bits));
        } else {
            for (uint64_t c = w->highest + 1; c < counter; c++) {
                *word_of(w, c) &= ~bit_of(c); /* the place was an older one's */
            }
        }
        w->highest = counter;
    }
    *word_of(w, counter) |= bit_of(counter);
}
