#include "gossip/membership/hearsay.h"

#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/pull.h"
#include "gossip/membership/self.h"

enum {
    /* A member accused by hearsay hears so directly while so few are suspect. After a large
     * partition the rumours reach them; otherwise each would hear it from everybody. */
    TOLD_SUSPECTS_MAX = 64,
    /* A suspect that has been silent for so long has not refuted, though it heard of the suspicion
     * at once. */
    EXPECTED_US = 1000000,
    EXPECTED_AGE = 2,      /* in ENTRY_AGE_US: news of a death is everywhere before it is so old */
    REFUTABLE_US = 300000, /* so long a rumour takes to reach it, and its refutation to come back */
    CARD_AGAIN_US = 100000, /* an answer that has not come by then is lost */
};

void hearsay_believe(struct swim *s, struct member *m)
{
    const struct uuid by = m->probe->hearsay;
    if (!uuid_is_nil(&by) && member_is_live(m)) {
        m->probe->hearsay = (struct uuid){{0}};
        m->probe->is_told_soon |= s->roster.counts.suspect < TOLD_SUSPECTS_MAX;
        view_suspect(s, m, &by);
    }
}

/* A suspect that has been silent for so long, through relays too, that this node is finding out its
 * end by itself. An answer begins the suspicion anew. */
static bool is_silent_suspect(const struct swim *s, const struct member *m)
{
    const uint64_t since_us =
        m->state == MEMBER_SUSPECT ? m->probe->suspicion.started_us : 0; /* 0: it is not running */
    return since_us != 0 && s->now_us - since_us >= EXPECTED_US;
}

/* Whether nothing but what others say speaks for the member. */
static bool is_out_of_sight(const struct swim *s, const struct member *m)
{
    return is_silent_suspect(s, m) || (m->link == 0 && !view_is_heard_lately(s, m));
}

/* Whether the member has had time to refute an accusation, which it is given among many. */
static bool is_unrefuted(const struct swim *s, const struct member *m)
{
    return probe_is_among_many(s) && m->state == MEMBER_SUSPECT &&
           s->now_us - m->probe->suspicion.started_us >= REFUTABLE_US;
}

/* Whether this node has no way to ask: nobody listens where the member is thought to be. */
static bool is_refused(const struct member *m)
{
    return m->link == 0 && m->probe != NULL && m->probe->is_open && m->probe->is_refused;
}

/* Whether somebody is believed that the member is gone. Where it may be anybody who says so, this
 * node verifies what it has found out itself, and among many the member has had time to refute. A
 * word of just now, which may be anybody's too, does not hold up what members say where asking is
 * in vain. */
static bool is_believed_gone(const struct swim *s, const struct member *m,
                             const struct view_teller *teller)
{
    const bool is_late = is_unrefuted(s, m);
    return ((teller->is_sure || is_late) && is_out_of_sight(s, m)) ||
           (teller->is_sure && is_late && is_refused(m));
}

/* An end that is not believed, or not yet, is a reason to ask. Among many, and of a member out of
 * sight, it counts as an accusation: it is passed on, and the member can refute it. */
static void doubt_end(struct swim *s, struct member *m, const struct entry *e,
                      enum member_state state, const struct view_teller *teller)
{
    if (teller->is_sure || !probe_is_among_many(s) || !is_out_of_sight(s, m)) {
        pull_expect(s); /* if it is so, others' pages say it, who are believed sooner */
        probe_judge(s, m, teller->is_sure ? state : MEMBER_DEAD);
    } else if (m->state == MEMBER_ALIVE) {
        view_suspect(s, m, uuid_is_nil(&e->by) ? teller->uuid : &e->by);
    }
}

/* The end of a member that is not known. It is of use only against old news, so nothing is kept
 * that anybody may have made up. */
static void hear_of_unknown(struct swim *s, const struct entry *e, enum member_state state,
                            uint64_t age_us, const struct view_teller *teller)
{
    const struct member_card ghost = {.uuid = e->uuid, .incarnation = e->incarnation};
    if (!teller->is_sure || e->incarnation > HEARSAY_UNKNOWN_MAX || age_us >= MEMBER_GONE_KEPT_US) {
        return;
    }
    view_add_gone(s, &ghost, state, age_us);
}

