/*
 * http_conn: one connection of the HTTP server, from its first byte to its last.
 *
 * One request at a time: while one is answered nothing behind it is parsed, so answers are in
 * order, and what a client pipelines waits in an input buffer of bounded size. A connection is in
 * exactly one phase, and each phase has its deadline:
 *
 *   IDLE      between requests                         idle timeout, closes silently
 *   HEAD      request line and headers arriving        request timeout from the first byte, 408
 *   BODY      body arriving                            too slow over a request timeout, 408
 *   HELD      body not read: http_server_hold_bodies, or
 *             no room for it beside the others            request timeout, 503
 *   DEFERRED  the handler answers later
 *   ANSWER    bytes of the answer leave                too slow over a request timeout, reset
 *   PAUSED    a stream has nothing to say for now      asked again after HTTP_PAUSE_MS
 *   WAITING   a stream has nothing to say until it is woken; no deadline
 *   LINGER    said goodbye, lets the client read it    HTTP_LINGER_MS or HTTP_LINGER_BYTES, closes
 *   CLOSED    freed at the end of the current event
 *
 * End of input after a whole request is a half-close: the answer is sent, then the connection ends.
 * A reset ends it at once, and is told to the owner of a deferred answer.
 *
 * What a client has sent is worked off to the end, in turns: a connection that could go on, and
 * that neither its socket nor a deadline nor a deferred answer will call, is told to
 * shared->woken(). That is judged in one place, at the end of every event, from what the connection
 * holds then.
 *
 * Writing is tried at once and only what the socket does not take waits for the loop: that spares
 * two epoll_ctl() calls on each small answer. Reading is net/http_input: a small request is one
 * recv() and one writev().
 */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

#include "net/http_answer.h"
#include "net/http_input.h"
#include "net/http_parse.h"
#include "net/http_server.h"
#include "net/ip_limit.h"
#include "net/rate_limit.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

enum {
    /* Unused input of a connection; from there on its socket is not read. Read at once, too, so
     * that twice this is the most that is kept of requests, and a room more of a body. */
    HTTP_INPUT_MAX = 16 * 1024,
    /* One connection's turn: bytes of answers that its requests made, those of a HEAD included, and
     * so much more for each of them. What it has sent beyond waits for its next turn, and others'
     * come between: about 0.3 ms of small answers, which then leave in one write. */
    HTTP_TURN_BYTES = 128 * 1024,
    /* So many may have a whole turn after each other, before the loop looks at anything else; more
     * share that time, down to a few small answers or one large each. */
    HTTP_TURNS_WHOLE = 16,
    HTTP_TURN_BYTES_MIN = 8 * 1024,
    HTTP_ANSWER_COST = 1024,
    /* Read at once of a body: of one connection in one turn, so that bulk starves nobody. */
    HTTP_ROOM_BYTES = 64 * 1024,
    /* Slower than this, a client costs more than it is worth: bytes a second, over a window of the
     * request timeout, in either direction. */
    HTTP_RATE_MIN = 1024,
    HTTP_PAUSE_MS = 20,
    /* What the kernel may hold of a stream that goes on for ever: its client is to notice soon that
     * it is slow, and to cost little. The kernel takes twice that for its own bookkeeping. */
    HTTP_WAKING_SNDBUF = 48 * 1024,
    /* And one whose client is gone without a word is not to stay for TCP's quarter of an hour. */
    HTTP_WAKING_UNACKED_MS = 30000,
    HTTP_LINGER_MS = 2000,
    HTTP_LINGER_BYTES = 16 * 1024 * 1024, /* one value of the default maximum, and some */
    /* Parsers kept for the next requests; more exist only while as many heads or bodies arrive. */
    HTTP_SPARE_PARSERS = 16,
};

enum http_phase {
    HTTP_PHASE_IDLE,
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY,
    HTTP_PHASE_HELD,
    HTTP_PHASE_DEFERRED,
    HTTP_PHASE_ANSWER,
    HTTP_PHASE_PAUSED,
    HTTP_PHASE_WAITING,
    HTTP_PHASE_LINGER,
    HTTP_PHASE_CLOSED,
    HTTP_PHASES,
};

TAILQ_HEAD(http_conn_list, http_conn);

