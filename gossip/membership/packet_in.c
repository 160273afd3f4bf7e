#include "gossip/membership/packet_in.h"

#include "gossip/membership/hearsay.h"
#include "gossip/membership/ownaddr.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/pull.h"
#include "gossip/membership/refusal.h"
#include "gossip/membership/relay.h"
#include "gossip/membership/view.h"

enum {
    /* An operator wants one line about a stranger, and not one for each packet. */
    STRANGER_PERIOD_US = 60000000,
    /* About as many as a page has. The members that they are about are fetched from memory
     * together. */
    ENTRIES_AT_ONCE = 24,
};

void packet_in_stranger(struct swim *s, const struct addr *from, uint8_t version)
{
    uint64_t *told_us = version == 0 ? &s->told_stranger_us : &s->told_version_us;
    if (*told_us != 0 && s->now_us - *told_us < STRANGER_PERIOD_US) {
        return;
    }
    *told_us = s->now_us;
    const struct swim_event event = {.kind = SWIM_STRANGER, .addr = *from, .version = version};
    (void)eventq_put(&s->events, &event);
}

/* What the sender says of its condition steers others: a clock to be taken, an enclave that may
 * begin. Of digest and root, which only have questions asked, everybody's word will do. */
static void take_vitals(struct swim *s, const struct packet_out_asked *asked, uint32_t rtt_us)
{
    struct member *m = asked->to;
    const struct packet *p = asked->packet;
    const uint8_t by_link = m->link != 0 && asked->from != NULL ? MEMBER_STATE_FLAGS : 0;
    const uint8_t kept = asked->is_sure ? by_link : UINT8_MAX;
    m->flags = (uint8_t)((m->flags & kept) | (p->vitals.flags & ~kept));
    if (member_is_live(m)) {
        struct swim_event event = {
            .kind = SWIM_VITALS,
            .member = m,
            .vitals = p->vitals,
            .vitals_at_us = s->now_us,
            .rtt_us = rtt_us,
        };
        event.vitals.flags = asked->is_sure ? p->vitals.flags : 0;
        (void)eventq_put(&s->events, &event);
    }
    if (s->self->state != MEMBER_LEFT && m->state != MEMBER_NAMED) {
        pull_compare(s, m, p->member_digest);
    }
}

/* A newcomer's pings are long; whoever has no global address yet needs to hear of one too. */
static bool wants_seen_as(const struct member *sender, const struct packet *p)
{
    bool has_global = sender == NULL;
    for (uint32_t i = 0; sender != NULL && i < sender->addr_count; i++) {
        has_global = has_global || member_addr_at(sender, i).scope == SCOPE_GLOBAL;
    }
    return p->is_long || !has_global;
}

static void take_ping(struct swim *s, const struct packet_out_asked *asked)
{
    const struct packet *p = asked->packet;
    const bool is_proven = asked->room == DATAGRAM_BYTES_MAX;
    const bool is_wrong = p->target_tag != 0 && p->target_tag != s->self->tag;
    struct packet reply = {.kind = PACKET_WRONG, .seq = p->seq};
    if (!is_wrong) {
        reply.kind = PACKET_ACK;
        reply.member_digest = s->roster.digest;
        s->vitals(s->vitals_arg, p->vitals.cut_s, s->now_us, &reply.vitals);
        if (is_proven && asked->from != NULL && !addr_is_loopback(asked->from) &&
            wants_seen_as(asked->to, p)) {
            reply.has_seen_as = true;
            reply.seen_as = *asked->from;
        }
    }
    /* A sender that lacks our card gets it, but not before it has proved that it receives. */
    const bool is_known = asked->to != NULL || p->is_long;
    if (!is_proven && !is_wrong && is_known && !p->knows_you) {
        packet_out_reply_cookie(s, asked);
    } else {
        packet_out_reply(s, asked, &reply);
    }
    if (asked->to != NULL) {
        take_vitals(s, asked, 0);
    }
}

static void take_ack(struct swim *s, const struct packet_out_asked *asked, bool is_candidate,
                     uint32_t rtt_us)
{
    const struct packet *p = asked->packet;
    const bool is_answer = is_candidate || rtt_us > 0;
    if (p->has_seen_as && is_answer) {
        ownaddr_seen(s, &p->seen_as, asked->to);
    }
    relay_acked(s, asked->to, p->seq, asked->from != NULL);
    take_vitals(s, asked, rtt_us);
}

static void take_pull(struct swim *s, const struct packet_out_asked *asked)
{
    if (asked->room < DATAGRAM_BYTES_MAX) {
        packet_out_reply_cookie(s, asked);
    } else {
        pull_answer(s, asked);
    }
}