/* An end that is believed. A leave that anybody may have made up is at most a death, and only of a
 * member that is in doubt here. The dead are asked again now and then; those that left are not. */
static void take_end(struct swim *s, struct member *m, enum member_state state,
                     const struct uuid *by, bool is_sure)
{
    const bool is_doubted = !is_sure && m->state != MEMBER_ALIVE;
    const enum member_state taken = is_doubted ? MEMBER_DEAD : state;
    if (taken > m->state) {
        view_bury(s, m, taken, m->incarnation, by);
    }
}

/* News of the end of a member: dead, left, or long gone. */
static void hear_of_end(struct swim *s, const struct entry *e, enum member_state state,
                        uint64_t age_us, const struct view_teller *teller)
{
    struct member *m = roster_find(&s->roster, &e->uuid);
    const bool is_own = teller->is_sure && uuid_equal(teller->uuid, &e->uuid);
    if (m == NULL) {
        hear_of_unknown(s, e, state, age_us, teller);
    } else if (e->incarnation < m->incarnation) {
        return;
    } else if (is_own && state == MEMBER_LEFT && m->state != MEMBER_LEFT) {
        /* The next number is all that it can have taken for this. */
        view_bury(s, m, state, m->incarnation + (e->incarnation > m->incarnation), NULL);
    } else if (member_is_live(m) && !is_believed_gone(s, m, teller)) {
        doubt_end(s, m, e, state, teller);
    } else {
        take_end(s, m, state, e->kind == ENTRY_DEAD ? &e->by : NULL, teller->is_sure);
    }
}

/* What somebody's table says of a member that is gone. Where the member is alive here, a death
 * counts as an accusation: after a partition each side holds the other for dead, and the accused
 * will refute. The exception is a death of just now of a suspect, which this node is finding out
 * itself. A death half a minute ago is the other side's view of a partition. */
static void hear_of_past(struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    struct member *m = roster_find(&s->roster, &e->uuid);
    const bool is_accused = m != NULL && member_is_live(m) && e->state == MEMBER_DEAD &&
                            e->incarnation >= m->incarnation && is_out_of_sight(s, m);
    const bool is_expected = e->age <= EXPECTED_AGE && m != NULL && m->state == MEMBER_SUSPECT;
    if (is_accused && !is_expected) {
        view_suspect(s, m, teller->uuid);
        probe_state(s, m)->is_told_soon = s->roster.counts.suspect <= TOLD_SUSPECTS_MAX;
        probe_schedule(s, m);
    } else {
        hear_of_end(s, e, e->state, (uint64_t)e->age * ENTRY_AGE_US, teller);
    }
}

/* Its accuser may not reach it, and what it says to everybody then is all that he hears of it. What
 * is said of a later number is said of the one that is held. */
static void tell_accused(struct swim *s, struct member *m, const struct entry *e)
{
    uint8_t bytes[ENTRY_WIRE_MAX];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct entry said = *e;
    said.incarnation = m->incarnation;
    packet_entry_write(&c, &said);
    struct packet p = {.kind = PACKET_GOSSIP, .entries = bytes, .entries_len = c.pos};
    packet_out_send(s, m, &p);
}

/* An accusation. For a member in sight it is only a reason to ask, unless nobody but its author can
 * have made it. Such a member answers at once; where it does not, others hear of the accusation.
 * That of any other member is passed on. Where each asks each, so that its silence means something,
 * a probe begins. */
static void hear_of_suspect(struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    struct member *m = roster_find(&s->roster, &e->uuid);
    if (m == NULL || !member_is_live(m) || e->incarnation < m->incarnation) {
        return;
    }
    const bool is_new = m->state == MEMBER_ALIVE;
    const bool is_near = !is_out_of_sight(s, m);
    const struct uuid *by = uuid_is_nil(&e->by) ? teller->uuid : &e->by;
    if (is_new && is_near && !teller->is_sure) {
        tell_accused(s, m, e);
        if (probe_accused(s, m, by)) {
            view_suspect(s, m, by);
        }
        return;
    }
    view_suspect(s, m, by);
    if (is_new && !probe_is_among_many(s)) {
        probe_start(s, m);
    }
    if (is_new && is_near && s->roster.counts.suspect <= TOLD_SUSPECTS_MAX) {
        probe_state(s, m)->is_told_soon = true;
        probe_schedule(s, m);
    }
}

