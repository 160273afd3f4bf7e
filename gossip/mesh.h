/*
 * mesh: which peer links there are and which should be.
 *
 * Between two members of one enclave there is one link. The member with the smaller id dials at
 * once, the other after a grace, so that a one-way reachable pair still meets; of two links opened
 * at once the one dialed by the smaller id stays. Failed dials are tried again with a growing pause
 * and the member's other addresses. Ids are never reused within 2^20 links of a slot.
 */
#ifndef GOSSIP_MESH_H
#define GOSSIP_MESH_H

#include "gossip/link.h"
#include "gossip/swim.h"

enum {
    MESH_LINKS_MAX = 4095,
    MESH_UNMET_MAX = 128,       /* accepted links that have not said HELLO; more are turned away */
    DIAL_GRACE_US = 400 * 1000, /* the larger id waits this long for the other's dial */
    DIAL_PAUSE_MIN_US = 200 * 1000, /* after a failed dial, doubling */
    DIAL_PAUSE_MAX_US = 5000 * 1000,
    LINK_HELLO_TIMEOUT_US = 3000 * 1000, /* a link whose HELLO does not come is ended */
    MESH_TURN_US = 100 * 1000,           /* how often dials are looked after */
};

struct mesh;

struct mesh *mesh_new(struct outbox *outbox);
void mesh_free(struct mesh *m);

/* A new link in the given state, or NULL when there are MESH_LINKS_MAX. */
struct link *mesh_add(struct mesh *m, enum link_state state, bool is_dialed,
                      const struct addr *addr, uint64_t now_us);

/* Whether one more link may be accepted before those that were accepted have said who they are. */
bool mesh_may_accept(const struct mesh *m);

/* Frees the link; its sync side must be gone. */
void mesh_remove(struct mesh *m, struct link *l);

/* NULL when the id is not (or no longer) a link. */
struct link *mesh_find(const struct mesh *m, uint32_t id);

/* The link at or after slot *slot; NULL at the end. */
struct link *mesh_next(const struct mesh *m, uint32_t *slot);

/* The member's open link; NULL when it has none. */
struct link *mesh_of(const struct mesh *m, const struct member *member);

/* Asks the caller to take output, once until it is taken. */
void mesh_ask_output(struct mesh *m, struct link *l);

/* Dials the members that should have a link and have none, and forgets what became of the others.
 * Cheap; runs at most every MESH_TURN_US. */
void mesh_turn(struct mesh *m, struct swim *swim, uint64_t now_us);

/* Dials an address of which no member is known yet. NULL when there are too many links or one to
 * that address is under way. */
struct link *mesh_dial(struct mesh *m, const struct addr *addr, uint64_t now_us);

/* A dial to, or link of, the member failed: when it may be dialed again. */
void mesh_failed(struct mesh *m, const struct member *member, uint64_t now_us);

/* The member's link came up: failures are forgotten. */
void mesh_succeeded(struct mesh *m, const struct member *member);

/* Something changed that dials depend on: the next mesh_turn() looks at once. */
void mesh_hurry(struct mesh *m);

#endif
