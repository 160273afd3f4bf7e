/*
 * claim_check: whether a claimed port is ours also as seen from outside.
 *
 * Published ports and NAT can lead a domain's one address to another container than this one. So
 * when the domain is a single address that is none of this host's, the node asks there who answers
 * on its port. It answers such questions itself meanwhile:
 *
 *   itself, nobody, or no node           the port is kept
 *   another node                         the outside reaches somebody else: the port is left
 *   another node that is claiming, too   the lower uuid keeps it; the higher leaves; the lower asks
 *                                        again, because the other may be the one that is reached
 *
 * Several addresses are several hosts, which is no conflict.
 */
#ifndef NET_DISCOVERY_CLAIM_CHECK_H
#define NET_DISCOVERY_CLAIM_CHECK_H

#include "net/discovery/health_answer.h"
#include "net/discovery/node_config.h"

#include "core/base/addr.h"

struct claim_check;
struct event_base;

enum claim_verdict {
    CLAIM_KEEP,
    CLAIM_LEAVE, /* `other` holds it */
    CLAIM_AGAIN, /* only from claim_check_judge(): ask again shortly */
};

/* The rule above for one answer; NULL when nobody of ours answered. `attempt` counts from 0; from
 * CLAIM_ATTEMPTS_MAX on it does not say CLAIM_AGAIN. */
enum { CLAIM_ATTEMPTS_MAX = 10 };
enum claim_verdict claim_check_judge(const struct uuid *self, const struct health_answer *other,
                                     uint32_t attempt);

/*
 * Starts the check of `port` at the node's domain. `done` is called exactly once, from the loop,
 * with CLAIM_KEEP or CLAIM_LEAVE (then `other`, borrowed for the call, is the owner); the caller
 * frees the check later. `is_own` tells an address of this host. NULL when it cannot be made for
 * want of memory: keep the port.
 */
struct claim_check *claim_check_start(struct event_base *base, const struct node_config *node,
                                      uint16_t port, const struct uuid *self,
                                      bool (*is_own)(const struct addr *addr),
                                      void (*done)(void *arg, enum claim_verdict verdict,
                                                   const struct health_answer *other),
                                      void *arg);

/* Not from within `done`. NULL is ignored. */
void claim_check_free(struct claim_check *c);

#endif
