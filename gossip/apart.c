/*
 * Whose clock is more than a minute from this node's: the two were founded apart. Their link
 * carries no data, no quorum counts the member, and its clock does not lead. It is judged by every
 * answer to a question of ours, by datagram or link, whichever of the two has records; and once
 * more when our own clock jumps. A clock that comes on a link unasked does not show how long it was
 * under way, and may have been held up while one of the two stood still. An answer puts it right.
 */
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "gossip/engine_state.h"

#include <stdlib.h>

/* A clock beyond the year 4000 is nobody's. */
#define CLOCK_SANE_MAX_US (UINT64_C(64060588800) * 1000000)

enum { SLOTS_MIN = 64 };

uint8_t apart_flags(uint8_t flags, uint64_t clock_us)
{
    const bool is_sane = clock_us != 0 && clock_us <= CLOCK_SANE_MAX_US;
    return is_sane ? flags : (uint8_t)(flags & ~MEMBER_HAS_CLOCK);
}

int64_t apart_own_us(const struct engine *e)
{
    return e->clock.is_set ? e->clock.offset_us : e->apart.guess_us;
}

int64_t apart_offset_us(const struct engine *e, const struct member *m)
{
    return m->clock == MEMBER_CLOCK_APART ? e->apart.offsets_us[m->slot] : apart_own_us(e);
}

static void note_offset(struct apart *a, uint32_t slot, int64_t offset_us)
{
    if (slot >= a->offset_count) {
        uint32_t count = a->offset_count == 0 ? SLOTS_MIN : a->offset_count;
        while (count <= slot) {
            count *= 2;
        }
        a->offsets_us = mem_resize(a->offsets_us, count, sizeof(*a->offsets_us));
        a->offset_count = count;
    }
    a->offsets_us[slot] = offset_us;
}

static void set_clock(struct engine *e, struct member *m, enum member_clock now)
{
    struct apart *a = &e->apart;
    const enum member_clock was = (enum member_clock)m->clock;
    m->clock = now & 3U;
    a->agrees += now == MEMBER_CLOCK_AGREES;
    a->agrees -= was == MEMBER_CLOCK_AGREES;
    a->since_us = a->count == 0 && now == MEMBER_CLOCK_APART ? e->now_us : a->since_us;
    a->count += now == MEMBER_CLOCK_APART;
    a->count -= was == MEMBER_CLOCK_APART;
    if (a->count == 0 && a->offset_count > 0) {
        free(a->offsets_us);
        a->offsets_us = NULL;
        a->offset_count = 0;
    }
    voters_look(e, m);
}

/* Data may pass on the member's link now, or no longer. */
static void judge_link(struct engine *e, struct member *m)
{
    struct link *l = mesh_of(e->mesh, m);
    if (l == NULL) {
        return;
    }
    const bool is_apart = m->clock == MEMBER_CLOCK_APART;
    l->clock.is_agreed = m->clock == MEMBER_CLOCK_AGREES;
    const bool is_over = l->clock.is_conflict && !is_apart && m->is_mate;
    l->clock.is_conflict = is_apart;
    l->clock.is_told = l->clock.is_told && is_apart;
    if (is_over) {
        link_ask_repair(l, REPAIR_CLOCK);
        owed_resend(e, l);
    }
    if (link_needs_repair(l) || l->owed.is_owed) {
        peer_look_by(e, e->now_us);
    }
}

static void judge(struct engine *e, struct member *m, int64_t offset_us, int64_t unsure_us)
{
    const int64_t difference_us = offset_us - apart_own_us(e);
    const int64_t size_us = difference_us < 0 ? -difference_us : difference_us;
    enum member_clock clock = (enum member_clock)m->clock;
    if (size_us - unsure_us > CLOCK_CONFLICT_US) {
        clock = MEMBER_CLOCK_APART;
        note_offset(&e->apart, m->slot, offset_us);
    } else if (size_us + unsure_us <= CLOCK_CONFLICT_US) {
        clock = MEMBER_CLOCK_AGREES;
    }
    set_clock(e, m, clock);
    judge_link(e, m);
}

/* Where neither has records one of the two takes the other's clock: that needs no notice. */
static void say_conflict(struct engine *e, struct member *m, bool was_apart)
{
    struct link *l = mesh_of(e->mesh, m);
    const bool is_told = l != NULL ? l->clock.is_told : was_apart;
    const bool is_any = engine_has_records(e) || (m->flags & MEMBER_HAS_RECORDS) != 0;
    if (m->clock != MEMBER_CLOCK_APART || !e->clock.is_set || is_told || !is_any) {
        return;
    }
    if (l != NULL) {
        l->clock.is_told = true;
    }
    e->counters.clock_conflicts++;
    outbox_notice(e->outbox, NOTICE_CLOCK_CONFLICT, m,
                  (apart_offset_us(e, m) - apart_own_us(e)) / 1000, NULL);
}

static void take(struct engine *e, struct member *m, int64_t offset_us, int64_t unsure_us)
{
    if (!e->clock.is_set && !e->apart.has_guess) {
        e->apart.has_guess = true;
        e->apart.guess_us = offset_us;
    }
    judge(e, m, offset_us, unsure_us);
}

void apart_judge(struct engine *e, struct member *m, uint64_t clock_us, uint32_t rtt_us,
                 uint64_t at_us)
{
    const bool was_apart = m->clock == MEMBER_CLOCK_APART;
    take(e, m, (int64_t)(clock_us + rtt_us / 2 - at_us), rtt_us / 2);
    say_conflict(e, m, was_apart);
}

void apart_told(struct engine *e, struct member *m, uint64_t clock_us)
{
    take(e, m, (int64_t)(clock_us - e->now_us), 0);
    if (m->clock == MEMBER_CLOCK_APART) {
        swim_ask(e->swim, m, e->now_us);
    }
}

void apart_forget(struct engine *e, struct member *m)
{
    if (m->clock != MEMBER_CLOCK_UNHEARD) {
        set_clock(e, m, MEMBER_CLOCK_UNHEARD);
    }
}

void apart_moved(struct engine *e, int64_t was_us)
{
    uint32_t slot = 0;
    for (struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        if (m->clock == MEMBER_CLOCK_APART) {
            judge(e, m, e->apart.offsets_us[m->slot], 0);
            say_conflict(e, m, false);
        } else if (m->clock == MEMBER_CLOCK_AGREES) {
            judge(e, m, was_us, 0);
            say_conflict(e, m, false);
        }
    }
}

void apart_check(const struct engine *e)
{
    uint32_t agrees = 0;
    uint32_t count = 0;
    uint32_t slot = 0;
    for (const struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        ASSERT(m->clock == MEMBER_CLOCK_UNHEARD || (member_is_live(m) && !m->is_self));
        agrees += m->clock == MEMBER_CLOCK_AGREES;
        count += m->clock == MEMBER_CLOCK_APART;
    }
    ASSERT(agrees == e->apart.agrees && count == e->apart.count);
    ASSERT((count == 0) == (e->apart.offsets_us == NULL));
}
