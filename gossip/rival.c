/*
 * The second HELLO of a member that is linked already.
 *
 * Anybody that can reach a node can say HELLO with a member's uuid. So a HELLO on another link does
 * not end an open one. The member is pinged on the open link, and if its answer comes, the new link
 * is refused. If 500 ms pass without a byte, the member has lost its end (to a NAT that forgot it,
 * say), and the new link takes over. It does so, too, where bytes come but no answer for two
 * seconds. Until then nothing of the new link is believed. Its HELLO is kept, and what follows, up
 * to the length of one frame.
 *
 * Only one case is decided at once: both links began before either was open. There the two sides
 * would otherwise ask each other on links that the other has not opened. The link that the smaller
 * id has dialed stays. Even then an accepted link never replaces another: its dialer, if it is the
 * member, closes the other link, or does not answer there.
 *
 * While a member has no link a HELLO in its name opens one, whoever says it, and neither side dials
 * again. Of several that wait, one from where the member is known to be comes first: to speak from
 * there by TCP, strangers must receive there. And every link is asked once, soon after its HELLO:
 * anybody can send bytes and frames, but only who receives on the link can answer. One that was
 * asked and stays silent ends without a rival as well, though not as soon: what a stream has lost
 * comes late. A member that counts for its HELLO alone is asked at once, and counts no more when no
 * answer comes.
 */
#include "core/base/units.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/inbound.h"
#include "gossip/wire/packet.h"

enum {
    ANSWER_US = 500 * 1000, /* so long without a byte a link that was asked is silent */
    /* If the two ask each other on different links all the same, they must not both give up
     * theirs. */
    ANSWER_APART_US = 200 * 1000,
    ANSWER_BUSY_US = 2000 * 1000, /* so long bytes that come instead are waited behind */
    ASK_AFTER_US = 1000 * 1000,   /* its HELLO, when other things have been said */
    /* The same with no rival. A member that sends all it has answers behind much that is under
     * way. */
    ANSWER_LATE_US = 5000 * 1000,
    ANSWER_LATE_BUSY_US = 30000 * 1000,
    /* So long a HELLO counts without an answer where this node has dialed: with nothing behind it,
     * and with something. Of one that came from somewhere only the answer counts: whoever says one
     * HELLO after the other would have each counted. */
    WORD_US = 1000 * 1000,
    WORD_BUSY_US = 2000 * 1000,
};

enum fate {
    TAKES,  /* it opens, and ends the other */
    YIELDS, /* it ends */
    WAITS,  /* the member is asked on the other */
};

static enum fate judge(const struct engine *e, const struct link *l, const struct member *m,
                       const struct link *other)
{
    const bool is_smaller = uuid_compare(&e->config.uuid, &m->uuid) < 0;
    const bool is_crossed = l->is_dialed != other->is_dialed;
    const bool are_at_once = l->begun_us <= other->since_us;
    if (l->rival.is_granted) {
        return TAKES;
    }
    if (!are_at_once || (!l->is_dialed && !(is_crossed && is_smaller))) {
        return WAITS;
    }
    return l->is_dialed && is_crossed && is_smaller ? TAKES : YIELDS;
}

static uint64_t silent_at(const struct engine *e, const struct link *l)
{
    const uint64_t from_us = l->input_us > l->rival.asked_us ? l->input_us : l->rival.asked_us;
    const bool is_smaller = uuid_compare(&e->config.uuid, &l->member->uuid) < 0;
    const bool has_rival = l->rival.is_claimed && rival_of(e, l->member) != NULL;
    const uint64_t quiet_us = from_us + (has_rival ? ANSWER_US : ANSWER_LATE_US);
    const uint64_t busy_us = l->rival.asked_us + (has_rival ? ANSWER_BUSY_US : ANSWER_LATE_BUSY_US);
    return min_u64(quiet_us, busy_us) + (is_smaller ? 0 : ANSWER_APART_US);
}

static void ask(struct engine *e, struct link *l)
{
    if (l->rival.asked_seq == 0) {
        l->rival.asked_us = e->now_us;
        l->rival.asked_seq = swim_ask_by_link(e->swim, l->member, e->now_us);
    }
    peer_look_by(e, silent_at(e, l));
}

/* The candidate behind a dialed one is settled. */
static void turn_away(struct engine *e, struct link *l)
{
    if (l->is_dialed) {
        swim_candidate_failed(e->swim, &l->addr, e->now_us);
    }
    peer_end(e, l, CLOSE_DUPLICATE);
}

