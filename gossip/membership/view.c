#include "gossip/membership/view.h"

#include "core/base/assert.h"
#include "core/base/units.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/pull.h"
#include "gossip/membership/replaced.h"
#include "gossip/membership/self.h"

#include <string.h>

enum {
    /* Rumours go out on their own, to as many members, while there are some: pings alone would
     * bring news to two members per period. Idle, it costs nothing. */
    GOSSIP_PERIOD_US = 100000,
    GOSSIP_FANOUT = 3,
    /* A newcomer's card is passed on while so few rumours wait. When hundreds come at once, a dozen
     * rumours about each cost more than they bring, and would delay news of failures. The rest is
     * left to the pulls. */
    NEWCOMERS_MAX = 48,
    /* A word so late speaks for the member, even if it may be anybody's. It is asked before others
     * are believed that it is gone: it answers within a round trip, or one more probe is lost. */
    RECENT_US = 2000000,
};

void view_free_member(struct swim *s, struct member *m)
{
    probe_forget(s, m);
    rumor_drop(&s->rumors, m);
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
    rumor_put(&s->rumors, m, kind, by);
}

uint64_t view_gossip_deadline(const struct swim *s)
{
    if (s->rumors.count == 0 || s->roster.order_count == 0) {
        return NEVER;
    }
    /* Not before now: when nothing waited for long, nothing is overdue. What is urgent waits for
     * the last such round only, not for a period at each node that it comes through. */
    const uint64_t last_us = s->has_urgent ? s->last_urgent_us : s->last_gossip_us;
    const uint64_t due_us = last_us + GOSSIP_PERIOD_US;
    return due_us > s->now_us ? due_us : s->now_us;
}

void view_gossip(struct swim *s)
{
    s->last_gossip_us = s->now_us;
    s->last_urgent_us = s->has_urgent ? s->now_us : s->last_urgent_us;
    s->has_urgent = false;
    const struct member *sent_to[GOSSIP_FANOUT] = {NULL};
    for (uint32_t i = 0; i < GOSSIP_FANOUT && s->rumors.count > 0; i++) {
        struct member *to = packet_out_listener(s);
        bool is_repeated = false;
        for (uint32_t j = 0; j < i; j++) {
            is_repeated = is_repeated || sent_to[j] == to;
        }
        if (to != NULL && !is_repeated) {
            sent_to[i] = to;
            struct packet p = {.kind = PACKET_GOSSIP};
            packet_out_send(s, to, &p);
        }
    }
}

/* ---- Who has answered ---- */

static void set_answered(struct swim *s, struct member *m, bool has_answered)
{
    const uint32_t change = has_answered ? 1 : UINT32_MAX;
    if (m->has_answered != has_answered) {
        m->has_answered = has_answered;
        s->answered += change;
        s->answered_mates += m->is_mate ? change : 0;
    }
}

static void forget(struct swim *s, struct member *m)
{
    set_answered(s, m, false);
    eventq_forget(&s->events, m);
    view_free_member(s, m);
    roster_remove(&s->roster, m);
}

void view_drop(struct swim *s, struct member *m)
{
    ASSERT(m->state == MEMBER_NAMED);
    s->counters->members_unanswered++;
    forget(s, m);
}

/* ---- Others ---- */

/* One of those named, at random; NULL when there is none. */
static struct member *any_named(struct swim *s)
{
    const struct roster *r = &s->roster;
    const uint32_t start = r->gone_count == 0 ? 0 : (uint32_t)rng_below(&s->rng, r->gone_count);
    for (uint32_t i = 0; i < r->gone_count; i++) {
        struct member *m = roster_gone_at(r, (start + i) % r->gone_count);
        if (m->state == MEMBER_NAMED) {
            return m;
        }
    }
    return NULL;
}

static struct member *add(struct swim *s, const struct member_card *card, enum member_state state)
{
    struct roster *r = &s->roster;
    if (r->member_count == MEMBERS_MAX) {
        struct member *victim = roster_oldest_gone(r, s->now_us);
        victim = victim == NULL ? any_named(s) : victim;
        if (victim == NULL) {
            return NULL;
        }
        forget(s, victim);
    }
    return roster_add(r, card, state, false, s->now_us);
}

void view_add_gone(struct swim *s, const struct member_card *card, enum member_state state,
                   uint64_t age_us)
{
    struct member *m = add(s, card, state);
    if (m != NULL) {
        m->state_since_us = s->now_us > age_us ? s->now_us - age_us : 0;
    }
}

