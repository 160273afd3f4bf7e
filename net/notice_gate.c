#include "net/notice_gate.h"

#include "core/base/units.h"

bool notice_gate_passes(struct notice_gate *g, enum notice_kind kind, uint64_t now_ms,
                        bool *ret_is_last)
{
    const uint64_t most_ms = (uint64_t)(NOTICE_BURST - 1) * NOTICE_PERIOD_MS;
    const uint64_t from_ms = g->paid_ms[kind] > now_ms ? g->paid_ms[kind] : now_ms;
    *ret_is_last = false;
    if (from_ms - now_ms > most_ms) {
        g->told_ms[kind] = g->left_out[kind] == 0 ? now_ms + NOTICE_TOLD_MS : g->told_ms[kind];
        g->left_out[kind]++;
        return false;
    }
    g->paid_ms[kind] = from_ms + NOTICE_PERIOD_MS;
    *ret_is_last = g->left_out[kind] == 0 && g->paid_ms[kind] - now_ms > most_ms;
    return true;
}

uint64_t notice_gate_deadline(const struct notice_gate *g)
{
    uint64_t first_ms = NEVER;
    for (int kind = 0; kind < NOTICE_KINDS; kind++) {
        first_ms = g->left_out[kind] > 0 ? min_u64(g->told_ms[kind], first_ms) : first_ms;
    }
    return first_ms;
}

bool notice_gate_next(struct notice_gate *g, uint64_t now_ms, enum notice_kind *ret_kind,
                      uint32_t *ret_count)
{
    for (int kind = 0; kind < NOTICE_KINDS; kind++) {
        if (g->left_out[kind] > 0 && now_ms >= g->told_ms[kind]) {
            *ret_kind = (enum notice_kind)kind;
            *ret_count = g->left_out[kind];
            g->left_out[kind] = 0;
            g->paid_ms[kind] =
                (g->paid_ms[kind] > now_ms ? g->paid_ms[kind] : now_ms) + NOTICE_PERIOD_MS;
            return true;
        }
    }
    return false;
}
