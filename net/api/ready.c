#include "net/api/ready.h"

#include "gossip/engine.h"

const struct ready READY_REASONS[READY_COUNT] = {
    {READY_DRAINING, "draining"},       {READY_REFUSED, "refused"},
    {READY_DISCOVERING, "discovering"}, {READY_NO_CLOCK, "no_clock"},
    {READY_JOINING, "joining"},         {READY_EXPECTING, "expecting"},
    {READY_NO_QUORUM, "no_quorum"},     {READY_FULL, "storage_full"},
};

uint32_t ready_against(uint32_t unready, bool is_for_writes)
{
    return is_for_writes ? unready : unready & ~(uint32_t)READY_WRITES_ONLY;
}

const char *ready_state(uint32_t unready)
{
    const uint32_t against = ready_against(unready, false);
    for (size_t i = 0; i < READY_COUNT; i++) {
        if ((against & READY_REASONS[i].reason) != 0) {
            return READY_REASONS[i].name;
        }
    }
    return "ready";
}
