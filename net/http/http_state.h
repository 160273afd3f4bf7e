/*
 * http_state: what the parts of a connection share, and nobody outside of the HTTP server includes:
 * a connection, and what all of one server have in common.
 *
 *   http_server   accepts, keeps the deadlines and the turns
 *   http_conn     the events of one connection; its header has the phases
 *   http_intake   its way in, up to the handler
 *   http_room     the memory of bodies that arrive
 *   http_output   its way out, and its end
 *   http_phase    where it stands, and until when
 *   http_tls      its handshake, if it has one
 */
#ifndef NET_HTTP_HTTP_STATE_H
#define NET_HTTP_HTTP_STATE_H

#include "net/crypto/stream.h"
#include "net/http/http_answer.h"
#include "net/http/http_input.h"
#include "net/http/http_parse.h"
#include "net/http/http_server_config.h"
#include "net/http/rate_limit.h"
#include "net/sys/ip_limit.h"

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
    /* Answers that come later, and those behind them that wait for these: of one connection, and of
     * all that have more than one. A turn that takes so many requests lasts about 2 ms. */
    HTTP_LATE_MAX = 32,
    HTTP_LATE_ALL_MAX = 1024,
    /* Read at once of a body: of one connection in one turn, so that bulk starves nobody. What goes
     * straight to its place is copied once, by the kernel, and may be more: 0.05 ms. */
    HTTP_ROOM_BYTES = 64 * 1024,
    HTTP_DIRECT_BYTES = 256 * 1024,
    /* The slowest that a client may be, in either direction: bytes a second, over a window of the
     * request timeout. */
    HTTP_RATE_MIN = 1024,
    HTTP_PAUSE_MS = 20,
    /* What the kernel may hold of a stream that goes on for ever. A slow client should be noticed
     * soon, and cost little. The kernel takes twice that for its own bookkeeping. */
    HTTP_WAKING_SNDBUF = 48 * 1024,
    /* A stream whose client is gone without a word should not stay for TCP's quarter of an hour. */
    HTTP_WAKING_UNACKED_MS = 30000,
    HTTP_LINGER_MS = 2000,
    /* A handshake is a few small messages. Who takes longer holds a place that others want; shorter
     * where the request timeout is. */
    HTTP_HANDSHAKE_MS = 10000,
    HTTP_HANDSHAKES_MAX = 128,
    HTTP_HANDSHAKES_PER_IP_MAX = 16,
    HTTP_LINGER_BYTES = 16 * 1024 * 1024, /* one value of the default maximum, and some */
    /* Parsers kept for the next requests; more exist only while as many heads or bodies arrive. */
    HTTP_SPARE_PARSERS = 16,
};

