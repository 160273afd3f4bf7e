/*
 * cluster: a simulated cluster of engines, and the words in which a story about it is told.
 *
 * Nodes are numbered from 0 and listen on 10.0.x.y:8081. Every node runs the engine's own object
 * files on the network's virtual time, with a wall clock that the story may set wrong. The
 * invariants of every running node are checked at the end, and along the way if the story wants it.
 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "gossip/engine.h"
#include "tests/sim/network.h"

enum {
    CLUSTER_NODES_MAX = 256,
    CLUSTER_STREAM_WINDOW = 256 * 1024,
    CLUSTER_STUCK_US = 10 * 1000 * 1000, /* TCP_USER_TIMEOUT as the driver sets it */
};

struct stream {
    bool is_open;
    uint32_t node[2]; /* 0 dialed, 1 accepted */
    uint32_t life[2];
    uint32_t link[2];           /* the engines' ids; 0: gone on that side */
    uint64_t free_us[2];        /* when what end i has sent so far will have arrived */
    size_t in_flight[2];        /* bytes sent by end i and not arrived */
    uint64_t sent[2], taken[2]; /* pieces that end i has sent, and of these arrived */
    uint64_t stuck_us[2];       /* since when end i's bytes do not pass; 0: they do */
};

struct sim_node {
    struct engine *engine;
    struct uuid uuid;
    uint32_t life; /* counts starts */
    bool is_up;
    bool is_silent; /* a pulled cable: nobody refuses anything */
    uint64_t paused_until_us;
    int64_t wall_offset_ms;
    uint64_t boot_offset_us; /* the node's monotonic clock minus the network's */
    uint64_t tick_at_us;     /* of the EVENT_TICK under way */
    uint64_t notices[NOTICE_KINDS];
};

struct sim_put {
    bool is_done;
    struct put_done done;
};

struct cluster {
    struct network net;
    uint32_t count;
    struct sim_node nodes[CLUSTER_NODES_MAX];
    uint8_t blocked[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX]; /* set of enum block, by from and to */
    struct stream *streams;
    uint32_t stream_count;
    uint32_t loss_percent;
    uint64_t delay_us, jitter_us; /* one way */
    struct engine_config config;  /* the template */
    struct sim_put *puts;
    uint64_t put_count, put_size;
    uint64_t datagrams, datagram_bytes, stream_bytes;
    bool is_checked_often; /* engine_check() after many events and every run, not only at the end */
    struct buf kept;       /* what arrived on streams at node keep_to while is_keeping */
    uint32_t keep_to;
    bool is_keeping;
};

enum block { BLOCK_UDP = 1, BLOCK_TCP = 2, BLOCK_ALL = 3 };

/* A cluster of `count` nodes that are not started yet. Never NULL. */
struct cluster *cluster_new(uint32_t count, uint64_t seed);
void cluster_free(struct cluster *c);

/* Starts a node (again, with a new identity); it is told of every address of the cluster. */
void cluster_start(struct cluster *c, uint32_t node);
void cluster_start_all(struct cluster *c);

/* kill -9: its streams end, its port refuses. */
void cluster_kill(struct cluster *c, uint32_t node);

/* A pulled cable: nothing comes from it any more, not even a refusal. */
void cluster_crash_silently(struct cluster *c, uint32_t node);

/* SIGSTOP for a while. */
void cluster_pause(struct cluster *c, uint32_t node, uint64_t ms);

void cluster_leave(struct cluster *c, uint32_t node);

/* What goes from one to the other is lost from now on; `what` 0 lets it pass again. */
void cluster_block(struct cluster *c, uint32_t from, uint32_t to, uint8_t what);

/* Nodes below `first` and the others do not reach each other. */
void cluster_partition(struct cluster *c, uint32_t first);
void cluster_heal(struct cluster *c);

void cluster_run_for(struct cluster *c, uint64_t ms);

/* Records what arrives on streams at a node from now on, and brings all of it to the node once
 * more, on its link to `from`. */
void cluster_record(struct cluster *c, uint32_t node);
void cluster_replay(struct cluster *c, uint32_t from);

/* Runs until every running node sees every other running one alive and nobody else; false after
 * `ms`. */
bool cluster_wait_full_view(struct cluster *c, uint64_t ms);

/* Runs until every running node is ready. */
bool cluster_wait_ready(struct cluster *c, uint64_t ms);

/* Runs until no running node lists `node` alive or suspect. */
bool cluster_wait_noticed(struct cluster *c, uint32_t node, uint64_t ms);

/* Runs until the running nodes' stores hold the same. */
bool cluster_wait_converged(struct cluster *c, uint64_t ms);

/* Writes on a node; the put's number, or UINT64_MAX when it was refused. */
uint64_t cluster_put(struct cluster *c, uint32_t node, const char *key, const char *value,
                     uint64_t ttl_ms);
uint64_t cluster_put_bytes(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms);

/* Runs until the put is answered, and returns its status and how many hold it. */
enum put_status cluster_wait_put(struct cluster *c, uint64_t put, uint32_t *ret_have);

/* The value on a node as text, NULL when it has none; static until the next call. */
const char *cluster_get(struct cluster *c, uint32_t node, const char *key);

/* Live keys on a node. */
uint64_t cluster_keys(struct cluster *c, uint32_t node);

/* How a node sees another one; MEMBER_LEFT also when it does not know it. */
enum member_state cluster_view(struct cluster *c, uint32_t node, uint32_t of);

/* Of the whole history so far: equal for equal seeds. */
uint64_t cluster_hash(const struct cluster *c);

#endif