enum rc rival_hello(struct engine *e, struct link *l, const struct uuid *uuid)
{
    const struct member *m = swim_find(e->swim, uuid);
    struct link *other = m == NULL ? NULL : mesh_of(e->mesh, m);
    const enum fate fate = other == NULL ? TAKES : judge(e, l, m, other);
    if (fate == WAITS) {
        l->state = LINK_RIVAL;
        l->since_us = e->now_us;
        l->rival.claimed = *uuid;
        other->rival.is_claimed = true;
        ask(e, other);
        peer_look_by(e, e->now_us + LINK_HELLO_TIMEOUT_US + 1);
        return RC_AGAIN;
    }
    if (fate == YIELDS) {
        turn_away(e, l);
        return RC_EXISTS;
    }
    return RC_OK;
}

/* Whether the other end of the link is where the member is, as far as is known. */
static bool is_at_home(const struct link *l, const struct member *m)
{
    const struct addr last = member_last_addr(m);
    bool is_home = last.port != 0 && addr_same_ip(&last, &l->addr);
    for (uint32_t i = 0; i < m->addr_count && !is_home; i++) {
        const struct member_addr own = member_addr_at(m, i);
        is_home = addr_same_ip(&own.addr, &l->addr);
    }
    return is_home;
}

struct link *rival_of(const struct engine *e, const struct member *m)
{
    struct link *first = NULL;
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->state == LINK_RIVAL && uuid_equal(&l->rival.claimed, &m->uuid)) {
            first = first == NULL ? l : first;
            if (is_at_home(l, m)) {
                return l;
            }
        }
    }
    return first;
}

void rival_keep(struct link *l, bool is_hello_kept, const uint8_t *data, size_t len)
{
    l->rival.is_cut = l->rival.is_cut || !is_hello_kept || buf_append(&l->in, data, len) != RC_OK;
}

void rival_answered(struct engine *e, struct link *l, const uint8_t *packet, size_t len)
{
    struct packet p;
    if (l->rival.asked_seq == 0 || packet_read(packet, len, &p) != RC_OK || p.kind != PACKET_ACK ||
        p.seq != l->rival.asked_seq) {
        return;
    }
    l->rival.asked_seq = 0;
    l->rival.has_answered = true;
    hello_answered(e, l->member);
    swim_answered(e->swim, l->member, e->now_us);
    for (struct link *rival; (rival = rival_of(e, l->member)) != NULL;) {
        turn_away(e, rival);
    }
}

/* Nobody is heard on the link, nor waits to take its place: the member is dialed anew. */
static void end_silent(struct engine *e, struct link *l)
{
    outbox_notice(e->outbox, NOTICE_LINK_DOWN, l->member, 0, "silent");
    peer_end(e, l, CLOSE_DUPLICATE);
    mesh_hurry(e->mesh);
}

/* Its HELLO alone does not count for ever. Returns when it will not any more. */
static uint64_t look_at_word(struct engine *e, struct link *l)
{
    const uint64_t most_us = l->input_us == l->since_us ? WORD_US : WORD_BUSY_US;
    const uint64_t until_us = l->since_us + (l->is_dialed ? most_us : 0);
    if (!l->terms.is_only_word) {
        return NEVER;
    }
    if (e->now_us < until_us) {
        return until_us;
    }
    hello_was_all(e, l, l->member);
    return NEVER;
}

uint64_t rival_silence(struct engine *e, struct link *l)
{
    const uint64_t ask_us = l->since_us + (l->terms.is_only_word ? 0 : ASK_AFTER_US);
    if (l->rival.asked_seq == 0 && l->rival.has_answered) {
        return NEVER;
    }
    if (l->rival.asked_seq == 0 && e->now_us < ask_us) {
        return ask_us;
    }
    ask(e, l);
    const uint64_t word_us = look_at_word(e, l);
    const uint64_t at_us = silent_at(e, l);
    if (e->now_us < at_us) {
        return min_u64(at_us, word_us);
    }
    l->rival.asked_seq = 0;
    struct link *rival = rival_of(e, l->member);
    if (rival == NULL) {
        end_silent(e, l);
    } else if (rival->rival.is_cut) {
        peer_end(e, l, CLOSE_DUPLICATE);
    } else {
        rival->rival.is_granted = true;
        inbound_resume(e, rival);
    }
    return e->now_us;
}

uint64_t rival_turn(struct engine *e, struct link *l)
{
    const struct member *m = swim_find(e->swim, &l->rival.claimed);
    struct link *other = m == NULL ? NULL : mesh_of(e->mesh, m);
    if (other != NULL && e->now_us - l->since_us <= LINK_HELLO_TIMEOUT_US) {
        ask(e, other);
        return l->since_us + LINK_HELLO_TIMEOUT_US + 1;
    }
    if (other != NULL || l->rival.is_cut) {
        turn_away(e, l);
        mesh_hurry(e->mesh); /* in place of one that was cut another one is dialed at once */
    } else if (m == NULL || rival_of(e, m) == l) {
        inbound_resume(e, l);
    } else {
        return e->now_us; /* after the one that comes first */
    }
    return NEVER;
}
