#include "gossip/membership/refusal.h"

#include "core/base/units.h"
#include "gossip/membership/detector.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/view.h"

enum {
    /* A refusal may come from a socket that is being replaced. A second one 100 ms later does
     * not. */
    PROOF_GAP_US = 100000,
    /* After a refusal that proves nothing the next ping goes sooner, to another address. */
    PROOF_HASTE_US = 50000,
};

/* Where a member that never showed that it receives is thought to be, cards of anybody say: only
 * what is on this host is taken for it, as its host tag stays for its life. */
static bool proof_counts(const struct swim *s, const struct member *m, const struct addr *addr)
{
    if (m->is_proven) {
        const struct addr last = member_last_addr(m);
        return addr_equal(&last, addr);
    }
    for (uint32_t i = 0; i < m->addr_count; i++) {
        const struct member_addr a = member_addr_at(m, i);
        if (a.scope == SCOPE_HOST && addr_equal(&a.addr, addr)) {
            return m->host_tag == s->roster.host_tag;
        }
    }
    return false;
}

/* Refused twice with the gap between, or once when this verifies an earlier proof. */
static void prove(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (detector_lost(s, m, true)) {
        return;
    }
    view_suspect(s, m, &s->self->uuid);
    suspicion_prove(&st->suspicion, s->now_us);
    st->proof_addr.port = 0;
    probe_tell(s, m);
}

static void refuse(struct swim *s, struct member *m, const struct addr *addr)
{
    struct swim_probe_state *st = m->probe;
    if (st == NULL || !st->is_open) {
        probe_start(s, m); /* it was another packet that found nobody */
        return;
    }
    if (!proof_counts(s, m, addr)) {
        const uint64_t soon_us = s->now_us + PROOF_HASTE_US;
        st->retry_us = min_u64(soon_us, st->retry_us);
        st->is_refused = true;
    } else if (st->is_verify && st->suspicion.proof_due_us != 0) {
        prove(s, m);
        return;
    } else if (st->proof_addr.port == 0) {
        st->proof_addr = *addr;
        st->proof_us = s->now_us;
        st->retry_us = s->now_us + PROOF_GAP_US;
        probe_ask_link(s, m); /* only datagrams may be refused, by a firewall */
    } else if (s->now_us - st->proof_us >= PROOF_GAP_US) {
        prove(s, m);
        return;
    }
    probe_schedule(s, m);
}

/* What refuses: who is there instead, or what it repeats of what the member was asked with. */
struct refuser {
    const struct member *by; /* NULL: nobody known */
    uint32_t seq;            /* 0: none */
    bool is_unread;          /* what had this mark */
    uint32_t mark;
};

static bool is_refused_by(const struct member *m, const struct addr *addr,
                          const struct refuser *refuser)
{
    return !m->is_self && m != refuser->by &&
           (refuser->seq == 0 || probe_awaits_ack(m, refuser->seq, true)) &&
           (!refuser->is_unread || probe_has_sent(m, refuser->mark, addr));
}

/* All that are thought to be there and are refused so. */
static void refuse_all(struct swim *s, const struct addr *addr, const struct refuser *refuser)
{
    /* A proof changes who stands in the address index, so the walk ends before it begins. */
    enum { AT_ONE_ADDR_MAX = 16 };
    struct member *found[AT_ONE_ADDR_MAX];
    uint32_t count = 0, walk = 0;
    struct member *m = NULL;
    while (count < AT_ONE_ADDR_MAX && (m = roster_next_at(&s->roster, addr, &walk)) != NULL) {
        if (is_refused_by(m, addr, refuser)) {
            found[count++] = m;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        refuse(s, found[i], addr);
    }
}

void refusal_came(struct swim *s, const struct addr *addr, uint32_t seq)
{
    refuse_all(s, addr, &(struct refuser){.seq = seq});
}

void refusal_taken(struct swim *s, const struct addr *addr, const struct member *by)
{
    refuse_all(s, addr, &(struct refuser){.by = by});
}

void refusal_unread(struct swim *s, const struct addr *addr, struct member *by, uint32_t mark)
{
    if (by != NULL && probe_has_sent(by, mark, addr)) {
        by->knows_us = false; /* it is there, and has forgotten whose tag ours is */
        by->has_said = true;
        probe_start(s, by);
    }
    refuse_all(s, addr, &(struct refuser){.by = by, .is_unread = true, .mark = mark});
}