enum http_phase {
    HTTP_PHASE_HANDSHAKE,
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

/* In which of the limits on unfinished handshakes a connection counts: as one of this host and of
 * trusted proxies, of others, or of a peer whose ClientHello has proved a key. */
enum http_counted { HTTP_COUNTED_NOT, HTTP_COUNTED_NEAR, HTTP_COUNTED_FAR, HTTP_COUNTED_KEYED };

TAILQ_HEAD(http_conn_list, http_conn);

/* An answer that cannot leave yet, in the order of the requests: it comes later, or it stands
 * behind one that does. */
struct http_late {
    TAILQ_ENTRY(http_late) next;
    SLIST_ENTRY(http_late) spare; /* of the server, while it is nobody's */
    uint64_t id;                  /* of the exchange that is awaited; 0: it is here */
    struct evbuffer *answer; /* what is here of it and of those right behind it; NULL: nothing */
    const char *cors;
    bool is_head, is_http10, is_keep_alive, is_brief;
};

TAILQ_HEAD(http_late_list, http_late);

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
    SLIST_HEAD(, http_late) late_spare; /* at most HTTP_LATE_ALL_MAX */
    uint32_t late_spare_count;
    uint32_t late_count; /* of all connections */
    struct http_date date;
    struct rate_limit *rate_limit; /* NULL: off */
    struct ip_limit *handshakes;   /* that are unfinished, HTTP_COUNTED_FAR; NULL without TLS */
    uint32_t handshakes_near;      /* ..., HTTP_COUNTED_NEAR */
    uint32_t handshakes_keyed;     /* ..., HTTP_COUNTED_KEYED */
    uint32_t serial;               /* of the last exchange */
    uint64_t turn_bytes;           /* as http_conn_turn_bytes() says now */
    uint64_t bodies_bytes;         /* room given to the bodies that are arriving */
    const struct http_conn *first_body; /* of those with room the one that gets all it needs */
    struct {
        uint64_t id;    /* of the exchange whose body has been held longest */
        uint64_t bytes; /* of room that others have taken before it */
    } passed;
    bool is_held, is_draining;
    /* A connection entered a phase that ends at this time. */
    void (*deadline)(struct http_shared *shared, uint64_t at_ms);
    /* The connection can go on with what it holds: call http_conn_go_on() from the loop. This is
     * called again and again while that is so. */
    void (*woken)(struct http_shared *shared, struct http_conn *c);
    /* Whether this turn of the loop has time for another handshake, or a part of one. */
    bool (*may_shake)(struct http_shared *shared);
    /* Room for bodies became free: those that are held may go on, in a turn of their own. */
    void (*roomy)(struct http_shared *shared);
    /* Ends a connection at once, other than the one whose event this is. */
    void (*evict)(struct http_shared *shared, struct http_conn *c);
    /* A connection is about to be freed (its slot, its address). */
    void (*closed)(struct http_shared *shared, struct http_conn *c);
};

struct http_conn {
    TAILQ_ENTRY(http_conn) entry;
    TAILQ_ENTRY(http_conn) woken; /* of the server, while is_woken */
    struct http_shared *shared;
    struct stream stream;
    struct event reader, writer;
    struct evbuffer *output;
    struct http_input input;    /* its buffer is the connection's */
    struct http_parse *parse;   /* NULL unless a request is arriving or being handled */
    struct http_source source;  /* while answers are late: of what stands behind all of them */
    struct http_late_list late; /* in the order of the requests */
    uint32_t late_count;
    size_t late_bytes; /* of the answers in it */
    uint64_t id;       /* of the current exchange: serial << 32 | slot */
    const char *cors;  /* lines for its answer; NULL: none */
    uint64_t deadline_ms;
    uint64_t body_bytes; /* its part of shared->bodies_bytes */
    uint64_t body_timed; /* the exchange whose body began at */
    uint64_t body_began_ms;
    uint64_t made;        /* in its turn: HTTP_TURN_BYTES */
    uint64_t moved, mark; /* bytes taken in or queued out so far; the same when the window began */
    uint32_t slot;
    struct addr peer;
    uint8_t phase, listed; /* enum http_phase: now, and the list it is in */
    uint8_t handshake;     /* enum http_counted */
    bool is_silent;        /* nothing has come yet: it may turn out to be TLS */
    bool is_hello;         /* it will: so much is known, and not begun yet */
    bool has_cert;         /* the client has shown one that is good */
    bool is_refreshed;     /* the phase began anew, even if it is the same */
    bool is_over;    /* beyond a limit: one request, and only probes and peers get an answer */
    bool is_counted; /* in ip_limit */
    bool is_on;      /* the reader is */
    bool is_woken;
    bool is_due;             /* the output holds answers that nobody has tried to send yet */
    bool is_writing;         /* the loop writes what the socket did not take */
    bool is_dry;             /* the source had nothing to say when it was last asked */
    bool is_eof;             /* the client sends no more */
    bool is_close;           /* after this answer */
    bool is_lingering;       /* and the client may still be sending then */
    bool is_head, is_http10; /* of the request being answered */
    bool is_keep_alive;
    bool is_continued; /* 100 Continue was sent */
};

#endif
