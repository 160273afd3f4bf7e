/*
 * transfer: what `repram export` and `repram import` share: one node, many requests to it at once,
 * which are said again while it is busy or away, and a line that tells how far it is.
 *
 * A request is said again when it was refused with 429 or 503, or not answered, until nothing has
 * gone well for the client's timeout. So both survive a node that starts again.
 */
#ifndef CMD_CLIENT_TRANSFER_H
#define CMD_CLIENT_TRANSFER_H

#include "cmd/client/client.h"
#include "core/base/buf.h"
#include "core/base/uuid.h"
#include "net/out/pipeline.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transfer_ask {
    const char *method;
    char *target;      /* owned until the answer */
    const char *lines; /* more headers */
    const void *body;  /* borrowed until the answer */
    size_t body_len;
    void (*done)(struct transfer_ask *ask, const struct pipeline_answer *answer);
    void *arg;
    bool is_doubtful;          /* an answer was lost: it may have been done before */
    struct transfer_ask *next; /* of those to be said again */
};

/* One request, and its answer, which is kept. */
struct transfer_reply {
    struct transfer_ask ask;
    struct buf body; /* of the request */
    struct buf answer;
    int status; /* 0 when there was no memory for it, or it was too long */
    bool is_done;
};

enum { TRANSFER_BODY_MAX = 4 << 20 }; /* of a request whose reply is kept */

struct transfer {
    struct client *client;
    struct client_server server;
    struct pipeline *pipeline;
    char *lines; /* headers of every request, owned; NULL before the first */
    struct transfer_ask *again, **again_end;
    uint64_t hold_until_ms;   /* nothing is sent before */
    uint64_t failing_from_ms; /* 0 while all is well */
    char problem[256];        /* the last failure */
    /* Of the node: */
    char network[NAME_SIZE];
    char enclave[NAME_SIZE];
    char uuid[UUID_TEXT_SIZE]; /* another one after each start */
    uint64_t keys, ttl_min_s, ttl_max_s;
    uint64_t clock_ms, clock_boot_ms; /* its clock, and ours of uptime before it was read */
    /* Of the line: */
    bool is_watched; /* standard error is a terminal */
    uint64_t began_ms, shown_ms;
};

struct transfer_shape {
    uint32_t connections, depth;
    size_t body_max, pending_max;
};

/* Finds the node and asks it about itself. False when there is none that can be used, which was
 * said then. transfer_end() follows in every case. */
bool transfer_begin(struct transfer *t, struct client *c, const struct transfer_shape *shape);
void transfer_end(struct transfer *t);

/* Sends it, as soon as there is room. RC_REFUSED: the node has failed for too long, and the problem
 * was said. */
MUST_USE enum rc transfer_send(struct transfer *t, struct transfer_ask *ask);

/* Waits for an answer, or says something again. RC_REFUSED likewise. */
MUST_USE enum rc transfer_step(struct transfer *t);

void transfer_reply_init(struct transfer_reply *r);
void transfer_reply_fini(struct transfer_reply *r);

/* Asks; r->body is the request's. Once it is done the reply may be used again. RC_REFUSED likewise.
 */
MUST_USE enum rc transfer_reply_send(struct transfer *t, struct transfer_reply *r,
                                     const char *method, const char *target, const char *lines);

/* Waits for this one. RC_REFUSED likewise. */
MUST_USE enum rc transfer_reply_wait(struct transfer *t, const struct transfer_reply *r);

/* The answer, the caller's to delete; NULL when it is no JSON. */
cJSON *transfer_reply_json(const struct transfer_reply *r);

/* Says that the node refused it, and what it was about; RC_REFUSED. */
MUST_USE enum rc transfer_reply_refused(const struct transfer *t, const struct transfer_reply *r,
                                        const char *what);

/* Says that an answer makes no sense; RC_MALFORMED. */
MUST_USE enum rc transfer_no_sense(const struct transfer *t, const char *what);

/* Asks who answers there now. True when it is still the run of the node that was found: then all
 * that it has said until here came from it. RC_REFUSED likewise, or when that was asked in vain. */
MUST_USE enum rc transfer_is_same(struct transfer *t, bool *ret_is_same);

/* Whether nothing is under way or to be said again. */
bool transfer_is_idle(const struct transfer *t);

/* The node's clock, or some moments later. */
uint64_t transfer_now_ms(const struct transfer *t);

/* Where a terminal watches: "done: count" of about `total`, 0 for unknown; now and then. */
void transfer_show(struct transfer *t, const char *done, uint64_t count, uint64_t total);

#endif
