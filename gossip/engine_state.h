/*
 * engine_state: the state that the engine's own files share. Nobody else includes it.
 *
 * engine.c has the life of the node (time, readiness), start.c how it begins, peer.c how links
 * begin and end, hello.c what both ends say first, link_out.c what goes out on them, rival.c a
 * second link of one member, inbound.c what comes in on them, wiring.c which links there are,
 * spread.c how writes reach the whole enclave, voters.c who counts in their quorum and whether it
 * can be reached, owed.c what members have put off, clock_source.c whose clock is followed, apart.c
 * whose is too far off for data to pass, engine_client.c what clients ask for and what pages show.
 */
#ifndef GOSSIP_ENGINE_STATE_H
#define GOSSIP_ENGINE_STATE_H

#include "core/base/rng.h"
#include "gossip/clock.h"
#include "gossip/engine_config.h"
#include "gossip/expect.h"
#include "gossip/membership/swim.h"
#include "gossip/repair/holdings.h"
#include "gossip/repair/reconcile.h"
#include "gossip/replication/mesh.h"
#include "gossip/replication/overlay.h"
#include "gossip/replication/quorum.h"
#include "gossip/replication/tree.h"
#include "gossip/spread.h"

/* apart.c's: whose clocks are apart from this node's. Only for those the clock is kept that they
 * show. */
struct apart {
    bool has_guess;
    int64_t guess_us;       /* while this node has no clock: the one that it compares others with,
                               minus its monotonic one */
    uint32_t agrees, count; /* live members whose clock agrees, and is apart */
    uint64_t since_us;      /* when the first of them was found */
    int64_t *offsets_us;    /* by slot: its clock minus our monotonic one; NULL while count is 0 */
    uint32_t offset_count;
};

struct engine {
    struct engine_config config;
    struct outbox *outbox;
    struct engine_counters counters;
    struct rng rng;
    struct store *store;
    struct swim *swim;
    struct mesh *mesh;
    struct quorum *quorum;
    struct sync *sync;
    struct reconcile reconcile;
    struct spread spread; /* by engine_spread() */
    struct overlay overlay;
    struct tree *tree;
    struct clock clock;
    struct hlc hlc;
    uint64_t now_us, started_us;
    struct member *leader; /* of the live others that have a clock, whose leads; NULL: none has */
    bool leader_has_records;
    uint32_t counted;   /* members that count in quorums, without this node */
    uint8_t told_state; /* MEMBER_STATE_FLAGS as last sent on the links */
    struct apart apart;
    uint64_t turn_at_us;    /* next look at what needs no exact time */
    uint64_t ask_at_us;     /* when a node without a clock asks for it again */
    uint32_t asks;          /* how often it has */
    struct member *smaller; /* a member that had answered and had a smaller uuid than ours; its slot
                               may be another's by now, so both are checked again */
    uint64_t peers_at_us;   /* next look at the links' timeouts */
    struct holdings holdings;
    uint64_t crowd_told_us;    /* when an operator last heard that links are refused */
    uint64_t wired;            /* the overlay's changes as of the last wiring_turn() */
    uint64_t newest_member_us; /* when somebody was met for the first time */
    uint64_t pass_over_us;     /* when the first discovery pass ended */
    uint64_t named_us;
    uint64_t refused_until_us; /* so long it counts that members had no room for this node, */
    struct addr refused_by;    /* the last of them there */
    struct expect expect;      /* whether the enclave may begin */
    uint32_t expect_told;      /* how many members there were when an operator last got a notice */
    uint64_t begun_us;         /* when it might, in this node's eyes */
    bool is_named;             /* the providers have named all they know, once; at named_us */
    bool is_pass_over;
    bool is_full;           /* refused for lack of room lately, see engine_refused_room() */
    uint64_t full_until_us; /* when to look again whether there is room */
    bool is_draining;       /* told to stop: not ready, and else as before */
    bool is_leaving;        /* then: it has announced that it leaves, and takes no writes */
    bool has_formed; /* a write can be 201, for the first time: from then on the node is ready */
    bool was_ready;
    bool is_expiry_due; /* the last slice of expiry was a full one */
};

