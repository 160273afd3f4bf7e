/*
 * held_member: one swim that holds somebody in a certain state, for tables of what news of that
 * member changes.
 */
#ifndef TESTS_HELD_MEMBER_H
#define TESTS_HELD_MEMBER_H

#include "gossip/membership/view.h"
#include "swim_cluster.h"

enum held { NOBODY, NAMED, ALIVE, SUSPECT, DEAD, LEFT, DEAD_GHOST, LEFT_GHOST };

enum { HELD_AT = 5 }; /* its number */

/* Who brings the news: the member itself, or another one; and whether that is sure. */
enum { OWN = 1, SURE = 2 };

static const struct uuid subject = {{9}}, other = {{7}};

static inline struct view_teller teller_of(uint32_t who)
{
    return (struct view_teller){(who & OWN) != 0 ? &subject : &other, (who & SURE) != 0};
}

static inline struct member_card card_with(uint64_t incarnation, uint32_t addrs)
{
    const uint8_t ip[4] = {10, 0, 0, 9};
    struct member_card card = {
        .uuid = subject,
        .host_tag = 3,
        .incarnation = incarnation,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "somebody",
        .enclave = "default",
        .addr_count = addrs,
    };
    for (uint32_t i = 0; i < addrs; i++) {
        card.addrs[i].scope = SCOPE_GLOBAL;
        card.addrs[i].addr = addr_v4(ip, (uint16_t)(9000 + i));
    }
    return card;
}

/* Has the node hold the member, with one address, as somebody else says. */
static inline void hold(struct swim *s, enum held held)
{
    const struct member_card card = card_with(HELD_AT, 1);
    const struct member_card ghost = {.uuid = subject, .incarnation = HELD_AT};
    const struct view_teller teller = {&other, held != NAMED};
    struct member *m = NULL;
    if (held == NOBODY) {
        return;
    }
    if (held == DEAD_GHOST || held == LEFT_GHOST) {
        view_add_gone(s, &ghost, held == DEAD_GHOST ? MEMBER_DEAD : MEMBER_LEFT, SECOND);
        return;
    }
    assert_int_equal(view_alive(s, &card, &teller, &m), RC_OK);
    if (held == SUSPECT) {
        view_suspect(s, m, &other);
    } else if (held == DEAD || held == LEFT) {
        view_bury(s, m, held == DEAD ? MEMBER_DEAD : MEMBER_LEFT, HELD_AT, &other);
    }
    if (m->probe != NULL && held != NAMED) {
        m->probe->ask_us = 0;
    }
    rumor_drop(&s->rumors, m);
}

#endif
