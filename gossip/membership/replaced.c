#include "gossip/membership/replaced.h"

static bool is_gone(const struct member *m)
{
    return m->state == MEMBER_DEAD || m->state == MEMBER_LEFT;
}

void replaced_by(struct swim *s, const struct member *m)
{
    const struct addr there = member_last_addr(m);
    for (uint32_t i = 0; i < s->roster.gone_count; i++) {
        struct member *other = roster_gone_at(&s->roster, i);
        if (other != m && is_gone(other) && roster_has_addr(&s->roster, other, &there)) {
            other->is_replaced = true;
        }
    }
}

static bool is_proven_at(const struct member *m, const struct addr *addr)
{
    const struct addr last = member_last_addr(m);
    return m->is_self || (m->is_proven && addr_equal(&last, addr));
}

void replaced_gone(struct swim *s, struct member *m)
{
    struct addr list[MEMBER_USABLE_MAX];
    const uint32_t count = member_addrs(m, s->roster.host_tag, list);
    m->is_replaced = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t walk = 0;
        const struct member *there = NULL;
        while ((there = roster_next_at(&s->roster, &list[i], &walk)) != NULL) {
            m->is_replaced = m->is_replaced || (there != m && is_proven_at(there, &list[i]));
        }
    }
}
