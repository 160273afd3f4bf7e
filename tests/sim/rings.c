#include "tests/sim/rings.h"

#include "core/base/assert.h"

#include <string.h>

/* Two letters a step, each a key but 'o', which is `open`. */
static const char *const circle[RINGS_STEPS] = {"o", "oK", "Ko", "K", "KL", "LK", "L", "Lo", "oL"};

struct keyring_items rings_items(uint32_t step)
{
    struct keyring_items items = {.count = 0};
    ASSERT(step < RINGS_STEPS);
    for (const char *at = circle[step]; *at != '\0'; at++) {
        struct keyring_item *item = &items.items[items.count++];
        item->is_open = *at == 'o';
        if (!item->is_open) {
            memset(item->key, *at, sizeof(item->key));
        }
    }
    return items;
}

uint32_t rings_behind(uint32_t step, uint32_t front)
{
    return (front + RINGS_STEPS - step) % RINGS_STEPS;
}
