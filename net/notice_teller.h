/*
 * notice_teller: passes the engine's notices on to the log.
 *
 * It adds whether the member's name is another's too, leaves out what net/notice_gate does not let
 * pass, and has the log say how many those were, from the loop.
 */
#ifndef NET_NOTICE_TELLER_H
#define NET_NOTICE_TELLER_H

#include "gossip/engine.h"
#include "net/discovery/node_config.h"
#include "net/notice_gate.h"

struct event;
struct event_base;

struct notice_teller {
    const struct node_hooks *hooks;
    struct notice_gate gate;
    struct event *timer;
};

/* `base` and `hooks` are borrowed for its life. RC_IO: the loop has no more timers. */
MUST_USE enum rc notice_teller_init(struct notice_teller *t, struct event_base *base,
                                    const struct node_hooks *hooks);

/* Also of one that was only zeroed. */
void notice_teller_fini(struct notice_teller *t);

void notice_teller_tell(struct notice_teller *t, const struct engine *e,
                        const struct notice *notice);

#endif
