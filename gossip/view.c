#include "gossip/view.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/courier.h"
#include "gossip/probe.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Rumours go out on their own, to as many members, while there are some: pings alone would
     * bring news to two members per period. Idle, it costs nothing. */
    GOSSIP_PERIOD_US = 100000,
    GOSSIP_FANOUT = 3,
    /* A member accused by hearsay is told directly while so few are suspect: after a large
     * partition the rumours tell them, or each would be told by everybody. */
    TOLD_SUSPECTS_MAX = 64,
};

void view_init_member(struct swim *s, struct member *m)
{
    (void)s;
    m->probe = mem_new(1, sizeof(*m->probe));
    m->probe->timer.owner = m;
    m->probe->rumor.subject = m;
}

void view_free_member(struct swim *s, struct member *m)
{
    timerheap_clear(&s->timers, &m->probe->timer);
    rumor_drop(&s->rumors, &m->probe->rumor);
    free(m->probe);
    m->probe = NULL;
}

static void forget(struct swim *s, struct member *m)
{
    eventq_forget(&s->events, m);
    view_free_member(s, m);
    roster_remove(&s->roster, m);
}

/* ---- Telling ---- */

static void tell_caller(struct swim *s, enum swim_event_kind kind, struct member *m,
                        enum member_state was)
{
    const struct swim_event event = {.kind = kind, .member = m, .was = was};
    (void)eventq_put(&s->events, &event);
}

static void tell_others(struct swim *s, struct member *m, enum entry_kind kind,
                        const struct uuid *by)
{
    rumor_put(&s->rumors, m->is_self ? &s->self_rumor : &m->probe->rumor, kind, by);
}

uint64_t view_gossip_deadline(const struct swim *s)
{
    if (s->rumors.count == 0 || s->roster.order_count == 0) {
        return UINT64_MAX;
    }
    /* Not before now: when there was nothing to tell for long, nothing is overdue. */
    const uint64_t due_us = s->last_gossip_us + GOSSIP_PERIOD_US;
    return due_us > s->now_us ? due_us : s->now_us;
}

void view_gossip(struct swim *s)
{
    s->last_gossip_us = s->now_us;
    const struct member *sent_to[GOSSIP_FANOUT] = {NULL};
    for (uint32_t i = 0; i < GOSSIP_FANOUT && s->rumors.count > 0; i++) {
        struct member *to = roster_random(&s->roster, &s->rng);
        bool is_repeated = false;
        for (uint32_t j = 0; j < i; j++) {
            is_repeated = is_repeated || sent_to[j] == to;
        }
        if (to != NULL && !is_repeated) {
            sent_to[i] = to;
            struct packet p = {.kind = PACKET_GOSSIP};
            courier_send(s, to, &p);
        }
    }
}

/* ---- This node itself ---- */

void view_renew_self(struct swim *s, enum member_state state, uint32_t incarnation)
{
    roster_set_state(&s->roster, s->self, state, incarnation, &s->rng, s->now_us);
    tell_others(s, s->self, state == MEMBER_LEFT ? ENTRY_LEFT : ENTRY_ALIVE, NULL);
}

/* Somebody holds us for less than alive: say otherwise, to the accuser first. */
static void refute(struct swim *s, uint32_t incarnation, const struct uuid *by)
{
    if (s->self->state == MEMBER_LEFT || incarnation < s->self->card.incarnation ||
        incarnation + 1 >= INCARNATION_MAX) {
        return;
    }
    view_renew_self(s, MEMBER_ALIVE, incarnation + 1);
    s->counters->refutations++;
    probe_health(s, 1);
    tell_caller(s, SWIM_REFUTED, s->self, MEMBER_ALIVE);
    struct member *accuser = by != NULL ? roster_find(&s->roster, by) : NULL;
    if (accuser != NULL && !accuser->is_self && member_is_live(accuser)) {
        struct packet p = {.kind = PACKET_GOSSIP};
        courier_send(s, accuser, &p);
    }
}

/* ---- Others ---- */