static void change(struct swim *s, struct member *m, enum member_state state, uint64_t incarnation)
{
    const enum member_state was = (enum member_state)m->state;
    roster_set_state(&s->roster, m, state, incarnation, s->now_us);
    if (!member_is_live(m)) {
        replaced_gone(s, m);
    }
    if (was != state && !m->is_ghost) {
        tell_caller(s, SWIM_MEMBER_STATE, m, was);
    }
}

/* A member that was not here before. */
static void welcome(struct swim *s, struct member *m)
{
    s->counters->member_joins++;
    pull_news(s);
    tell_caller(s, SWIM_MEMBER_NEW, m, MEMBER_ALIVE);
}

bool view_asks_at_once(const struct swim *s, bool is_mate)
{
    return (is_mate ? s->answered_mates : s->answered) < PROBE_ASKED_BY_ALL_MAX;
}

static bool is_asked_at_once(const struct swim *s, const struct member_card *card)
{
    return view_asks_at_once(s, strcmp(card->enclave, member_enclave(s->self)) == 0);
}

/* Somebody unproven says that it is there. Such members may not exist, so only a few are kept at a
 * time. A later one takes the place of any before. */
static struct member *name_one(struct swim *s, const struct member_card *card)
{
    const uint32_t most =
        s->answered > PROBE_ASKED_BY_ALL_MAX ? s->answered : PROBE_ASKED_BY_ALL_MAX;
    if (s->roster.counts.named >= most) {
        view_drop(s, any_named(s));
    }
    struct member *m = add(s, card, MEMBER_NAMED);
    if (m != NULL) {
        probe_ask(s, m);
    }
    return m;
}

/* A member has come (back): passed on by rumour where it says so itself, else asked. */
static void settle_in(struct swim *s, struct member *m, bool is_first_hand)
{
    if (is_first_hand) {
        if (s->rumors.count < NEWCOMERS_MAX) {
            tell_others(s, m, ENTRY_ALIVE, NULL);
        }
    } else if (m->is_mate && view_asks_at_once(s, true)) {
        probe_ask(s, m);
    }
}

/* A card of somebody who is not known. NULL when there is no room, or it is not asked. */
static struct member *meet(struct swim *s, const struct member_card *card,
                           const struct view_teller *teller)
{
    const bool is_own = uuid_equal(teller->uuid, &card->uuid);
    if (!teller->is_sure) {
        return is_own || is_asked_at_once(s, card) ? name_one(s, card) : NULL;
    }
    struct member *m = add(s, card, MEMBER_ALIVE);
    if (m != NULL) {
        welcome(s, m);
        settle_in(s, m, is_own);
    }
    return m;
}

/* A later card does not change what never changes in a member's life. Otherwise somebody could have
 * us count it to another enclave. */
static void keep_what_stays(const struct member *m, const struct member_card *card,
                            struct member_card *ret_card)
{
    struct member_card held;
    member_card(m, &held);
    *ret_card = *card;
    ret_card->boot = held.boot;
    ret_card->host_tag = held.host_tag;
    memcpy(ret_card->name, held.name, sizeof(held.name));
    memcpy(ret_card->enclave, held.enclave, sizeof(held.enclave));
}

/* A card that is newer than what is held: whatever was held against the member is over. */
static void renew(struct swim *s, struct member *m, const struct member_card *card,
                  bool is_first_hand)
{
    const bool is_new = m->is_ghost || m->state == MEMBER_NAMED;
    struct member_card kept = *card;
    if (!is_new) {
        keep_what_stays(m, card, &kept);
    }
    roster_set_card(&s->roster, m, &kept);
    probe_acquit(s, m);
    if (m->probe != NULL && is_first_hand) {
        m->probe->is_card_wanted = false;
    }
    if (is_new) {
        roster_set_state(&s->roster, m, MEMBER_ALIVE, card->incarnation, s->now_us);
        welcome(s, m);
    } else {
        change(s, m, MEMBER_ALIVE, card->incarnation);
    }
}

/* The same card without what was stripped on its way, or the first card of a member that was known
 * by its uuid only, and as gone. */
static bool is_fuller(const struct member *m, uint64_t incarnation, uint32_t addr_count)
{
    return incarnation == m->incarnation && (m->is_ghost || addr_count > m->addr_count);
}

/* A later card of somebody who is alive: passed on where this node has met it, or where it refutes
 * what is said of it. One who is back seldom comes alone, and all of them refute. What others only
 * say of their later cards is not believed, so the pages that bring them follow upon each other. */