/* A member wants us to prove ourselves: it is there, as this answers a question of ours. */
static void take_cookie(struct swim *s, struct member *sender, const struct packet *p)
{
    relay_acked(s, sender, p->seq, true);
    if (candidates_cookie(&s->candidates, p->seq, p->cookie, s->now_us)) {
        return;
    }
    if (probe_awaits_ack(sender, p->seq, true)) {
        probe_cookie(s, sender, p->seq, p->cookie);
    } else {
        pull_again(s, sender, p->seq, p->cookie);
    }
}

static void take_kind(struct swim *s, const struct packet_out_asked *asked, bool is_candidate,
                      uint32_t rtt_us)
{
    const struct packet *p = asked->packet;
    struct member *m = NULL;
    switch (p->kind) {
    case PACKET_PING:
        take_ping(s, asked);
        break;
    case PACKET_ACK:
        take_ack(s, asked, is_candidate, rtt_us);
        break;
    case PACKET_WRONG:
        if (asked->from != NULL && p->seq != 0) {
            refusal_came(s, asked->from, p->seq);
        }
        break;
    case PACKET_PING_REQ:
        relay_request(s, asked);
        break;
    case PACKET_RELAYED:
        m = roster_find(&s->roster, &p->target);
        if (m != NULL && !m->is_self) {
            relay_answered(s, asked->to, m, p->seq, p->is_answered);
        }
        break;
    case PACKET_GOSSIP:
        break;
    case PACKET_PULL:
        take_pull(s, asked);
        break;
    case PACKET_CARDS:
        pull_page(s, asked->to, p->seq, p->first);
        break;
    case PACKET_COOKIE:
        if (asked->from != NULL) {
            take_cookie(s, asked->to, p);
        }
        break;
    case PACKET_INTRO:
    case PACKET_INTRO_ACK:
    case PACKET_UNREAD:
        break; /* take_stranger()'s */
    }
}

/* Whether nobody but the sender can have said it. It came over the sender's link, or repeats a
 * number that was sent only to an address of the sender. The link of one that has said HELLO and
 * answered nothing proves no more than that HELLO did, which counts no more. */
static bool is_sure(const struct swim *s, const struct member *sender, const struct uuid *uuid,
                    const struct addr *from, const struct packet *p)
{
    const bool is_by_link = from == NULL && !view_is_doubted(sender);
    switch (p->kind) {
    case PACKET_ACK:
        /* A candidate's number is for a node that we have yet to meet. */
        return is_by_link ||
               (candidates_has_asked(&s->candidates, p->seq) &&
                (sender == NULL || !sender->has_answered)) ||
               (sender != NULL && probe_awaits_ack(sender, p->seq, from != NULL)) ||
               relay_has_asked(s, uuid, p->seq, from != NULL);
    case PACKET_CARDS:
        return is_by_link || (sender != NULL && pull_has_asked(s, sender, p->seq));
    case PACKET_PING:
    case PACKET_WRONG:
    case PACKET_PING_REQ:
    case PACKET_RELAYED:
    case PACKET_GOSSIP:
    case PACKET_PULL:
    case PACKET_INTRO:
    case PACKET_INTRO_ACK:
    case PACKET_UNREAD:
        break;
    case PACKET_COOKIE:
        return from != NULL && sender != NULL && probe_awaits_cookie(sender, p->seq);
    }
    return is_by_link;
}

/* Whether it is a sealed word of a member's own, that came for the first time: nobody else can have
 * said what is in it, as on its link. */
static bool is_own_word(const struct member *sender, const struct packet *p)
{
    return p->key_id != KEYRING_ID_OPEN && sender != NULL && !view_is_doubted(sender);
}

static void take_entries(struct swim *s, const struct view_teller *teller, const struct packet *p)
{
    struct cursor c = cursor_reader(p->entries, p->entries_len);
    struct entry entries[ENTRIES_AT_ONCE];
    while (cursor_left(&c) > 0) {
        uint32_t count = 0;
        while (cursor_left(&c) > 0 && count < ENTRIES_AT_ONCE) {
            packet_entry_read(&c, &entries[count++]);
        }
        for (uint32_t i = 0; i < count; i++) {
            roster_prefetch(&s->roster, &entries[i].uuid);
        }
        for (uint32_t i = 0; i < count; i++) {
            hearsay_entry(s, &entries[i], teller);
        }
    }
}

/* Nothing is believed of an unknown sender that has not proved that it receives. A sender that
 * knows us hears that we do not know it. One that introduces itself in full may prove itself. A
 * WRONG, by which another answers where we asked for a member, can be checked: it repeats our
 * number. */
