/* How a node's writes and links go, and its clock: see mutant.h. */
#include "core/base/mem.h"
#include "gossip/clock.h"
#include "gossip/crowd.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/spread.h"
#include "tests/sim/mutants/mutant.h"

#include <stdlib.h>

enum {
    JUMPY_EVERY = 5000,
    JUMP_US = 200 * 1000,
    NODS = 20,
    HOARD_MIN = 64,
    HOARDED = 300, /* of each write */
};

/* ---- How data by another clock gets in ---- */

static void agree_anyway(struct engine *e, struct member *m)
{
    struct link *l = mesh_of(e->mesh, m);
    if (mutant_is(MUTANT_UNDATED) && l != NULL) {
        l->clock.is_agreed = true;
        l->clock.is_conflict = false;
    }
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(void, spread_write, struct spread *s, struct queued_write *w, uint64_t id, bool is_big)
{
    __real_spread_write(s, w, id, is_big);
    if (mutant_is(MUTANT_REPEATING)) {
        __real_spread_write(s, w, id, is_big);
    }
}

/* As the link's own, but without its limit. */
static void push_anyway(struct write_queue *q, const struct queued_write *w)
{
    if (q->count == q->size) {
        const size_t size = q->size == 0 ? HOARD_MIN : 2 * q->size;
        struct queued_write *items = mem_new(size, sizeof(*items));
        for (size_t i = 0; i < q->count; i++) {
            items[i] = q->items[(q->head + i) & (q->size - 1)];
        }
        free(q->items);
        *q = (struct write_queue){.items = items, .size = size, .count = q->count};
    }
    q->items[(q->head + q->count++) & (q->size - 1)] = *w;
}

WRAP(enum rc, link_enqueue, struct link *l, const struct queued_write *w, bool is_big)
{
    for (uint32_t i = 0; i < HOARDED && mutant_is(MUTANT_HOARDING) && !is_big; i++) {
        push_anyway(&l->live, w);
    }
    return __real_link_enqueue(l, w, is_big);
}

WRAP(enum rc, mesh_send, struct mesh *m, struct link *l, enum frame_type type, const void *payload,
     size_t len)
{
    for (uint32_t i = 0; mutant_is(MUTANT_NODDING) && type == FRAME_ACK && i < NODS; i++) {
        (void)__real_mesh_send(m, l, type, payload, len);
    }
    return __real_mesh_send(m, l, type, payload, len);
}

WRAP(void, owed_put_off, struct engine *e, struct link *l, uint32_t waiter)
{
    if (!mutant_is(MUTANT_OFFENDED)) {
        __real_owed_put_off(e, l, waiter);
    }
}

WRAP(enum rc, rival_hello, struct engine *e, struct link *l, const struct uuid *uuid)
{
    return mutant_is(MUTANT_MEEK) ? RC_OK : __real_rival_hello(e, l, uuid);
}

WRAP(uint64_t, rival_silence, struct engine *e, struct link *l)
{
    return mutant_is(MUTANT_STUBBORN) ? UINT64_MAX : __real_rival_silence(e, l);
}

WRAP(bool, engine_next_link, const struct engine *e, uint32_t *slot,
     struct engine_link_view *ret_view)
{
    const bool is_found = __real_engine_next_link(e, slot, ret_view);
    if (is_found && mutant_is(MUTANT_LONG_QUEUE)) {
        ret_view->queued += UINT64_C(3) * LINK_QUEUE_MAX;
    }
    return is_found;
}

WRAP(void, clock_advance, struct clock *c, uint64_t now_us)
{
    __real_clock_advance(c, now_us);
    if (mutant_is(MUTANT_JUMPY) && c->is_set && mutant_is_turn(JUMPY_EVERY)) {
        c->offset_us += JUMP_US;
    }
}

/* The link carries data, as though the clock were the node's own. */
WRAP(void, apart_judge, struct engine *e, struct member *m, uint64_t clock_us, uint32_t rtt_us,
     uint64_t at_us)
{
    __real_apart_judge(e, m, clock_us, rtt_us, at_us);
    agree_anyway(e, m);
}

WRAP(void, apart_told, struct engine *e, struct member *m, uint64_t clock_us)
{
    __real_apart_told(e, m, clock_us);
    agree_anyway(e, m);
}

WRAP(void, crowd_largest, struct crowd_vote *votes, uint32_t count, struct crowd_group *ret_group)
{
    __real_crowd_largest(votes, count, ret_group);
    for (uint32_t i = 0; mutant_is(MUTANT_SOLO) && i < count; i++) {
        ret_group->lead = crowd_leads(&votes[i], &ret_group->lead) ? votes[i] : ret_group->lead;
    }
}

WRAP(size_t, link_fill, struct link *l, const struct link_source *source, struct buf *out,
     size_t len_max)
{
    if (mutant_is(MUTANT_SLOPPY)) {
        l->told_count = l->received_count + 1;
    }
    return __real_link_fill(l, source, out, len_max);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