static void take_later(struct swim *s, struct member *m, const struct member_card *card,
                       bool is_first_hand)
{
    const bool is_refuted = m->state == MEMBER_SUSPECT;
    const bool was_live = member_is_live(m);
    renew(s, m, card, is_first_hand);
    if (!was_live) {
        pull_news(s);
        settle_in(s, m, is_first_hand);
    } else if (m->has_answered || is_refuted) {
        tell_others(s, m, ENTRY_ALIVE, NULL);
        s->has_urgent = s->has_urgent || is_refuted;
    }
}

/* Somebody sure says that one who was only named is a member. The question to it goes on where it
 * would be asked now. */
static void take_vouched(struct swim *s, struct member *m, const struct member_card *card)
{
    roster_set_card(&s->roster, m, card);
    roster_set_state(&s->roster, m, MEMBER_ALIVE, card->incarnation, s->now_us);
    welcome(s, m);
    if (!m->is_mate || !view_asks_at_once(s, true)) {
        probe_acquit(s, m);
    }
}

/* A later card, of nobody sure, of somebody who is gone: is it back? */
static void ask_again(struct swim *s, struct member *m, const struct member_card *card)
{
    if (m->is_ghost) {
        roster_set_card(&s->roster, m, card);
        roster_set_state(&s->roster, m, MEMBER_NAMED, card->incarnation, s->now_us);
    }
    probe_ask(s, m);
}

/* Whether a card that is no later takes the place of the one held: a fuller one, or the first that
 * a member brings itself. Where one is that lives, not anybody says. */
static bool may_complete(const struct member *m, const struct member_card *card,
                         const struct view_teller *teller)
{
    const bool is_own = uuid_equal(teller->uuid, &card->uuid);
    const bool is_fuller_one = is_fuller(m, card->incarnation, card->addr_count);
    return ((teller->is_sure || m->state == MEMBER_NAMED) && is_fuller_one) ||
           (teller->is_sure && is_own && !m->has_answered);
}

static void complete(struct swim *s, struct member *m, const struct member_card *card)
{
    struct member_card kept = *card;
    if (!m->is_ghost && m->state != MEMBER_NAMED) {
        keep_what_stays(m, card, &kept);
    }
    roster_set_card(&s->roster, m, &kept);
    if (!member_is_live(m)) {
        replaced_gone(s, m); /* one of which only the uuid was known */
    }
}

/* What a card says of a member that is known. */
enum card_news {
    CARD_IS_OLD,
    CARD_IS_LATER,
    CARD_VOUCHES,   /* for somebody who was only named */
    CARD_REVIVES,   /* somebody who is gone, if it is so: nobody sure says it */
    CARD_COMPLETES, /* the one that is held */
};

static enum card_news news_of(const struct member *m, const struct member_card *card,
                              const struct view_teller *teller)
{
    const bool is_first_hand = teller->is_sure && uuid_equal(teller->uuid, &card->uuid);
    const bool is_named = m->state == MEMBER_NAMED;
    if (is_first_hand && (m->is_ghost || is_named)) {
        return CARD_IS_LATER; /* whatever others have said of it so far */
    }
    if (teller->is_sure && is_named) {
        return CARD_VOUCHES;
    }
    if (card->incarnation > m->incarnation && (teller->is_sure || !is_named)) {
        return teller->is_sure || member_is_live(m) ? CARD_IS_LATER : CARD_REVIVES;
    }
    return may_complete(m, card, teller) ? CARD_COMPLETES : CARD_IS_OLD;
}

/* A card of somebody who is known. */
static void take_card(struct swim *s, struct member *m, const struct member_card *card,
                      const struct view_teller *teller)
{
    const bool is_own = uuid_equal(teller->uuid, &card->uuid);
    switch (news_of(m, card, teller)) {
    case CARD_IS_OLD:
        break;
    case CARD_IS_LATER:
        take_later(s, m, card, is_own && teller->is_sure);
        break;
    case CARD_VOUCHES:
        take_vouched(s, m, card);
        break;
    case CARD_REVIVES:
        if (is_own || is_asked_at_once(s, card)) {
            ask_again(s, m, card);
        }
        break;
    case CARD_COMPLETES:
        complete(s, m, card);
        break;
    }
}

bool view_is_news(const struct member *m, uint64_t incarnation, uint32_t addr_count,
                  const struct view_teller *teller)
{
    const bool is_own = uuid_equal(teller->uuid, &m->uuid);
    const bool is_vouched = teller->is_sure && m->state == MEMBER_NAMED;
    return incarnation > m->incarnation || (is_own && !m->has_answered) || is_vouched ||
           is_fuller(m, incarnation, addr_count);
}

