/*
 * cluster: a simulated cluster of engines, and the vocabulary of stories about it.
 *
 * Nodes are numbered from 0 and listen on 10.0.x.y:8081; a node's number and life stand in the last
 * bytes of its uuid, so that a log line with a uuid can be read. Every node runs the engine's own
 * object files on the network's virtual time, with a wall clock that the story may set wrong. The
 * invariants of every running node are checked at the end, and along the way if the story wants it.
 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "gossip/engine.h"
#include "tests/sim/barrier.h"
#include "tests/sim/burst.h"
#include "tests/sim/effects.h"
#include "tests/sim/network.h"
#include "tests/sim/rings.h"
#include "tests/sim/streams.h"

enum {
    CLUSTER_NODES_MAX = 16000,           /* the engine's MEMBERS_MAX, less the dead */
    CLUSTER_STUCK_US = 10 * 1000 * 1000, /* TCP_USER_TIMEOUT as the driver sets it */
};

/* What a node's discovery says. */
enum providers {
    PROVIDERS_ANSWER,
    PROVIDERS_FAIL, /* nobody; its providers failed */
    PROVIDERS_HALF, /* some nodes; one of its providers failed */
};

/* 2026-01-01T00:00:00Z: what wall clocks that are right say when virtual time is 0. */
#define CLUSTER_WALL_MS UINT64_C(1767225600000)

struct sim_node {
    struct engine *engine;
    struct uuid uuid;
    uint32_t life; /* counts starts */
    bool is_up;
    bool is_silent;  /* a pulled cable: nobody refuses anything */
    bool was_silent; /* how this life ended, or else the one before */
    uint64_t started_us, stopped_us;
    uint64_t paused_until_us;
    int64_t wall_offset_ms;
    uint8_t secret[SIPHASH_KEY_BYTES];
    uint64_t boot_offset_us; /* the node's monotonic clock minus the network's */
    int32_t drift_ppm;       /* how much faster than the network's; set before the start */
    enum providers providers;
    uint64_t answers_at_us; /* from then on they answer whatever `providers` says; 0: never */
    uint64_t tick_at_us;    /* of the EVENT_TICK under way */
    uint64_t due_us;        /* when the engine has something to do; may be later than that */
    uint64_t sent_bytes;    /* in all lives, headers estimated */
    uint64_t notices[NOTICE_KINDS];
    uint32_t step;    /* of the circle of rings: what its keys are set to */
    uint64_t ring_us; /* when this life of it last took other keys */
};

struct sim_put {
    bool is_accepted; /* by its node, which owes an answer */
    bool is_done;
    struct put_done done; /* version and expiry are known as soon as the node shows the write */
};

/* The observer of what happens; any of the functions may be NULL. They may ask the engines what
 * they know, and change nothing. */
struct observer {
    void *arg;
    void (*stopping)(void *arg, uint32_t node);
    void (*notice)(void *arg, uint32_t node, const struct notice *notice);
    void (*put_done)(void *arg, uint32_t node, const struct put_done *done);
    void (*sent)(void *arg, uint32_t from, uint32_t to, const uint8_t *data, size_t len);
    void (*happened)(void *arg, const struct event *e); /* to the living node e->to */
};

struct traffic {
    uint64_t datagrams, datagram_bytes; /* 28 bytes of headers each included */
    uint64_t stream_bytes;              /* payload */
    uint64_t stream_headers;            /* estimate: segments, acknowledgements, dials, upgrades */
};

enum { DATAGRAMS_KEPT = 64 };

/* Which addresses a node's discovery names. */
enum contact_order {
    CONTACTS_ALL,
    CONTACTS_RANDOM, /* `contacts` of the others, drawn anew each time */
    CONTACTS_CHAIN,  /* the node before it; the first one names nobody */
    CONTACTS_RING,   /* the node after it, the last one the first */
    CONTACTS_ONE,    /* everybody the first one */
};

/* An old datagram, to be brought again. */
struct kept_datagram {
    uint32_t from, to;
    size_t len;
    uint8_t data[DATAGRAM_BYTES_MAX];
};

struct cluster {
    struct network net;
    uint32_t count;
    struct sim_node *nodes;
    struct barrier barrier;
    struct streams streams;
    uint32_t loss_ppm;                               /* of datagrams */
    uint32_t stream_loss_ppm;                        /* of segments */
    uint32_t duplicate_ppm, replay_ppm, garbage_ppm; /* of datagrams */
    uint32_t late_ppm;                               /* of datagrams: held back */
    uint32_t spoil_ppm;                              /* of pieces of streams */
    struct burst burst;
    uint64_t delay_us, jitter_us; /* one way */
    enum contact_order order;
    uint32_t contacts;           /* with CONTACTS_RANDOM */
    uint32_t enclave_size;       /* nodes in a row that form an enclave; 0: as the template says */
    bool is_addr_told;           /* a node learns from others what address it has for them */
    struct engine_config config; /* the template; without a name it is by number */
    struct sim_put *puts;
    uint64_t put_count, put_size;
    struct traffic traffic;
    struct effects effects;
    struct engine_counters retired; /* of the lives that are over */
    const struct observer *observer;
    bool is_checked_often; /* engine_check() after many events and every run, not only at the end */
    struct buf kept;       /* what arrived on streams at node keep_to while is_keeping */
    uint32_t keep_to;
    bool is_keeping;
    struct kept_datagram *old; /* DATAGRAMS_KEPT of them while replay_ppm is set */
    uint64_t old_count;
    enum rings_plan plan;            /* set before the nodes start */
    uint32_t front;                  /* RINGS_ROTATE: the step that is meant for all */
    bool is_overheard;               /* tests/sim/eavesdropper */
    struct kept_datagram *overheard; /* DATAGRAMS_KEPT of them, or NULL */
    uint64_t overheard_count;
};

