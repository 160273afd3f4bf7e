#include "core/store/ledger.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MIN = 4 };

void ledger_fini(struct ledger *ledger)
{
    free(ledger->lines);
    *ledger = (struct ledger){.lines = NULL};
}

static void drop_first(struct ledger *ledger, uint32_t count)
{
    ledger->count -= count;
    memmove(ledger->lines, ledger->lines + count, ledger->count * sizeof(*ledger->lines));
}

uint64_t ledger_book(struct ledger *ledger, uint64_t second, struct digest change)
{
    uint32_t at = ledger->count;
    while (at > 0 && ledger->lines[at - 1].second > second) {
        at--;
    }
    if (at > 0 && ledger->lines[at - 1].second == second) {
        ledger->lines[at - 1].change.sum += change.sum;
        ledger->lines[at - 1].change.count += change.count;
        return 0;
    }
    uint64_t forgotten_s = 0;
    if (ledger->count == LEDGER_SECONDS_MAX) {
        if (at == 0) {
            return second;
        }
        forgotten_s = ledger->lines[0].second;
        drop_first(ledger, 1);
        at--;
    } else if (ledger->count == ledger->size) {
        ledger->size = ledger->size == 0 ? LINES_MIN : 2 * ledger->size;
        ledger->lines = mem_resize(ledger->lines, ledger->size, sizeof(*ledger->lines));
    }
    memmove(&ledger->lines[at + 1], &ledger->lines[at],
            (ledger->count - at) * sizeof(*ledger->lines));
    ledger->lines[at] = (struct ledger_line){second, change};
    ledger->count++;
    return forgotten_s;
}

struct digest ledger_since(const struct ledger *ledger, uint64_t cut_s)
{
    struct digest total = {0, 0};
    for (uint32_t i = ledger->count; i > 0 && ledger->lines[i - 1].second > cut_s; i--) {
        total.sum += ledger->lines[i - 1].change.sum;
        total.count += ledger->lines[i - 1].change.count;
    }
    return total;
}

uint64_t ledger_forget(struct ledger *ledger, uint64_t horizon_s)
{
    uint32_t count = 0;
    while (count < ledger->count && ledger->lines[count].second <= horizon_s) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    const uint64_t forgotten_s = ledger->lines[count - 1].second;
    if (count == ledger->count) {
        ledger_fini(ledger);
    } else {
        drop_first(ledger, count);
    }
    return forgotten_s;
}

void ledger_check(const struct ledger *ledger)
{
    ASSERT(ledger->count <= ledger->size && ledger->count <= LEDGER_SECONDS_MAX);
    for (uint32_t i = 1; i < ledger->count; i++) {
        ASSERT(ledger->lines[i - 1].second < ledger->lines[i].second);
    }
}