enum rc view_alive(struct swim *s, const struct member_card *card, const struct view_teller *teller,
                   struct member **ret_member)
{
    *ret_member = NULL;
    struct member *m = roster_find(&s->roster, &card->uuid);
    if (m != NULL && m->is_self) {
        /* We have not made this one. Others believe it only where the teller is sure: what anybody
         * says raises nobody's number, so it needs no answer, each of which goes to everybody. */
        if (teller->is_sure && card->incarnation > m->incarnation) {
            self_contradict(s, card->incarnation, NULL);
        }
        return RC_EXISTS;
    }
    if (m == NULL) {
        m = meet(s, card, teller);
        if (m == NULL) {
            return RC_FULL;
        }
    } else {
        take_card(s, m, card, teller);
    }
    *ret_member = m;
    return member_is_live(m) || m->state == MEMBER_NAMED ? RC_OK : RC_STALE;
}

void view_answered(struct swim *s, struct member *m)
{
    if (m->has_answered || m->state == MEMBER_NAMED) {
        return;
    }
    set_answered(s, m, true);
    if (!m->is_name_told && strcmp(member_name(m), member_name(s->self)) == 0) {
        m->is_name_told = true;
        tell_caller(s, SWIM_NAME_TWICE, m, (enum member_state)m->state);
    }
    if (member_is_live(m)) {
        tell_caller(s, SWIM_ANSWERED, m, (enum member_state)m->state);
        pull_first(s, m);
    }
}

void view_unanswered(struct swim *s, struct member *m)
{
    set_answered(s, m, false);
}

bool view_is_doubted(const struct member *m)
{
    return member_is_live(m) && !m->has_answered;
}

void view_reached(struct swim *s, struct member *m)
{
    if (m->state == MEMBER_NAMED) {
        roster_set_state(&s->roster, m, MEMBER_ALIVE, m->incarnation, s->now_us);
        welcome(s, m);
    }
}

bool view_is_heard_lately(const struct swim *s, const struct member *m)
{
    return m->heard_us != 0 && s->now_us - m->heard_us < RECENT_US;
}

void view_suspect(struct swim *s, struct member *m, const struct uuid *by)
{
    ASSERT(member_is_live(m) && !m->is_self);
    struct swim_probe_state *st = probe_state(s, m);
    const bool is_own = uuid_equal(by, &s->self->uuid);
    bool is_news = m->state == MEMBER_ALIVE;
    if (is_news) {
        probe_suspicion_start(s, m);
        st->by = *by;
        change(s, m, MEMBER_SUSPECT, m->incarnation);
        s->has_urgent = true;
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

void view_bury(struct swim *s, struct member *m, enum member_state state, uint64_t incarnation,
               const struct uuid *by)
{
    /* A node that never met it does not end it for others. */
    const bool is_own = by != NULL && uuid_equal(by, &s->self->uuid);
    const bool is_told = member_is_live(m) && (m->has_answered || !is_own);
    const bool was_live = member_is_live(m);
    probe_acquit(s, m);
    set_answered(s, m, false);
    if (m->probe != NULL) {
        m->probe->by = by != NULL ? *by : (struct uuid){{0}};
    }
    change(s, m, state, incarnation);
    s->counters->member_deaths += was_live && state == MEMBER_DEAD;
    if (is_told) {
        tell_others(s, m, state == MEMBER_DEAD ? ENTRY_DEAD : ENTRY_LEFT, by);
        s->has_urgent = true;
    }
}

void view_declare_dead(struct swim *s, struct member *m)
{
    ASSERT(member_is_live(m));
    view_bury(s, m, MEMBER_DEAD, m->incarnation, &s->self->uuid);
    probe_tell(s, m); /* should we be wrong, it hears it first */
}

void view_declare_left(struct swim *s, struct member *m)
{
    ASSERT(member_is_live(m));
    view_bury(s, m, MEMBER_LEFT, m->incarnation, NULL);
}

/* ---- The gone ---- */

static bool is_over(const struct swim *s, const struct member *m)
{
    return !member_is_live(m) && !m->is_self && m->link == 0 &&
           s->now_us - m->state_since_us >= MEMBER_GONE_KEPT_US;
}

void view_recontact(struct swim *s)
{
    struct roster *r = &s->roster;
    for (uint32_t i = r->gone_count; i-- > 0;) {
        struct member *m = roster_gone_at(r, i);
        if (is_over(s, m)) {
            forget(s, m); /* the last of them takes its place, and has been looked at */
        }
    }
    for (uint32_t i = 0; i < r->gone_count; i++) {
        struct member *m = roster_gone_at(r, ++s->recontact_next % r->gone_count);
        if (m->state == MEMBER_DEAD && !m->is_ghost) {
            probe_tell(s, m);
            return;
        }
    }
}
