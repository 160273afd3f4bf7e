#include "net/api/ready.h"

#include "gossip/engine.h"

const struct ready READY_REASONS[READY_COUNT] = {
    {READY_DRAINING, "draining"},       {READY_REFUSED, "refused"},
    {READY_DISCOVERING, "discovering"}, {READY_NO_CLOCK, "no_clock"},
    {READY_JOINING, "joining"},         {READY_EXPECTING, "expecting"},
    {READY_NO_QUORUM, "no_quorum"},     {READY_FULL, "storage_full"},
};

const char *ready_state(uint32_t unready)
{
    for (size_t i = 0; i < READY_COUNT; i++) {
        if ((unready & READY_REASONS[i].reason) != 0) {
            return READY_REASONS[i].name;
        }
    }
    return "ready";
}