/* Its number is said to be far beyond the one that is held. That is true when others heard what
 * this node has missed. So the member itself is asked, as its word counts. One that is gone is
 * asked only where it seems to say so itself. A question that was lost is asked again, or one loss
 * would leave a suspect that has refuted to the next death that somebody forges. */
static void want_card(struct swim *s, struct member *m, bool is_own)
{
    if (!m->is_self && !m->is_ghost &&
        (is_own || member_is_live(m) || view_asks_at_once(s, m->is_mate)) &&
        (!probe_state(s, m)->is_card_wanted || s->now_us - m->probe->used_us >= CARD_AGAIN_US)) {
        m->probe->is_card_wanted = true;
        probe_ping(s, m);
    }
}

/* A later number of a known member, of which it is not sure that the member has said it. A number
 * that anybody may have made up does not raise that of a member that lives, as deaths at the true
 * number would be old news then. The member is asked when it seems to say so itself, or is a
 * suspect. Otherwise others' pages bring the true number. */
static bool is_raise_refused(struct swim *s, struct member *m, uint64_t incarnation,
                             const struct view_teller *teller)
{
    const bool is_own = uuid_equal(teller->uuid, &m->uuid);
    const bool is_far = incarnation - m->incarnation > SWIM_RAISE_MAX;
    const bool is_anybodys = !teller->is_sure && member_is_live(m);
    if (is_far || (is_anybodys && (is_own || m->state == MEMBER_SUSPECT))) {
        want_card(s, m, is_own);
    }
    return is_far || is_anybodys;
}

/* Whether a number that a card brings is too high to be believed of its member, or of somebody who
 * is not known; a ghost has no address to ask. */
static bool is_number_refused(struct swim *s, struct member *m, uint64_t incarnation,
                              const struct view_teller *teller)
{
    if (m == NULL || m->is_ghost) {
        return !teller->is_sure && incarnation > HEARSAY_UNKNOWN_MAX;
    }
    const bool is_first_hand = teller->is_sure && uuid_equal(teller->uuid, &m->uuid);
    return !m->is_self && incarnation > m->incarnation && !is_first_hand &&
           is_raise_refused(s, m, incarnation, teller);
}

/* Most cards that come are known, and are not worth taking apart. */
static void hear_card(struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    struct member *m = roster_find(&s->roster, &e->uuid);
    s->is_naming = s->is_naming || m == NULL || m->is_ghost || m->state == MEMBER_NAMED;
    if (!is_number_refused(s, m, e->incarnation, teller) &&
        (m == NULL || view_is_news(m, e->incarnation, e->addr_count, teller))) {
        struct cursor c = cursor_reader(e->card, e->card_len);
        struct member_card card;
        member_card_read(&c, &card);
        (void)view_alive(s, &card, teller, &m);
    }
}

void hearsay_entry(struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    if (e->kind == ENTRY_ALIVE) {
        hear_card(s, e, teller);
        return;
    }
    const bool has_by = e->kind == ENTRY_SUSPECT || e->kind == ENTRY_DEAD;
    if (uuid_equal(&e->uuid, &s->self->uuid)) {
        self_refute(s, e->incarnation, has_by && !uuid_is_nil(&e->by) ? &e->by : teller->uuid,
                    teller->is_sure);
        return;
    }
    if (has_by && uuid_equal(&e->by, &s->self->uuid)) {
        return; /* what this node has found out it knows */
    }
    switch (e->kind) {
    case ENTRY_ALIVE:
        break;
    case ENTRY_SUSPECT:
        hear_of_suspect(s, e, teller);
        break;
    case ENTRY_DEAD:
        hear_of_end(s, e, MEMBER_DEAD, 0, teller);
        break;
    case ENTRY_LEFT:
        hear_of_end(s, e, MEMBER_LEFT, 0, teller);
        break;
    case ENTRY_PAST:
        hear_of_past(s, e, teller);
        break;
    }
}
