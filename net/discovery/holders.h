/*
 * holders: who holds ports that are not free, asked over HTTP: a node of ours says its name and
 * uuid, anything else is another program.
 */
#ifndef NET_DISCOVERY_HOLDERS_H
#define NET_DISCOVERY_HOLDERS_H

#include "net/discovery/health_answer.h"

#include "core/base/addr.h"

struct event_base;
struct holders;

enum { HOLDERS_MAX = 64 }; /* ports asked about at most; the rest of a longer range is not */

struct holder {
    uint16_t port;
    bool is_node; /* `health` says which */
    struct health_answer health;
};

/*
 * Asks ports [first, last] of `host` (a literal address; when any, loopback) for /health, all at
 * once, each for at most half a second. `done` is called exactly once, from the loop, with one
 * entry for each port asked, borrowed for the call; the holders are gone when it returns.
 */
struct holders *holders_ask(struct event_base *base, const struct addr *host, uint16_t first,
                            uint16_t last,
                            void (*done)(void *arg, const struct holder *list, size_t count),
                            void *arg);
void holders_cancel(struct holders *h);

#endif
