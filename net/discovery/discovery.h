/*
 * discovery: asks its providers, again and again, where nodes may be. It passes on every address
 * that no known member holds.
 *
 * A pass starts all providers at once and is over when each has answered, failed, or had its time.
 * Alone, a node asks again after 1 s and then less often down to every 5 s; in company every 30 s,
 * with a jitter of a fifth, for ever. After a failure it asks again sooner, first after 0.25 s and
 * then less often down to that pace. So neither the order of start, nor a late starter, nor a
 * healed partition needs anybody's help. Candidates are hints and nothing more.
 *
 * A provider that has failed has not said that nobody is there. So a node that would found a
 * cluster waits until each has answered once. pass_done() says whether they have; the engine
 * decides how long to wait.
 */
#ifndef NET_DISCOVERY_DISCOVERY_H
#define NET_DISCOVERY_DISCOVERY_H

#include "net/discovery/alone.h"
#include "net/discovery/node_config.h"

struct discovery;
struct event_base;

struct discovery_config {
    struct event_base *base;        /* borrowed */
    const struct node_config *node; /* borrowed */
    const struct node_hooks *hooks; /* borrowed; only log() is used */
    uint64_t seed;                  /* for the jitter */
    void *arg;
    bool (*knows)(void *arg, const struct addr *addr); /* a member, or this node, is there */
    void (*candidate)(void *arg, const struct addr *addr);
    void (*pass_done)(void *arg, bool have_all_answered); /* each of them, in some pass */
    bool (*is_alone)(void *arg);
};

struct discovery_stats {
    uint64_t passes;   /* that are over */
    uint64_t failures; /* of a provider in a pass; that there is no such name is an answer */
};

/* Starts the first pass. Never NULL. */
struct discovery *discovery_new(const struct discovery_config *config);

/* Not from a callback of the discovery's. NULL is ignored. */
void discovery_free(struct discovery *d);

/* The node is to end: nobody is asked any more, and that nobody is there is no news. NULL is
 * ignored. */
void discovery_stop(struct discovery *d);

/* The node may have become alone: ask soon. */
void discovery_hurry(struct discovery *d);

/* Warns of each provider that has not answered yet, in one line that says why it failed. The node
 * goes on without it. */
void discovery_warn(const struct discovery *d);

/* True when the node should know others by now and knows none, with the words for it
 * (net/discovery/alone). A line of the log says so too. */
bool discovery_is_alone(const struct discovery *d, char ret_text[static ALONE_TEXT_SIZE]);

struct discovery_stats discovery_stats(const struct discovery *d);

#endif