/* Takes note of the time: it does not go back. */
void engine_advance(struct engine *e, uint64_t now_us);

/* Works off what the last event has led to. Every public function that takes an event ends so. */
void engine_settle(struct engine *e);

/* The cluster's clock in ms; the wall clock's guess without one. */
uint64_t engine_now_ms(const struct engine *e);

/* The way of writes, as of now. */
struct spread *engine_spread(struct engine *e);

/* Whether it holds anything: then its clock does not step. */
bool engine_has_records(const struct engine *e);

/* This node's condition, as pings and hellos tell it. */
uint8_t engine_flags(const struct engine *e);

/* Something was refused for lack of room: the node is full for a while, and until it is under 95 %.
 */
void engine_refused_room(struct engine *e);

/* Stores a record that passed record_check(), from either door. */
enum rc engine_merge(struct engine *e, const struct record *r, enum merge_outcome *ret_outcome);

/* ---- peer.c ---- */

/* Ends a link from our side. `reason` 0 sends no CLOSE. */
void peer_end(struct engine *e, struct link *l, enum close_reason reason);

/* The ring has changed: links made with a key that it has not any more end, and are dialed anew. */
void peer_rekey(struct engine *e);

/* What the link holds in memory has changed. Where all hold too much together some end, maybe this
 * one. */
void peer_count(struct engine *e, struct link *l);

/* What a reconciliation depends on, as it is now. */
struct reconcile_env peer_reconcile_env(struct engine *e);

/* A neighbour was lost: reconciles with one other as soon as there is one that may. */
void peer_reconcile_after_loss(struct engine *e);

/* Timeouts of links, and reconciliations that are due. */
void peer_turn(struct engine *e);

/* Something that peer_turn() depends on has changed: it looks again by `at_us`. */
void peer_look_by(struct engine *e, uint64_t at_us);

/* A member's vitals: differing roots start a session. */
void peer_compare_roots(struct engine *e, const struct member *m, const struct vitals *v);

/* SYNC_ROOT came: likewise. */
void peer_take_root(struct engine *e, struct link *l, struct cursor *payload);

/* ---- rival.c ---- */

/* HELLO on `l` names the uuid. RC_OK: it opens, and ends what other link there is. RC_EXISTS: it
 * has ended. RC_AGAIN: it is a rival now, and the member is asked on the link that it has. */
MUST_USE enum rc rival_hello(struct engine *e, struct link *l, const struct uuid *uuid);

/* A link that waits to take the place of the member's, and of several the one that comes first;
 * NULL when there is none. */
struct link *rival_of(const struct engine *e, const struct member *m);

/* Input of a rival, of which nothing is read yet, and whether its HELLO could be kept before that.
 */
void rival_keep(struct link *l, bool is_hello_kept, const uint8_t *data, size_t len);

/* PACKET came on an open link: if it is the answer, all its rivals end. */
void rival_answered(struct engine *e, struct link *l, const uint8_t *packet, size_t len);

/* Looks at an open link that was asked, or is to be: silent for long enough, it ends, and a rival
 * takes its place, if there is one. When to look again. */
uint64_t rival_silence(struct engine *e, struct link *l);

/* Looks at a rival: it opens when the member's link is gone. Likewise. */
uint64_t rival_turn(struct engine *e, struct link *l);

/* ---- voters.c ---- */

/* Whether the member counts in the quorum of a write may have changed: a live mate does that has
 * answered this node since it was last dead, and whose clock is not in conflict with ours. Of one
 * that does not count any more nothing is waited for. */
void voters_look(struct engine *e, struct member *m);

/* The number of members that count, this node included, and how many of them must hold a write. */
uint32_t voters_count(const struct engine *e);
uint32_t voters_needed(const struct engine *e);