static void take_unknown(struct swim *s, const struct packet_out_asked *asked)
{
    const struct packet *p = asked->packet;
    if (p->kind == PACKET_PING) {
        take_ping(s, asked);
    } else if (p->kind == PACKET_PULL && p->is_long) {
        packet_out_reply_cookie(s, asked);
    } else if (p->kind == PACKET_WRONG && p->seq != 0) {
        refusal_came(s, asked->from, p->seq);
    } else if (p->kind == PACKET_COOKIE) {
        (void)candidates_cookie(&s->candidates, p->seq, p->cookie, s->now_us);
    }
}

/* Whether it shows by our cookie that the sender receives at `from`. */
static bool repeats_cookie(const struct swim *s, const struct addr *from, const struct packet *p)
{
    return from != NULL && p->kind != PACKET_COOKIE &&
           cookie_is_of(s->secret, from, s->now_us, p->cookie);
}

/* What such a packet is answered by has used up what it weighs. */
static bool is_question(enum packet_kind kind)
{
    return kind == PACKET_PING || kind == PACKET_PULL || kind == PACKET_PING_REQ;
}

/* A datagram that makes somebody known pays for what we send to those that it names. */
static void take_news(struct swim *s, const struct packet_out_asked *asked,
                      const struct view_teller *teller, bool has_proved, size_t len)
{
    s->is_naming = false;
    take_entries(s, teller, asked->packet);
    if (s->is_naming && asked->from != NULL && (has_proved || !is_question(asked->packet->kind))) {
        packet_out_paid(s, asked->from, len);
    }
}

/* Learns where the sender receives: where it answered a candidate's question, or has our cookie. */
static void learn_address(struct swim *s, const struct packet_out_asked *asked, bool is_candidate,
                          bool has_proved)
{
    struct addr there;
    const bool is_settled =
        is_candidate && candidates_settle_seq(&s->candidates, asked->packet->seq, &there);
    s->sought = is_settled ? there : s->sought;
    if (asked->from != NULL && (is_settled || (has_proved && !asked->to->is_proven))) {
        packet_out_proved(s, asked->to, is_settled ? &there : asked->from);
    }
}

/* The sender is a member, or is only named, and is there. Returns the round trip that the packet
 * has measured, 0 when it answers no ping. */
static uint32_t note_presence(struct swim *s, const struct packet_out_asked *asked, bool is_sure)
{
    const struct packet *p = asked->packet;
    struct member *sender = asked->to;
    const bool is_answer = p->kind == PACKET_ACK || p->kind == PACKET_COOKIE;
    const uint32_t rtt_us =
        is_answer ? probe_acked(s, sender, p->seq, asked->from != NULL, p->kind == PACKET_ACK) : 0;
    sender->knows_us = p->knows_you;
    sender->has_said = true;
    if (is_sure) {
        view_answered(s, sender);
    }
    probe_heard(s, sender, asked->from, is_sure);
    if (asked->from != NULL && is_sure) {
        refusal_taken(s, asked->from, sender);
        (void)candidates_settle(&s->candidates, asked->from);
    }
    return rtt_us;
}

/* Whether somebody unknown comes to be known by it. */
static bool is_introduction(const struct packet *p, bool has_proved)
{
    return p->is_long && has_proved;
}

/* A packet of `len` bytes of our cluster that is not our own. `sender` is NULL when nobody here has
 * a short header's tag. Then nothing it says is believed, and an answer will make it introduce
 * itself. */
static void take_packet(struct swim *s, struct member *sender, const struct addr *from,
                        const struct packet *p, size_t len)
{
    const bool is_known = sender != NULL && !sender->is_ghost;
    const bool is_candidate = p->kind == PACKET_ACK && candidates_has_asked(&s->candidates, p->seq);
    const bool has_cookie = repeats_cookie(s, from, p);
    /* That it receives at `from`: by our cookie, now or where it last answered. */
    const bool has_proved = has_cookie || packet_out_is_proven(sender, from);
    struct packet_out_asked asked = {
        .to = is_known ? sender : NULL,
        .from = from,
        .packet = p,
        .room = has_proved ? DATAGRAM_BYTES_MAX : len,
    };
    if (!is_known && !is_introduction(p, has_proved || is_candidate)) {
        take_unknown(s, &asked);
        return;
    }
    const struct uuid uuid = p->is_long ? p->uuid : sender->uuid;
    const bool is_answer = is_sure(s, sender, &uuid, from, p);
    const struct view_teller teller = {
        .uuid = &uuid,
        .is_sure = is_answer || is_own_word(sender, p),
    };
    asked.is_sure = is_answer || has_cookie;
    take_news(s, &asked, &teller, has_proved, len);
    sender = roster_find(&s->roster, &uuid);
    asked.to = sender != NULL && !sender->is_ghost ? sender : NULL;
    if (asked.to == NULL) {
        take_unknown(s, &asked);
        return;
    }
    learn_address(s, &asked, is_candidate, has_proved);
    const uint32_t rtt_us = note_presence(s, &asked, is_answer);
    take_kind(s, &asked, is_candidate, rtt_us);
}