/* What the connections of one server share. */
struct http_shared {
    struct http_server_config config;
    struct http_server_stats stats;
    /* By phase; all deadlines of one phase are the same time away, so each list is in the order of
     * its deadlines. */
    struct http_conn_list phases[HTTP_PHASES];
    struct http_response scratch;  /* the answer being made; its memory is used again */
    struct buf piece;              /* what a stream's producer appends to */
    uint8_t room[HTTP_ROOM_BYTES]; /* what a socket is read into */
    struct http_parse *spare[HTTP_SPARE_PARSERS];
    size_t spare_count;
    struct http_date date;
    struct rate_limit *rate_limit; /* NULL: off */
    uint32_t serial;               /* of the last exchange */
    uint64_t turn_bytes;           /* as http_conn_turn_bytes() says now */
    uint64_t bodies_bytes;         /* room given to the bodies that are arriving */
    bool is_held, is_draining;
    /* A connection entered a phase that ends at this time. */
    void (*deadline)(struct http_shared *shared, uint64_t at_ms);
    /* The connection can go on with what it holds: http_conn_go_on() is to be called, from the
     * loop. Told again and again while that is so. */
    void (*woken)(struct http_shared *shared, struct http_conn *c);
    /* Room for bodies became free: those that are held may go on, in a turn of their own. */
    void (*roomy)(struct http_shared *shared);
    /* A connection is about to be freed (its slot, its address). */
    void (*closed)(struct http_shared *shared, struct http_conn *c);
};

struct http_conn {
    TAILQ_ENTRY(http_conn) entry;
    TAILQ_ENTRY(http_conn) woken; /* of the server, while is_woken */
    struct http_shared *shared;
    struct bufferevent *bev; /* writes, and holds both buffers; reading is the reader's */
    struct event reader;
    struct http_input input;
    struct http_parse *parse; /* NULL unless a request is arriving or being handled */
    struct http_source source;
    uint64_t id; /* of the current exchange: serial << 32 | slot */
    uint64_t deadline_ms;
    uint64_t body_bytes;  /* its part of shared->bodies_bytes */
    uint64_t made;        /* in its turn: HTTP_TURN_BYTES */
    uint64_t moved, mark; /* bytes taken in or queued out so far; the same when the window began */
    uint32_t slot;
    struct addr peer;
    uint8_t phase, listed; /* enum http_phase: now, and the list it is in */
    bool is_refreshed;     /* the phase began anew, even if it is the same */
    bool is_over;    /* beyond a limit: one request, and only probes and peers get an answer */
    bool is_counted; /* in ip_limit */
    bool is_on;      /* the reader is */
    bool is_woken;
    bool is_writing;         /* the loop writes what the socket did not take */
    bool is_dry;             /* the source had nothing to say when it was last asked */
    bool is_eof;             /* the client sends no more */
    bool is_close;           /* after this answer */
    bool is_lingering;       /* and the client may still be sending then */
    bool is_head, is_http10; /* of the request being answered */
    bool is_keep_alive;
    bool is_continued; /* 100 Continue was sent */
};

/* How long a turn is while so many connections have more to do than one. */
uint64_t http_conn_turn_bytes(uint32_t woken_count);

/* Takes the descriptor. NULL, with it closed, when out of memory. */
struct http_conn *http_conn_new(struct http_shared *shared, int fd, const struct addr *peer,
                                uint32_t slot, bool is_over);

/* Counts the time of its first request from now on, for that deadline is shorter than an idle
 * one's. The connection may be gone after it. */
void http_conn_hurry(struct http_conn *c);

/* Frees it at once, in any phase; nobody is told but `shared->closed`. */
void http_conn_free(struct http_conn *c);

/* Answers the deferred exchange; `rs` is left empty. */
void http_conn_complete(struct http_conn *c, struct http_response *rs);

/* Its deadline has passed. */
void http_conn_expire(struct http_conn *c);

/* Bodies are held: if one is arriving it is read no further. */
void http_conn_hold(struct http_conn *c);

/* Goes on with what it holds, for one turn, after shared->woken(). */
void http_conn_go_on(struct http_conn *c);

/* A body that is held goes on, if it may; false when it may not yet. */
bool http_conn_resume(struct http_conn *c);

/* Its stream has more to say, if it is WAITING. */
void http_conn_wake(struct http_conn *c);

/* Ends it if nothing is in progress. */
void http_conn_drain(struct http_conn *c);

/* For http_intake. Queues an answer, or takes note that it comes later or never (Upgrade: `c->bev`
 * is NULL then). */
void http_conn_answer(struct http_conn *c, struct http_response *rs);

/* Answers with a problem of the server's own and reads no more: what would follow cannot be
 * trusted, or is not wanted. */
void http_conn_refuse(struct http_conn *c, int status, const char *code, const char *detail);

/* Ends it at once; freed when the current event is done with. */
void http_conn_close(struct http_conn *c);

#endif
