/*
 * mesh: which peer links there are and which should be.
 *
 * A caller that wants a link to a member gives the reason. The mesh dials until there is a link or
 * no reason is left. Its cost grows with the links that are wanted, and not with the members that
 * are known. The member with the smaller id dials at once, the other after a grace, so that a pair
 * meets even when only one can reach the other. Of two links opened at once the one dialed by the
 * smaller id stays. Failed dials are tried again after a growing pause, at the member's other
 * addresses. Ids are never reused within 2^20 links of a slot.
 *
 * Left out: who should be linked (gossip/replication/overlay, gossip/wiring), and when a link that
 * nobody wants any more ends (gossip/peer).
 */
#ifndef GOSSIP_REPLICATION_MESH_H
#define GOSSIP_REPLICATION_MESH_H

#include "gossip/membership/swim.h"
#include "gossip/replication/link.h"
#include "gossip/sealing/keyring.h"

enum {
    MESH_LINKS_MAX = 4095,
    /* Accepted links of which only a HELLO, if that, says whose they are. Each costs a member and
     * its place on the rings, for as long as a member has to answer. */
    MESH_UNMET_MAX = 128,
    MESH_UNMET_ADDR_MAX = 16,       /* of these from one place (mesh_same_place) off this host */
    DIAL_GRACE_US = 400 * 1000,     /* the larger id waits this long for the other's dial */
    DIAL_PAUSE_MIN_US = 200 * 1000, /* after a failed dial, doubling */
    DIAL_PAUSE_MAX_US = 5000 * 1000,
    DIALS_TOLD = 3, /* of one member in vain are no accident; by 2 s each and pauses: some 7 s */
    DIAL_DEMAND_US = 10 * 1000 * 1000, /* a link on demand is dialed for no longer than this */
    MESH_WANTS_MAX = 512, /* most wants are 64: the neighbours; others come and go on demand */
    LINK_HELLO_TIMEOUT_US = 3000 * 1000, /* a link whose HELLO does not come is ended */
};

enum mesh_limit { MESH_HAS_ROOM, MESH_ADDR_IS_FULL, MESH_IS_FULL };

enum mesh_reason {
    MESH_ENCLAVE = 1,   /* all members of a small enclave are linked */
    MESH_NEIGHBOUR = 2, /* in a large one, those next to it on a ring */
    MESH_DEMAND = 4,    /* for once: datagrams do not pass, or data differ */
};

struct mesh;

struct mesh *mesh_new(struct outbox *outbox);
void mesh_free(struct mesh *m);

/* Whose addresses and networks are this node's own; borrowed until the mesh is freed. */
void mesh_know_self(struct mesh *m, const struct member *self);

/* The keys that are dialed with; borrowed likewise. Without this links are plain. */
void mesh_know_keys(struct mesh *m, const struct keyring *ring);

/* Whether it is an address of this host, whose nodes and clients are its own. */
bool mesh_is_own_host(const struct mesh *m, const struct addr *addr);

/* Whether limits take both addresses for one: for IPv4 if they are equal, for IPv6 if they are of
 * one /64, as whoever has one address there may have all. In a /64 of this node's own each host
 * counts for itself: these are its operator's, and a cluster may be all in one. */
bool mesh_same_place(const struct mesh *m, const struct addr *a, const struct addr *b);

/* A new link in the given state, or NULL when there are MESH_LINKS_MAX. */
struct link *mesh_add(struct mesh *m, enum link_state state, bool is_dialed,
                      const struct addr *addr, uint64_t now_us);

/* Whether nothing but a HELLO, if that, shows who has dialed this node: not even a key. */
bool mesh_is_unmet(const struct link *l);

/* Which limit one more accepted link would pass before those that were accepted have shown who they
 * are; `from` is NULL for this host's own. Past one *ret_oldest is the link under it that has said
 * nothing new for longest, else NULL. */
enum mesh_limit mesh_crowding(const struct mesh *m, const struct addr *from,
                              struct link **ret_oldest);

/* Frees the link; its sync side must be gone. */
void mesh_remove(struct mesh *m, struct link *l);

/* NULL when the id is not (or no longer) a link. */
struct link *mesh_find(const struct mesh *m, uint32_t id);

/* All links, one after the other, NULL at the end; the link `id` may be gone by then. */
struct link *mesh_first(const struct mesh *m);
struct link *mesh_after(const struct mesh *m, uint32_t id);

/* The member's open link; NULL when it has none. */
struct link *mesh_of(const struct mesh *m, const struct member *member);

/* Asks the caller to take output, once until it is taken. */
void mesh_ask_output(struct mesh *m, struct link *l);

/* Sends a critical frame: queues it, and asks. RC_FULL: the peer does not read. */
enum rc mesh_send(struct mesh *m, struct link *l, enum frame_type type, const void *payload,
                  size_t len);

/* A link to the member is wanted for one more reason. Does nothing beyond MESH_WANTS_MAX. */
void mesh_want(struct mesh *m, const struct uuid *self, const struct member *member,
               enum mesh_reason reason, uint64_t now_us);

/* The reason is gone. The link, if there is one, stays. */
void mesh_unwant(struct mesh *m, const struct uuid *uuid, enum mesh_reason reason);

/* Why a link to the member is wanted, enum mesh_reason as bits. */
uint32_t mesh_reasons(const struct mesh *m, const struct uuid *uuid);

/* The wanted at or after *at, with *ret_reasons; NULL at the end. Valid until the next call that
 * is not const. */
const struct uuid *mesh_next_wanted(const struct mesh *m, uint32_t *at, uint32_t *ret_reasons);

/* Dials those wanted that have no link and whose time has come, and drops those that are gone. */
void mesh_turn(struct mesh *m, struct swim *swim, uint64_t now_us);

/* When mesh_turn() has something to do; NEVER for nothing. */
uint64_t mesh_deadline(const struct mesh *m);

/* Dials an address of which no member is known yet, with the ring's first key. NULL when there are
 * too many links or one to that address is under way. */
struct link *mesh_dial(struct mesh *m, const struct addr *addr, uint64_t now_us);

/* Whoever is there does not take the key that the link is being dialed with: dials once more with
 * the ring's next, in a circle. False when each was tried: the dial has failed. */
bool mesh_dial_on(struct mesh *m, struct link *l);

/* A dial to, or link of, the member failed: when it may be dialed again. */
void mesh_failed(struct mesh *m, const struct member *member, uint64_t now_us);

/* The same of a dial: returns how many have failed since the last link with it; 0 when none is
 * wanted. */
uint32_t mesh_dial_failed(struct mesh *m, const struct member *member, uint64_t now_us);

/* The member's link came up: failures are forgotten. */
void mesh_succeeded(struct mesh *m, const struct member *member);

/* Members that are alive, have answered, and were dialed in vain so often that it is no accident.
 */
uint32_t mesh_undialed(const struct mesh *m, const struct swim *swim);

/* Something changed that dials depend on: the next mesh_turn() looks at once. */
void mesh_hurry(struct mesh *m);

#endif
