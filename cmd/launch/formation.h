/*
 * formation: whether the launcher's nodes all see each other and are ready. It judges by what each
 * node answers about itself and its peers.
 *
 * Nodes are distinguished by uuid, as names may be taken twice. Members on other hosts do not
 * count. Where /peers is for those alone who have a right to it, they do, and it is not asked: then
 * a node sees all others when /readyz, which everybody is answered, counts as many members as there
 * are nodes.
 * Answers come in as JSON bytes; the caller does the asking.
 */
#ifndef CMD_LAUNCH_FORMATION_H
#define CMD_LAUNCH_FORMATION_H

#include "core/base/rc.h"
#include "core/base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct formation_node {
    char uuid[UUID_TEXT_SIZE]; /* "" until it answered */
    bool sees_all;             /* when last asked, every other node of ours */
    bool is_ready;             /* when last asked: it takes writes with their quorum */
    uint32_t seen;             /* of our others */
    uint32_t alive;            /* of all peers, when it was last asked anything */
};

struct formation {
    struct formation_node *nodes; /* owned */
    size_t count;
    bool is_counted; /* /peers is not for us: /readyz has to do */
};

void formation_init(struct formation *f, size_t count, bool is_counted);
void formation_fini(struct formation *f);

/* The node was started anew: what it has said before no longer counts. */
void formation_forget(struct formation *f, size_t node);

/* Whether the uuids of all nodes are known, and /peers can be judged. */
bool formation_is_known(const struct formation *f);

/* An answer to /health, to /peers. RC_MALFORMED when it is none. */
MUST_USE enum rc formation_take_health(struct formation *f, size_t node, const uint8_t *json,
                                       size_t len);
MUST_USE enum rc formation_take_peers(struct formation *f, size_t node, const uint8_t *json,
                                      size_t len);

/* An answer to /readyz, which also says how many members the node sees by now. */
void formation_take_ready(struct formation *f, size_t node, bool is_ready, const uint8_t *json,
                          size_t len);

bool formation_is_complete(const struct formation *f);

#endif