/* A cluster of `count` nodes that are not started yet. Never NULL. */
struct cluster *cluster_new(uint32_t count, uint64_t seed);
void cluster_free(struct cluster *c);

/* Every how many nodes one is walked where otherwise all would be: all up to 1,000, fewer above, as
 * each holds a table of all. */
uint32_t cluster_walk_step(const struct cluster *c);

/* Starts a node (again, with a new identity); it learns every address of the cluster. */
void cluster_start(struct cluster *c, uint32_t node);
void cluster_start_all(struct cluster *c);

/* kill -9: its streams end, its port refuses. */
void cluster_kill(struct cluster *c, uint32_t node);

/* A pulled cable: nothing comes from it any longer, not even a refusal. */
void cluster_crash_silently(struct cluster *c, uint32_t node);

/* SIGSTOP for a while. Datagrams, bytes and dials wait for it. */
void cluster_pause(struct cluster *c, uint32_t node, uint64_t ms);

void cluster_leave(struct cluster *c, uint32_t node);

/* Sets the node's keys to those of a step of the circle, and tells it. One that is down or stopped
 * has them when it goes on. */
void cluster_set_step(struct cluster *c, uint32_t node, uint32_t step);

/* From now on traffic of the kinds in `what` from one node to the other is lost; 0 lets all pass
 * again. */
void cluster_block(struct cluster *c, uint32_t from, uint32_t to, uint8_t what);

/* Nodes below `first` and the others do not reach each other. */
void cluster_partition(struct cluster *c, uint32_t first);
void cluster_heal(struct cluster *c);

void cluster_run_for(struct cluster *c, uint64_t ms);
void cluster_run_until(struct cluster *c, uint64_t until_us);

/* Records what arrives on streams at a node from now on, and brings all of it to the node once
 * more, on its link to `from`. */
void cluster_record(struct cluster *c, uint32_t node);
void cluster_replay(struct cluster *c, uint32_t from);

/* Whether every running node sees every other running one alive and nobody else. */
bool cluster_has_full_view(struct cluster *c);

/* Runs until it does; false after `ms`. */
bool cluster_wait_full_view(struct cluster *c, uint64_t ms);

/* Runs until every running node is ready. */
bool cluster_wait_ready(struct cluster *c, uint64_t ms);

/* Runs until no running node lists `node` alive or suspect. */
bool cluster_wait_noticed(struct cluster *c, uint32_t node, uint64_t ms);

/* Whether the running nodes of each enclave hold the same, as far as their digests tell. */
bool cluster_is_converged(struct cluster *c);

/* The same where writes go on: whether their digests as of one cut are equal. */
bool cluster_has_equal_digests(struct cluster *c);

/* Runs until they do; false after `ms`. */
bool cluster_wait_converged(struct cluster *c, uint64_t ms);

/* Writes on a node; the put's number, or UINT64_MAX when it was refused. */
uint64_t cluster_put(struct cluster *c, uint32_t node, const char *key, const char *value,
                     uint64_t ttl_ms);
uint64_t cluster_put_bytes(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms);

/* Two tries of one write under conditions, of which nothing else is read: it should be refused
 * under the first one, and not under the second. */
struct sim_tries {
    struct put fails; /* PUT_ALWAYS: not tried */
    struct put holds;
    enum rc ret_fails, ret_holds; /* what the node said; the second is tried after a refusal only */
};

uint64_t cluster_put_tries(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms, struct sim_tries *tries);

/* Runs until the put is answered, and returns its status and how many hold it. */
enum put_status cluster_wait_put(struct cluster *c, uint64_t put, uint32_t *ret_have);

/* The value on a node as text, NULL when it has none; static until the next call. */
const char *cluster_get(struct cluster *c, uint32_t node, const char *key);

/* Live keys on a node. */
uint64_t cluster_keys(struct cluster *c, uint32_t node);

/* How a node sees another one; MEMBER_LEFT also for one that it does not know. */
enum member_state cluster_view(struct cluster *c, uint32_t node, uint32_t of);

/* The enclave that a node is in: the nodes from *ret_first up to but without *ret_end. */
void cluster_enclave(const struct cluster *c, uint32_t node, uint32_t *ret_first,
                     uint32_t *ret_end);

/* The node that has or had this uuid, and in which life; false when no node of the cluster had
 * it. */
bool cluster_find(const struct cluster *c, const struct uuid *uuid, uint32_t *ret_node,
                  uint32_t *ret_life);

/* The counters of all lives of all nodes so far, added up. */
void cluster_counters(struct cluster *c, struct engine_counters *ret_counters);

/* Of the whole history so far: equal for equal seeds. */
uint64_t cluster_hash(const struct cluster *c);

#endif
