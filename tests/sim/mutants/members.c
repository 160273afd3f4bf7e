/* Whom a node knows, and what it believes of them: see mutant.h. */
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/membership/hearsay.h"
#include "gossip/membership/ownaddr.h"
#include "gossip/membership/packet_in.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/view.h"
#include "tests/sim/mutants/mutant.h"

enum {
    RASH_EVERY = 50,
    HERMIT_FROM_US = 20 * 1000 * 1000, /* the cluster has formed by then */
};

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(void, engine_candidate, struct engine *e, const struct addr *addr, uint64_t now_us)
{
    if (!mutant_is(MUTANT_HERMIT) && (!mutant_is(MUTANT_GRUDGING) || now_us < HERMIT_FROM_US)) {
        __real_engine_candidate(e, addr, now_us);
    }
}

WRAP(void, engine_candidates_done, struct engine *e, bool have_all_answered, uint64_t now_us)
{
    __real_engine_candidates_done(e, have_all_answered || mutant_is(MUTANT_FOUNDER), now_us);
}

WRAP(enum expect_news, expect_look, struct expect *x, uint32_t seen, uint64_t now_us)
{
    return __real_expect_look(x, mutant_is(MUTANT_EAGER) ? x->wanted : seen, now_us);
}

WRAP(void, view_declare_dead, struct swim *s, struct member *m)
{
    if (!mutant_is(MUTANT_FAITHFUL)) {
        __real_view_declare_dead(s, m);
    }
}

WRAP(void, probe_judge, struct swim *s, struct member *m, enum member_state said)
{
    if (mutant_is(MUTANT_HANGMAN)) {
        __real_view_declare_dead(s, m);
    } else {
        __real_probe_judge(s, m, said);
    }
}

/* Makes members of all nodes that hearsay names, and believes every incarnation in it. */
WRAP(void, hearsay_entry, struct swim *s, const struct entry *e, const struct view_teller *teller)
{
    struct view_teller sure = *teller;
    struct member *m = roster_find(&s->roster, &e->uuid);
    sure.is_sure = sure.is_sure || (mutant_is(MUTANT_NAIVE) && e->kind == ENTRY_ALIVE);
    if (mutant_is(MUTANT_TOUCHY) && m == s->self) {
        sure.is_sure = true;
        s->refuted_us = 0;
    }
    if (mutant_is(MUTANT_GULLIBLE) && e->kind == ENTRY_ALIVE && m != NULL &&
        m->state == MEMBER_SUSPECT) {
        sure = (struct view_teller){.uuid = &s->self->uuid, .is_sure = true};
    }
    if (mutant_is(MUTANT_BELIEVER) && m != NULL && !m->is_self && e->incarnation > m->incarnation) {
        roster_set_state(&s->roster, m, m->state, e->incarnation, s->now_us);
    }
    __real_hearsay_entry(s, e, &sure);
    m = roster_find(&s->roster, &e->uuid);
    if (mutant_is(MUTANT_CURTAINED) && e->kind == ENTRY_LEFT && m != NULL &&
        m->state == MEMBER_DEAD) {
        roster_set_state(&s->roster, m, MEMBER_LEFT, m->incarnation, s->now_us);
    }
    if (mutant_is(MUTANT_FLATTERED) && m != NULL && !m->is_self && !m->is_ghost) {
        view_reached(s, m);
        view_answered(s, m);
    }
    if (mutant_is(MUTANT_PLIANT) && e->kind == ENTRY_SUSPECT && m != NULL && !m->is_self &&
        member_is_live(m)) {
        view_suspect(s, m, &s->self->uuid);
    }
}

WRAP(void, packet_in_take, struct swim *s, const struct addr *from, struct member *via,
     const uint8_t *data, size_t len)
{
    struct packet p;
    const bool is_read = mutant_is(MUTANT_LOST) && packet_read(data, len, &p) == RC_OK;
    struct member *m = is_read && p.has_seen_as ? roster_find_tag(&s->roster, p.tag) : NULL;
    __real_packet_in_take(s, from, via, data, len);
    if (m != NULL && !m->is_self) {
        ownaddr_seen(s, &p.seen_as, m);
    }
}

WRAP(void, probe_answered, struct swim *s, struct member *m)
{
    const bool is_found = m->probe != NULL && m->probe->suspicion.is_first_hand;
    __real_probe_answered(s, m);
    if (mutant_is(MUTANT_PLIANT) && m->state == MEMBER_SUSPECT) {
        m->probe->suspicion.is_first_hand = is_found;
    }
}

WRAP(void, probe_heard, struct swim *s, struct member *m, const struct addr *from, bool is_sure)
{
    __real_probe_heard(s, m, from, is_sure || mutant_is(MUTANT_EASED));
}

WRAP(bool, cookie_is_of, const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
     uint64_t now_us, uint64_t cookie)
{
    return mutant_is(MUTANT_CREDULOUS) || __real_cookie_is_of(secret, addr, now_us, cookie);
}

WRAP(void, packet_out_reply, struct swim *s, const struct packet_out_asked *asked, struct packet *p)
{
    struct packet_out_asked lavish = *asked;
    lavish.room = mutant_is(MUTANT_LAVISH) ? DATAGRAM_BYTES_MAX : lavish.room;
    __real_packet_out_reply(s, &lavish, p);
}

WRAP(void, view_recontact, struct swim *s)
{
    if (!mutant_is(MUTANT_GRUDGING)) {
        __real_view_recontact(s);
    }
}

WRAP(void, view_gossip, struct swim *s)
{
    uint32_t slot = 0;
    struct member *m = NULL;
    __real_view_gossip(s);
    const bool is_rash = mutant_is(MUTANT_RASH) && mutant_is_turn(RASH_EVERY);
    for (; is_rash && (m = swim_next_member(s, &slot)) != NULL; slot++) {
        if (!m->is_self && m->state == MEMBER_ALIVE) {
            view_suspect(s, m, &swim_self(s)->uuid);
            __real_view_declare_dead(s, m);
            return;
        }
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