/* Somebody who holds our key asks who is here, and hears it. Nothing is believed of him: who
 * repeats our cookie by a ping receives there. */
static void take_intro(struct swim *s, const struct packet_out_asked *asked)
{
    struct packet reply = {
        .kind = PACKET_INTRO_ACK,
        .seq = asked->packet->seq,
        .nonce = asked->packet->nonce,
        .cookie = cookie_of(s->secret, asked->from, s->now_us),
    };
    packet_out_reply(s, asked, &reply);
}

/* What passes between two of which the one does not know yet that the other is there. True where it
 * was that. */
static bool take_stranger(struct swim *s, struct member *sender, const struct addr *from,
                          const struct packet *p, size_t len)
{
    const struct packet_out_asked asked = {.from = from, .packet = p, .room = len};
    switch (p->kind) {
    case PACKET_INTRO:
        take_intro(s, &asked);
        return true;
    case PACKET_INTRO_ACK:
        (void)candidates_introduced(&s->candidates, p->seq, p->nonce, &p->uuid, p->key_id,
                                    p->cookie, s->now_us);
        return true;
    case PACKET_UNREAD:
        refusal_unread(s, from, sender, p->seq);
        return true;
    case PACKET_PING:
    case PACKET_ACK:
    case PACKET_WRONG:
    case PACKET_PING_REQ:
    case PACKET_RELAYED:
    case PACKET_GOSSIP:
    case PACKET_PULL:
    case PACKET_CARDS:
    case PACKET_COOKIE:
        break;
    }
    return false;
}

/* Our own packet came back: a candidate is ourselves. */
static void take_own(struct swim *s, const struct packet *p)
{
    struct addr addr;
    const bool is_ask = p->kind == PACKET_PING || p->kind == PACKET_INTRO;
    if (is_ask && candidates_settle_seq(&s->candidates, p->seq, &addr)) {
        candidates_add_own(&s->candidates, &addr);
    }
}

/* Whether a packet that came by a member's link speaks for another. */
static bool is_of_another_link(const struct packet *p, const struct member *via)
{
    return via != NULL && (p->tag != via->tag || (p->is_long && !uuid_equal(&p->uuid, &via->uuid)));
}

static bool is_own(const struct swim *s, const struct packet *p)
{
    return p->is_long ? uuid_equal(&p->uuid, &s->self->uuid) : p->tag == s->self->tag;
}

/* NULL when nobody here has the uuid, or a short header's tag. */
static struct member *sender_of(const struct swim *s, const struct packet *p)
{
    return p->is_long ? roster_find(&s->roster, &p->uuid) : roster_find_tag(&s->roster, p->tag);
}

/* ---- Sealed packets ---- */

/* An operator wants one line about a key that this node has not, and not one for each packet. */
static void tell_key(struct swim *s, const struct addr *from, uint16_t key_id)
{
    if (s->told_key_us != 0 && s->now_us - s->told_key_us < STRANGER_PERIOD_US) {
        return;
    }
    s->told_key_us = s->now_us > 0 ? s->now_us : 1;
    const struct swim_event event = {.kind = SWIM_KEY_UNKNOWN, .addr = *from, .key_id = key_id};
    (void)eventq_put(&s->events, &event);
}

static bool is_near(const struct swim *s, const struct addr *from)
{
    bool is_own_ip = addr_is_loopback(from);
    for (uint32_t i = 0; i < s->self->addr_count && !is_own_ip; i++) {
        const struct member_addr own = member_addr_at(s->self, i);
        is_own_ip = addr_same_ip(&own.addr, from);
    }
    return is_own_ip;
}

/* It was not meant for this node, but perhaps for its predecessor on this port: its sender learns
 * as soon as in the open that another is here. Or its sender's tag is lost, and it hears so. It is
 * believed, as the answer is sealed and has the mark. So many are answered as of INTROs may fail.
 */
