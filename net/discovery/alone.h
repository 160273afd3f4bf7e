/*
 * alone: whether a node that should know others knows none, and when to say so.
 *
 * A lone node is nothing unusual: by default it asks its own host's ports, and founds a cluster.
 * One that was started among others is: by the launcher, with REPRAM_EXPECT_MEMBERS, with a list of
 * nodes, or with a name that has other hosts' addresses. It is said when it has lasted for a while,
 * and again while it lasts, less and less often.
 *
 * It is a pure state machine. net/discovery/discovery tells it what its passes name.
 */
#ifndef NET_DISCOVERY_ALONE_H
#define NET_DISCOVERY_ALONE_H

#include "core/base/addr.h"
#include "gossip/wire/member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ALONE_SAID_AFTER_MS = 5000, /* a start takes less, also of many nodes at once */
    ALONE_PAUSE_MIN_MS = 60 * 1000,
    ALONE_PAUSE_MAX_MS = 60 * 60 * 1000,
    ALONE_TEXT_SIZE = 64 + NAME_SIZE,
};

/* Whether candidates of one family are on other hosts than this. */
struct alone_hosts {
    struct addr first; /* port 0: none */
    bool are_several;
};

struct alone {
    bool is_company_due;  /* others were started, or are expected, whoever is named */
    bool are_nodes_named; /* each candidate is meant to be a node, not only a guess */
    uint32_t asked;       /* candidates of the pass under way */
    uint32_t asked_last;  /* of the last one */
    bool is_own_named;    /* in this pass: an address of this host beyond loopback */
    struct alone_hosts v4, v6;
    bool is_due;       /* as of the last pass: somebody should have answered */
    uint64_t since_ms; /* since when the node is alone and should not be; 0: it is not so */
    uint64_t say_ms;   /* when that is to be said next */
    uint64_t pause_ms; /* and for how long not again */
};

void alone_init(struct alone *a, bool is_company_due, bool are_nodes_named);

/* A pass names an address. `is_own_host`: it is one of this host's; `is_asked`: nobody that is
 * known has it. */
void alone_named(struct alone *a, const struct addr *addr, bool is_own_host, bool is_asked);

/* A pass is over. `is_alone`: no member is known that lives. True when it is to be said now.
 * `now_ms` does not go back and is not 0. */
bool alone_pass_over(struct alone *a, bool is_alone, uint64_t now_ms);

/* Whether it is so, and has been for as long as it takes to be said. */
bool alone_lasts(const struct alone *a, uint64_t now_ms);

/* What there is to say: how many addresses of the last whole pass were asked in vain. */
const char *alone_text(const struct alone *a, const char *network,
                       char ret_text[static ALONE_TEXT_SIZE]);

#endif
