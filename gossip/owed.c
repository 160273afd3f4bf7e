/*
 * Writes that a member has put off, and the STATE frames by which it says that it can take them.
 *
 * A member that has no clock yet, or one in conflict with ours, cannot judge a record. That is no
 * answer, and no client should wait for its timeout because of it. Such writes are owed on the
 * member's link. They go out again when the member's state says that it can take them. When its
 * state said so before already, they go out after a pause that doubles.
 */
#include "core/base/units.h"
#include "gossip/engine_state.h"
#include "gossip/spread.h"

enum {
    OWED_PAUSE_MIN_US = 20 * 1000, /* a clock that is being set is set by then */
    OWED_PAUSE_MAX_US = 640 * 1000,
};

/* ---- This node's own state ---- */

void owed_tell_state(struct engine *e, uint8_t flags)
{
    if (flags == e->told_state) {
        return;
    }
    e->told_state = flags;
    const uint8_t payload[1] = {engine_flags(e)};
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (link_has_said_hello(l)) {
            (void)mesh_send(e->mesh, l, FRAME_STATE, payload, sizeof(payload));
        }
    }
}

/* ---- The members' ---- */

static bool can_take(const struct link *l)
{
    return (l->member->flags & MEMBER_HAS_CLOCK) != 0 && l->clock.is_agreed;
}

void owed_put_off(struct engine *e, struct link *l, uint32_t waiter)
{
    quorum_note(e->quorum, waiter, &l->member->uuid, QUORUM_PUT_OFF);
    if (l->owed.is_owed) {
        return;
    }
    l->owed.is_owed = true;
    l->owed.pause_us = l->owed.pause_us == 0 ? OWED_PAUSE_MIN_US : 2 * l->owed.pause_us;
    if (l->owed.pause_us > OWED_PAUSE_MAX_US) {
        l->owed.pause_us = OWED_PAUSE_MAX_US;
    }
    l->owed.at_us = e->now_us + l->owed.pause_us;
    peer_look_by(e, l->owed.at_us);
}

void owed_resend(struct engine *e, struct link *l)
{
    if (!l->member->is_mate || l->clock.is_conflict) {
        return;
    }
    for (uint32_t w = quorum_first(e->quorum); w != 0; w = quorum_next(e->quorum, w)) {
        const struct waiting *waiting = quorum_at(e->quorum, w);
        const enum quorum_part part = quorum_part(e->quorum, w, &l->member->uuid);
        const struct queued_write write = {
            .handle = waiting->handle, .waiter = w, .version = waiting->done.version};
        if (part != QUORUM_HOLDS && part != QUORUM_REFUSED) {
            spread_again(engine_spread(e), l, &write, waiting->record_id, waiting->is_big);
        }
    }
}

void owed_take_state(struct engine *e, struct link *l, struct cursor *c)
{
    const uint8_t flags = cursor_u8(c);
    /* Its clock has come before, or it has none that can be right. */
    const bool is_known = l->member->clock != MEMBER_CLOCK_UNHEARD;
    l->member->flags = (uint8_t)(flags & ~(is_known ? 0 : MEMBER_HAS_CLOCK));
    clock_source_heard(e, l->member);
    start_heard(e, l->member);
    l->owed.pause_us = 0;
    l->owed.at_us = e->now_us;
    peer_look_by(e, e->now_us);
}

uint64_t owed_turn(struct engine *e, struct link *l)
{
    if (!l->owed.is_owed || !can_take(l)) {
        return NEVER;
    }
    if (e->now_us < l->owed.at_us) {
        return l->owed.at_us;
    }
    const struct uuid *member = &l->member->uuid;
    l->owed.is_owed = false;
    for (uint32_t w = quorum_first(e->quorum); w != 0; w = quorum_next(e->quorum, w)) {
        if (quorum_part(e->quorum, w, member) == QUORUM_PUT_OFF) {
            quorum_note(e->quorum, w, member, QUORUM_NONE);
            voters_ask(e, l, w);
        }
    }
    return NEVER;
}