/* Whether this node is linked with as many members as that which can take a write: they have a
 * clock and have caught up. */
bool voters_are_linked(const struct engine *e);

/* The member has refused a write that a client waits for, and will not take it. */
void voters_refused(struct engine *e, const struct link *l, uint32_t waiter);

/* A link of the member is gone. If it was the last, so are the writes that the member was asked
 * for. */
void voters_link_gone(struct engine *e, struct member *m);

/* Sends a waiting write to one more member, or once more to the same. */
void voters_ask(struct engine *e, struct link *l, uint32_t waiter);

void voters_check(const struct engine *e);

/* ---- owed.c ---- */

/* Sends this node's state on the links when it has changed; `flags` are those of
 * MEMBER_STATE_FLAGS.
 */
void owed_tell_state(struct engine *e, uint8_t flags);

/* STATE came. */
void owed_take_state(struct engine *e, struct link *l, struct cursor *payload);

/* The member cannot take a write yet that a client waits for. */
void owed_put_off(struct engine *e, struct link *l, uint32_t waiter);

/* The link is open, or carries data again. Sends (again) the writes that clients wait for, except
 * those that this member holds or has no room for. */
void owed_resend(struct engine *e, struct link *l);

/* Sends again on an open link the writes that were put off, if the member can take them. Returns
 * when to look again. */
uint64_t owed_turn(struct engine *e, struct link *l);

/* ---- start.c ---- */

/* The member's flags were heard: it may know that the enclave exists. */
void start_heard(struct engine *e, const struct member *m);

/* Whoever is behind the link has no room for this node. */
void start_refused(struct engine *e, const struct link *by);

/* Checks whether the first pass is over and the enclave may begin, and acts on it. Costs nothing
 * later. */
void start_look(struct engine *e);

/* ---- clock_source.c ---- */

/* The member's flags were heard or its state has changed: its clock may lead, or not any more. */
void clock_source_heard(struct engine *e, struct member *m);

/* The member's vitals came: does its clock lead, and what does it say? */
void clock_source_sample(struct engine *e, struct member *m, const struct vitals *v,
                         uint32_t rtt_us, uint64_t at_us);

/* This node founds the clock. */
void clock_source_found(struct engine *e);

/* Whether this node may found the cluster's clock. */
bool clock_source_may_found(const struct engine *e);

/* A node without a clock does not wait for its turn in the probes. It asks the leader; while nobody
 * is known to have a clock, it asks somebody. */
void clock_source_ask(struct engine *e);

/* ---- apart.c ---- */

/* A member's flags as they came with its clock, without MEMBER_HAS_CLOCK where that clock cannot be
 * right. */
uint8_t apart_flags(uint8_t flags, uint64_t clock_us);

/*
 * The member's clock was `clock_us` when it came at `at_us`, give or take half of `rtt_us`; 0 means
 * that its age is unknown. Sets member_clock and whether its link carries data, and gives a notice
 * when the two clocks are in conflict.
 */
void apart_judge(struct engine *e, struct member *m, uint64_t clock_us, uint32_t rtt_us,
                 uint64_t at_us);

/* The same for a clock that came on the member's link unasked: how long it was under way is
 * unknown. One that is apart is asked for once more. */
void apart_told(struct engine *e, struct member *m, uint64_t clock_us);

/* The member is gone. Its link, if it still has one, goes on as before. */
void apart_forget(struct engine *e, struct member *m);

/* This node's clock minus its monotonic one, or while it has none the one that it guesses. */
int64_t apart_own_us(const struct engine *e);

/* The same of a member whose clock was heard; for one that agrees it is about our own. */
int64_t apart_offset_us(const struct engine *e, const struct member *m);

/* This node's clock, or its guess, has changed from `was_us` (as apart_own_us()). All members are
 * judged anew. */
void apart_moved(struct engine *e, int64_t was_us);

void apart_check(const struct engine *e);

#endif
