/*
 * load_state: what the parts of net/load share: load.c, which knows when what is due and counts,
 * and load_conn.c, which knows sockets. Nobody else includes this.
 */
#ifndef NET_LOAD_LOAD_STATE_H
#define NET_LOAD_LOAD_STATE_H

#include "net/crypto/stream.h"
#include "net/load/load_due.h"
#include "net/load/load_plan.h"

struct event;
struct event_base;
struct evbuffer;
struct response_parser;

enum {
    LOAD_INPUT_SIZE = 64 * 1024, /* read at once; shared, because it is parsed at once too */
    LOAD_REOPEN_MS = 100,        /* after a connection on which nothing was answered */
};

/* A request under way. */
struct load_sent {
    uint64_t start_ns; /* its latency counts from here */
    uint64_t sent_ns;  /* its timeout from here */
    enum load_part part;
    enum load_kind kind;
};

enum load_conn_state {
    LOAD_CONN_CLOSED,
    LOAD_CONN_CONNECTING,
    LOAD_CONN_SHAKING, /* the handshake of TLS */
    LOAD_CONN_OPEN,
};

struct load_conn {
    struct load *load;
    size_t target; /* index */
    enum load_conn_state state;
    size_t addr;        /* of the target's addresses, the one that is tried or open */
    size_t tried;       /* how many of them have failed since the last one that accepted */
    uint64_t since_ns;  /* of the state */
    uint64_t reopen_ns; /* while closed: when to try again */
    bool is_useful;     /* something was answered with success since it opened */
    struct stream stream;
    struct event *readable, *writable;
    struct evbuffer *out;
    struct response_parser *parser;
    struct load_sent *ring; /* config->depth of them, the oldest at ring_at */
    uint32_t ring_at, ring_count;
    uint32_t burst_count; /* requests of the last burst */
};

struct load {
    const struct load_config *config;
    struct load_result *result;
    enum rc rc;
    struct event_base *base;
    struct event *turn, *pace, *report, *interrupt, *terminate;
    struct load_mix mix;
    struct load_conn *conns;
    size_t *good_addr;   /* of each target: where the last connection was accepted */
    size_t *next_conn;   /* of each target, among its connections: whose turn it is for a request
                            that falls due */
    struct load_due due; /* with a rate: what falls due in the part */
    enum load_part part;
    uint64_t part_ns;     /* when the part began */
    uint64_t issued;      /* requests of the part */
    uint64_t answered;    /* of the part; failed ones included */
    bool is_ending;       /* its time is over; what was due and is under way is waited for */
    uint64_t unsent_gets; /* of those that were due and never sent */
    uint64_t errors;      /* of those */
    uint64_t alive_ns;    /* a connection was open then */
    struct sample recent; /* latencies since the last report */
    uint64_t recent_ns;   /* when that was */
    uint8_t input[LOAD_INPUT_SIZE];
};

/* ---- load_conn.c ---- */

/* It opens when load_conn_turn() sees that moment. */
void load_conn_init(struct load_conn *c, struct load *l, size_t target, uint64_t open_ns);
void load_conn_fini(struct load_conn *c);

/* Works off what the time brings: opens it again, gives up a connect or an answer. */
void load_conn_turn(struct load_conn *c, uint64_t now_ns);

/* Sends up to `most` of the requests that are due, as far as there is room. Returns how many. */
uint32_t load_conn_pump(struct load_conn *c, uint32_t most);

/* ---- load.c ---- */

/* The next request that is due now at that target, counted as issued. False when none is. */
bool load_take(struct load *l, size_t target, uint64_t now_ns, struct load_ask *ret_ask,
               struct load_sent *ret_sent);

/* Returns whether the status is a success. */
bool load_answered(struct load *l, const struct load_conn *c, const struct load_sent *sent,
                   int status, uint64_t now_ns);

/* `sent` is NULL where it is the connection that failed, and no request. The text of the first
 * fault is kept. */
void load_failed(struct load *l, const struct load_conn *c, const struct load_sent *sent,
                 enum load_fault fault, const char *text);

#endif