static void reply_unread(struct swim *s, const struct packet_head *head, const struct addr *from,
                         const uint8_t *data, size_t len)
{
    const bool is_own_host = is_near(s, from);
    if (head->is_intro || len < head->len + SEAL_TAG_BYTES ||
        !budget_has(&s->unread, from, is_own_host, s->now_us)) {
        return;
    }
    budget_failed(&s->unread, from, is_own_host);
    const struct packet unread = {.is_long = true, .key_id = head->key_id};
    const struct packet_out_asked asked = {.from = from, .packet = &unread, .room = len};
    struct packet reply = {.kind = PACKET_UNREAD, .seq = packet_mark(data, len)};
    packet_out_reply(s, &asked, &reply);
}

/* Opens a sealed datagram. False, and silence, where it does not open: but for who meant another.
 */
static bool unseal(struct swim *s, const struct packet_head *head, const struct addr *from,
                   const uint8_t *data, size_t len, uint8_t ret_data[static DATAGRAM_BYTES_MAX])
{
    const struct member *m = head->is_long ? roster_find(&s->roster, &head->uuid)
                                           : roster_find_tag(&s->roster, head->tag);
    m = m != NULL && m->is_self && !head->is_long ? NULL : m;
    const struct sealing_from sender = {
        .sender = head->is_long ? &head->uuid
                  : m != NULL   ? &m->uuid
                                : NULL,
        .incarnation = m != NULL ? m->incarnation : 0,
        .addr = from,
        .is_near = head->is_intro && is_near(s, from),
    };
    const enum sealing_refusal refusal =
        sealing_open(&s->sealing, head, &sender, data, len, s->now_us, ret_data);
    if (refusal == SEALING_REFUSED_KEY) {
        tell_key(s, from, head->key_id);
    } else if (refusal == SEALING_REFUSED_FORGED || refusal == SEALING_REFUSED_SENDER) {
        reply_unread(s, head, from, data, len);
    }
    return refusal == SEALING_OPENED;
}

/* ---- Every packet ---- */

static void stranger(struct swim *s, const struct addr *from, uint8_t version)
{
    s->counters->datagrams_stranger++;
    if (from != NULL) {
        packet_in_stranger(s, from, version);
    }
}

/* One that is not sealed, or was. It came as `len` bytes. */
static void take(struct swim *s, const struct addr *from, struct member *via,
                 const struct packet *p, size_t len)
{
    if (is_of_another_link(p, via)) {
        s->counters->datagrams_malformed++;
    } else if (is_own(s, p)) {
        take_own(s, p);
    } else {
        struct member *sender = via != NULL ? via : sender_of(s, p);
        if (from != NULL && sender != NULL && !sender->is_ghost && p->key_id == KEYRING_ID_OPEN) {
            sealing_note_open(&s->sealing, sender, s->now_us);
        }
        if (from == NULL || !take_stranger(s, sender, from, p, len)) {
            take_packet(s, sender, from, p, len);
        }
    }
}

static void take_sealed(struct swim *s, const struct addr *from, const struct packet_head *head,
                        const uint8_t *data, size_t len)
{
    uint8_t opened[DATAGRAM_BYTES_MAX];
    struct packet p;
    if (head->is_long && head->cluster != s->cluster) {
        stranger(s, from, 0);
    } else if (unseal(s, head, from, data, len, opened)) {
        if (packet_read(opened, len - SEAL_TAG_BYTES, &p) == RC_OK) {
            take(s, from, NULL, &p, len);
        } else {
            s->counters->datagrams_malformed++;
        }
    }
}

void packet_in_take(struct swim *s, const struct addr *from, struct member *via,
                    const uint8_t *data, size_t len)
{
    struct packet_head head;
    struct packet p;
    enum rc rc = packet_read_head(data, len, &head);
    s->counters->datagrams_in += from != NULL;
    if (rc == RC_OK && head.key_id != KEYRING_ID_OPEN && from != NULL) {
        take_sealed(s, from, &head, data, len);
        return;
    }
    /* What came by a link is sealed by the link. */
    if (rc == RC_OK && from != NULL && !sealing_takes_open(&s->sealing)) {
        return;
    }
    rc = rc == RC_OK ? packet_read(data, len, &p) : rc;
    const bool is_of_another = rc == RC_OK && p.is_long && p.cluster != s->cluster;
    if (rc == RC_VERSION || is_of_another) {
        stranger(s, from, is_of_another ? 0 : head.version);
    } else if (rc != RC_OK || p.key_id != KEYRING_ID_OPEN) {
        s->counters->datagrams_malformed++;
    } else {
        take(s, from, via, &p, len);
    }
}