static struct member *add(struct swim *s, const struct member_card *card, enum member_state state)
{
    struct roster *r = &s->roster;
    if (r->member_count == MEMBERS_MAX) {
        struct member *oldest = roster_oldest_gone(r);
        if (oldest == NULL) {
            return NULL;
        }
        forget(s, oldest);
    }
    struct member *m = roster_add(r, card, state, false, &s->rng, s->now_us);
    view_init_member(s, m);
    return m;
}

static void change(struct swim *s, struct member *m, enum member_state state, uint32_t incarnation)
{
    const enum member_state was = m->state;
    roster_set_state(&s->roster, m, state, incarnation, &s->rng, s->now_us);
    if (was != state && !roster_is_ghost(m)) {
        tell_caller(s, SWIM_MEMBER_STATE, m, was);
    }
}

/* A card that is newer than what is held: whatever was held against the member is over. */
static void renew(struct swim *s, struct member *m, const struct member_card *card)
{
    const bool was_ghost = roster_is_ghost(m);
    roster_set_card(&s->roster, m, card);
    probe_acquit(s, m);
    if (was_ghost) {
        roster_set_state(&s->roster, m, MEMBER_ALIVE, card->incarnation, &s->rng, s->now_us);
        s->counters->member_joins++;
        tell_caller(s, SWIM_MEMBER_NEW, m, MEMBER_ALIVE);
    } else {
        change(s, m, MEMBER_ALIVE, card->incarnation);
    }
}

enum rc view_alive(struct swim *s, const struct member_card *card, enum view_source source,
                   struct member **ret_member)
{
    *ret_member = NULL;
    struct member *m = roster_find(&s->roster, &card->uuid);
    if (m != NULL && m->is_self) {
        if (card->incarnation > m->card.incarnation) {
            refute(s, card->incarnation, NULL);
        }
        return RC_EXISTS;
    }
    bool is_news = true;
    if (m == NULL) {
        m = add(s, card, MEMBER_ALIVE);
        if (m == NULL) {
            return RC_FULL;
        }
        s->counters->member_joins++;
        tell_caller(s, SWIM_MEMBER_NEW, m, MEMBER_ALIVE);
    } else if (card->incarnation > m->card.incarnation) {
        renew(s, m, card);
    } else {
        /* The same card without what was stripped on its way, or a gone member's of whom only the
         * uuid was known. */
        if (roster_is_ghost(m) ||
            (card->incarnation == m->card.incarnation && card->addr_count > m->card.addr_count)) {
            roster_set_card(&s->roster, m, card);
        }
        is_news = false;
    }
    if (is_news && source != VIEW_FIRST_PULL) {
        tell_others(s, m, ENTRY_ALIVE, NULL);
    }
    *ret_member = m;
    return member_is_live(m) ? RC_OK : RC_STALE;
}

void view_suspect(struct swim *s, struct member *m, const struct uuid *by)
{
    ASSERT(member_is_live(m) && !m->is_self);
    struct swim_probe_state *st = m->probe;
    const bool is_own = uuid_equal(by, &s->self->card.uuid);
    bool is_news = m->state == MEMBER_ALIVE;
    if (is_news) {
        suspicion_start(&st->suspicion, roster_live_count(&s->roster), s->health + 1,
                        rng_next(&s->rng), s->now_us);
        st->by = *by;
        change(s, m, MEMBER_SUSPECT, m->card.incarnation);
    }
    if (is_own && !st->suspicion.is_first_hand) {
        st->suspicion.is_first_hand = true;
        s->counters->suspicions++;
    }
    is_news = suspicion_accuse(&st->suspicion, by) || is_news;
    if (is_news) {
        tell_others(s, m, ENTRY_SUSPECT, by);
    }
    probe_schedule(s, m);
}

/* Dead or left, by whoever says so. */
static void bury(struct swim *s, struct member *m, enum member_state state, uint32_t incarnation,
                 const struct uuid *by)
{
    const bool was_live = member_is_live(m);
    m->probe->by = by != NULL ? *by : (struct uuid){{0}};
    probe_acquit(s, m);
    change(s, m, state, incarnation);
    if (was_live) {
        s->counters->member_deaths += state == MEMBER_DEAD;
        tell_others(s, m, state == MEMBER_DEAD ? ENTRY_DEAD : ENTRY_LEFT, by);
    }
}

