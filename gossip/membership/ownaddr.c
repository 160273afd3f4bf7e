#include "gossip/membership/ownaddr.h"

#include "core/base/assert.h"
#include "gossip/membership/self.h"

/* An address that nobody has confirmed for this long gives way to another, as networks renumber. It
 * is not shorter, or a NAT with a port per peer would change our card each minute. */
#define OWNADDR_KEPT_US 600000000U

bool ownaddr_is(const struct swim *s, const struct addr *addr)
{
    for (uint32_t i = 0; i < s->self->addr_count; i++) {
        const struct member_addr own = member_addr_at(s->self, i);
        if (addr_equal(&own.addr, addr)) {
            return true;
        }
    }
    return candidates_is_own(&s->candidates, addr);
}

static struct ownaddr *place_for(struct swim *s, const struct addr *addr)
{
    struct ownaddr *place = NULL;
    for (uint32_t i = 0; i < OWNADDRS_MAX; i++) {
        struct ownaddr *o = &s->ownaddrs[i];
        if (addr_equal(&o->addr, addr)) {
            return o;
        }
        if (o->addr.port == 0 || s->now_us - o->seen_us >= OWNADDR_KEPT_US) {
            place = place == NULL ? o : place;
        }
    }
    return place;
}

static void drop_addr(struct member_card *card, const struct addr *addr)
{
    for (uint32_t i = 0; i < card->addr_count; i++) {
        if (addr_equal(&card->addrs[i].addr, addr)) {
            card->addrs[i] = card->addrs[--card->addr_count];
            return;
        }
    }
}

/* Room for one more: an interface's address is worth least, being of use on this host only, where
 * loopback serves as well. */
static bool make_room(struct member_card *card)
{
    if (card->addr_count < MEMBER_ADDRS_MAX) {
        return true;
    }
    for (uint32_t i = card->addr_count; i-- > 0;) {
        if (card->addrs[i].scope == SCOPE_HOST && !addr_is_loopback(&card->addrs[i].addr)) {
            card->addrs[i] = card->addrs[--card->addr_count];
            return true;
        }
    }
    return false;
}

/* Whether members on two other hosts or more have answered. */
static bool has_two_hosts(const struct swim *s)
{
    const struct member *first = NULL;
    for (uint32_t i = 0; i < s->roster.order_count; i++) {
        const struct member *m = roster_at(&s->roster, s->roster.order[i]);
        if (!m->has_answered || m->host_tag == s->self->host_tag) {
            continue;
        }
        if (first != NULL && first->host_tag != m->host_tag) {
            return true;
        }
        first = m;
    }
    return false;
}

/* One witness may err or lie: where there are several hosts, a second one must say the same. */
static bool is_witnessed(struct swim *s, const struct addr *addr, const struct member *witness)
{
    struct ownaddr_said *said = &s->ownaddr_said;
    if (!has_two_hosts(s) ||
        (addr_equal(&said->addr, addr) && said->host_tag != witness->host_tag)) {
        return true;
    }
    *said = (struct ownaddr_said){.addr = *addr, .host_tag = witness->host_tag};
    return false;
}

void ownaddr_seen(struct swim *s, const struct addr *addr, const struct member *witness)
{
    if (s->is_addr_configured || s->self->state == MEMBER_LEFT || addr->port == 0 ||
        addr_is_loopback(addr) || addr_is_any(addr)) {
        return;
    }
    struct ownaddr *place = place_for(s, addr);
    if (place == NULL) {
        return;
    }
    if (addr_equal(&place->addr, addr)) {
        place->seen_us = s->now_us;
        return;
    }
    if (!is_witnessed(s, addr, witness)) {
        return;
    }
    place->seen_us = s->now_us;
    struct member_card card;
    member_card(s->self, &card);
    if (place->addr.port != 0) {
        drop_addr(&card, &place->addr);
    }
    drop_addr(&card, addr); /* as an interface's it is of use on this host only */
    if (!make_room(&card)) {
        return;
    }
    place->addr = *addr;
    card.addrs[card.addr_count++] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = *addr};
    roster_set_card(&s->roster, s->self, &card);
    self_renew(s, MEMBER_ALIVE, card.incarnation + 1);
}