void view_declare_dead(struct swim *s, struct member *m)
{
    ASSERT(m->state == MEMBER_SUSPECT);
    bury(s, m, MEMBER_DEAD, m->card.incarnation, &s->self->card.uuid);
    probe_tell(s, m); /* should we be wrong, it hears it first */
}

/* News of the end of a member: dead, left, or long gone. */
static void hear_of_end(struct swim *s, const struct entry *e, enum member_state state,
                        uint64_t age_us)
{
    struct member *m = roster_find(&s->roster, &e->card.uuid);
    if (m == NULL) {
        if (age_us < VIEW_GONE_KEPT_US) {
            const struct member_card ghost = {.uuid = e->card.uuid,
                                              .incarnation = e->card.incarnation};
            m = add(s, &ghost, state);
        }
        if (m != NULL) {
            m->state_since_us = s->now_us > age_us ? s->now_us - age_us : 0;
        }
    } else if (e->card.incarnation > m->card.incarnation ||
               (e->card.incarnation == m->card.incarnation && state > m->state)) {
        bury(s, m, state, e->card.incarnation, e->kind == ENTRY_DEAD ? &e->by : NULL);
    }
}

/* What somebody's table says of a gone member. Where it is alive here, a death is taken for an
 * accusation: after a partition each side holds the other for dead, and the accused will refute. */
static void hear_of_past(struct swim *s, const struct entry *e, const struct uuid *from)
{
    const uint64_t minute_us = 60000000;
    struct member *m = roster_find(&s->roster, &e->card.uuid);
    if (m != NULL && member_is_live(m) && e->state == MEMBER_DEAD) {
        if (e->card.incarnation >= m->card.incarnation && from != NULL) {
            view_suspect(s, m, from);
            m->probe->is_told_soon = s->roster.counts.suspect <= TOLD_SUSPECTS_MAX;
            probe_schedule(s, m);
        }
        return;
    }
    hear_of_end(s, e, e->state, e->age_min * minute_us);
}

void view_entry(struct swim *s, const struct entry *e, const struct uuid *from,
                enum view_source source)
{
    struct member *m = NULL;
    if (e->kind == ENTRY_ALIVE) {
        (void)view_alive(s, &e->card, source, &m);
        return;
    }
    if (uuid_equal(&e->card.uuid, &s->self->card.uuid)) {
        const bool has_by = e->kind == ENTRY_SUSPECT || e->kind == ENTRY_DEAD;
        refute(s, e->card.incarnation, has_by && !uuid_is_nil(&e->by) ? &e->by : from);
        return;
    }
    switch (e->kind) {
    case ENTRY_ALIVE:
        break;
    case ENTRY_SUSPECT:
        m = roster_find(&s->roster, &e->card.uuid);
        if (m != NULL && member_is_live(m) && e->card.incarnation == m->card.incarnation) {
            view_suspect(s, m, &e->by);
        }
        break;
    case ENTRY_DEAD:
        hear_of_end(s, e, MEMBER_DEAD, 0);
        break;
    case ENTRY_LEFT:
        hear_of_end(s, e, MEMBER_LEFT, 0);
        break;
    case ENTRY_PAST:
        hear_of_past(s, e, from);
        break;
    }
}

/* ---- The gone ---- */

static bool is_over(const struct swim *s, const struct member *m)
{
    return !member_is_live(m) && !m->is_self && m->link == 0 &&
           s->now_us - m->state_since_us >= VIEW_GONE_KEPT_US;
}

void view_recontact(struct swim *s)
{
    struct member *chosen = NULL;
    const uint32_t seats = s->roster.seat_count;
    const uint32_t start = s->recontact_slot;
    for (uint32_t i = 1; i <= seats; i++) {
        const uint32_t slot = (start + i) % seats;
        struct member *m = roster_at(&s->roster, slot);
        if (m == NULL) {
            continue;
        }
        if (is_over(s, m)) {
            forget(s, m);
        } else if (chosen == NULL && m->state == MEMBER_DEAD && !roster_is_ghost(m)) {
            chosen = m;
            s->recontact_slot = slot;
        }
    }
    if (chosen != NULL) {
        probe_tell(s, chosen);
    }
}
