/*
 * engine: one node's whole behaviour, without a socket, a clock or a thread.
 *
 * It holds membership (gossip/membership/swim), replication (gossip/replication/quorum),
 * anti-entropy (gossip/repair/sync), peer links (gossip/replication/link) and the store. Events go
 * in, each with its time; actions come out of engine_outbox(), which the caller drains after every
 * call. There are two callers: the libevent driver in net/ and the simulator in tests/sim.
 *
 * Times named now_us are microseconds of a monotonic clock that counts suspend (CLOCK_BOOTTIME);
 * they never go back, which is asserted. The cluster's clock is that plus an offset which the
 * engine keeps. Not reentrant; one thread.
 */
#ifndef GOSSIP_ENGINE_H
#define GOSSIP_ENGINE_H

#include "core/base/addr.h"
#include "core/base/buf.h"
#include "core/base/rc.h"
#include "core/store/blobrefs.h"
#include "core/store/store.h"
#include "gossip/engine_config.h"
#include "gossip/sealing/sealing.h"
#include "gossip/wire/counters.h"
#include "gossip/wire/member.h"
#include "gossip/wire/outbox.h"

struct engine;

/* Never NULL. The node is alone, not ready and without a clock until a discovery pass is over. */
struct engine *engine_new(const struct engine_config *config, uint64_t now_us);
void engine_free(struct engine *e);

/* The actions that the last calls asked for. */
struct outbox *engine_outbox(struct engine *e);

/* When engine_tick() wants to be called at the latest. */
uint64_t engine_deadline(const struct engine *e);

/* Lets time pass: probes, timeouts, expiry in slices, sessions. Call it at the deadline, or
 * earlier. */
void engine_tick(struct engine *e, uint64_t now_us);

/* ---- The cluster's secret ---- */

/* The keys that links may be made with, and datagrams are; borrowed, changed by engine_set_keys()
 * alone. */
const struct keyring *engine_keyring(const struct engine *e);

enum {
    LINK_CLOSE_FLUSH_MS = 2000, /* a link that is closed may give out so long what waits on it */
    LINK_KEYLESS_MS = 5000,     /* one whose key is gone has ended by then, its peer may do what it
                                   likes */
};

/*
 * Other keys from now on; `items` are borrowed, and the caller wipes them. Links made with one that
 * is gone end, and are dialed anew with one that is there. RC_EXISTS, RC_FULL, RC_NO_MEMORY as
 * keyring_init(): nothing has changed.
 */
MUST_USE enum rc engine_set_keys(struct engine *e, const struct keyring_items *items,
                                 uint64_t now_us);

enum { SEALING_NAMES_MAX = 16 };

struct sealing_names {
    uint32_t count; /* of all, of which the first SEALING_NAMES_MAX stand here */
    char names[SEALING_NAMES_MAX][NAME_SIZE];
};

/* One key of the ring, or `open` with the id 0, in the ring's order: what is sent to members goes
 * under the first one that they hold. */
struct sealing_key_status {
    uint16_t id;
    uint32_t members_holding;     /* live members whose cards name it */
    uint32_t members_sending;     /* those whose last datagram came under it */
    struct sealing_names lacking; /* the live members that are not among the first */
    struct sealing_names senders; /* those of members_sending */
    uint64_t sent, received;      /* datagrams */
    uint64_t used_us;             /* when the last of them was; 0: none */
};

struct sealing_status {
    enum keyring_state state;
    uint32_t key_count;
    struct sealing_key_status keys[KEYRING_KEYS_MAX];
    /* Live members that do not hold the first key: without the others they would be cut off. And
     * those that hold none of the ring's keys, and are. */
    struct sealing_names lacking_first, cut_off;
    /* Live members that hold a key which the ring has not: one of the two has missed a step. */
    struct sealing_names with_others;
    uint64_t refused[SEALING_REFUSED_KINDS]; /* datagrams, by enum sealing_refusal */
};

/* Walks all members. */
void engine_sealing(const struct engine *e, struct sealing_status *ret_status);

/* ---- Discovery ---- */

/* A hint that a node may be at `addr`; asked by datagram, then by link. Known and own addresses
 * cost nothing. */
void engine_candidate(struct engine *e, const struct addr *addr, uint64_t now_us);

/*
 * The providers have named all they know for this time. `have_all_answered`: each of them has
 * answered, by now or earlier; one that failed has not said that nobody is there. The first pass
 * ends when all have answered and their candidates have answered or failed. That is 2 s after the
 * engine's start at most, or 1 s after the last provider's answer where that came late. With a
 * provider that does not answer it ends after 10 s, and a notice says so. But once a member of the
 * enclave has answered that is ready, or whose own first pass is over, this node joins, and does
 * not wait for such a provider.
 */
void engine_candidates_done(struct engine *e, bool have_all_answered, uint64_t now_us);

/* True when an alive or suspect member other than this node has this address, or when it is our
 * own. */
bool engine_knows_addr(const struct engine *e, const struct addr *addr);

/* ---- Datagrams ---- */
void engine_datagram(struct engine *e, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us);

/* The network said that nobody listens at `addr` (ICMP port unreachable). */
void engine_refused(struct engine *e, const struct addr *addr, uint64_t now_us);

/* ---- Links: ordered byte streams between two nodes, already past the HTTP upgrade or the
 * handshake that proved a key ---- */
enum link_end {
    LINK_END_EOF,
    LINK_END_RESET,
    LINK_END_REFUSED, /* a dial that nobody listens to */
    LINK_END_TIMEOUT,
    LINK_END_REJECTED, /* a dial that was answered by something that is no peer */
    LINK_END_SELF,     /* a dial that reached this very node */
    LINK_END_NO_HOST,  /* of a dial: EHOSTUNREACH */
    LINK_END_NO_NET,   /* ENETUNREACH */
    LINK_END_DENIED,   /* EACCES or EPERM: a filter of this host */
    LINK_END_NO_FD,    /* EMFILE or ENFILE */
    LINK_END_UNSEALED, /* a dial to somebody who does not have the key */
};

/* A peer's connection was accepted, and proved the key `key_id` (0: none). Returns the link's id,
 * or 0 (close it) when the ring has not that key (any more), there are too many, or no memory. */
uint32_t engine_link_accept(struct engine *e, const struct addr *from, uint16_t key_id,
                            uint64_t now_us);

/* A dial of ACTION_DIAL came through. */
void engine_link_up(struct engine *e, uint32_t link, uint64_t now_us);

/* A dial failed or a link ended; the id is gone. */
void engine_link_down(struct engine *e, uint32_t link, enum link_end why, uint64_t now_us);

/* Bytes of a link, as they came. */
void engine_link_input(struct engine *e, uint32_t link, const uint8_t *data, size_t len,
                       uint64_t now_us);

/* Where the next bytes of a link may be put before engine_link_input() gets them, so that it need
 * not copy them: the places of a large value that is coming. Sets up to BLOB_ROOMS_MAX of ret_rooms
 * and returns how many; 0 when what comes next is something else. What comes behind them, and what
 * one of them has not been filled with, is given from elsewhere. Good until the next call with this
 * link. */
size_t engine_link_rooms(struct engine *e, uint32_t link, struct blob_room *ret_rooms);

/*
 * Takes up to about `len_max` bytes for a link into `out` (whole frames; one frame may exceed it).
 * The caller calls it after ACTION_OUTPUT and again whenever its own buffer for the link has
 * drained, until it returns 0. Large values are noted in `refs`, up to half a MiB and a frame, and
 * count as well; NULL: they are copied.
 */
size_t engine_link_output(struct engine *e, uint32_t link, struct buf *out, struct blobrefs *refs,
                          size_t len_max, uint64_t now_us);

/* ---- Clients ---- */
enum put_condition { PUT_ALWAYS, PUT_IF_MATCH, PUT_IF_NONE_MATCH };

struct put {
    /* The caller's, which come back in ACTION_PUT_DONE: a name, and when its client asked. */
    uint64_t token, began_us;
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value; /* as in struct record */
    struct blob *blob;
    size_t value_len;
    uint64_t ttl_ms;
    enum put_condition condition;
    bool is_any;                    /* If-Match: * or If-None-Match: * */
    const struct version *versions; /* the condition's list; borrowed */
    size_t version_count;
};

/*
 * Stores a write here and sends it to the members of the enclave. On RC_OK exactly one
 * ACTION_PUT_DONE with the token follows, at once when this node is a quorum alone. RC_JOINING (no
 * clock yet, or the enclave has not begun), RC_DRAINING, RC_FULL, RC_PRECONDITION, RC_OVERLOADED
 * (too many writes wait, or fewer than quorum-1 links have room), RC_AHEAD (its time would be over
 * before its stamp's), RC_MALFORMED, RC_TOO_LONG, RC_RANGE, RC_NO_MEMORY: nothing was stored.
 */
MUST_USE enum rc engine_put(struct engine *e, const struct put *put, uint64_t now_us);

/* RC_NOT_FOUND, or RC_JOINING for a miss while the node still catches up. The record as in
 * store_get(). */
MUST_USE enum rc engine_get(const struct engine *e, const uint8_t *key, size_t key_len,
                            uint64_t now_us, struct record *ret_record);

/* As store_next_key(). */
MUST_USE enum rc engine_next_key(const struct engine *e, const uint8_t *prefix, size_t prefix_len,
                                 const uint8_t *after, size_t after_len, uint64_t now_us,
                                 struct record *ret_record);

/* The same of what lived at that time of the cluster's clock, and is here still. */
MUST_USE enum rc engine_next_key_at(const struct engine *e, const uint8_t *prefix,
                                    size_t prefix_len, const uint8_t *after, size_t after_len,
                                    uint64_t clock_ms, struct record *ret_record);

/* As store_observe(): hears of clients' writes, of peers' records and of expiries. The engine must
 * not be called from within. */
void engine_observe(struct engine *e, const struct store_observer *observer);

/* So many bytes of the link's output wait for its socket. They count as the link's memory. */
void engine_link_unsent(struct engine *e, uint32_t link, size_t bytes);

/* Whether links have room for another body. While it is false, stop reading PUT bodies. */
bool engine_has_room(const struct engine *e);

/* The node is to leave: it is not ready any more, so that proxies turn to others. All else goes on
 * until engine_leave(). Idempotent. */
void engine_drain(struct engine *e, uint64_t now_us);

/* The node leaves: it announces it and takes no more writes. Those that wait for their quorum are
 * answered within LEAVE_WAIT_MS. Idempotent; needs no engine_drain() before. */
void engine_leave(struct engine *e, uint64_t now_us);

enum { LEAVE_WAIT_MS = 2000 }; /* an acknowledgement that is on its way is here by then */

/* ---- What it knows ---- */

/* Milliseconds since the Unix epoch on the cluster's clock; this node's guess while it has no
 * clock. */
uint64_t engine_clock_ms(const struct engine *e, uint64_t now_us);

enum ready_reason {
    READY_DISCOVERING = 1, /* the first discovery pass is not over */
    READY_JOINING = 2,     /* catching up with the cluster */
    READY_NO_CLOCK = 4,
    READY_FULL = 8,
    READY_DRAINING = 16,
    READY_EXPECTING = 32, /* too few members yet for a new enclave; READY_JOINING is set too */
    READY_NO_QUORUM = 64, /* too few are linked that can take a write for its quorum, or members
                             that were named to it have not answered yet; once ready a node stays
                             so, see has_quorum */
    READY_REFUSED = 128,  /* members have no room for this node, and none has let it in */
};

/* Those against writes only. All members fill up together, and a full one serves reads, so it is
 * ready all the same. */
enum { READY_WRITES_ONLY = READY_FULL };

/* A set of enum ready_reason; the node is ready when none but READY_WRITES_ONLY is in it. */
uint32_t engine_unready(const struct engine *e);

/* The member at or after slot *slot, itself included; NULL at the end. Start at 0; add 1 to go on.
 */
const struct member *engine_next_member(const struct engine *e, uint32_t *slot);

/* Whether another that is shown has the name of the member with the uuid; false where it is not
 * known. Walks all members. */
bool engine_shares_name(const struct engine *e, const struct uuid *uuid);

/* The member's clock minus this node's where the two are in conflict, else 0. */
int64_t engine_clock_difference_ms(const struct engine *e, const struct member *m);

struct engine_link_view {
    struct uuid member;
    char name[NAME_SIZE];
    struct addr addr;
    bool is_dialed;
    uint16_t key_id; /* that it was made with; 0: plain */
    uint64_t up_since_us;
    uint64_t bytes_in, bytes_out;
    uint64_t records_in, records_out;
    uint64_t unacked;                           /* records sent and not acked */
    uint64_t queued;                            /* records waiting to be sent */
    bool is_clock_conflict;                     /* founded apart: the link carries no data */
    int64_t clock_difference_ms;                /* of the conflict: the member's clock minus ours */
    uint64_t value_max, ttl_min_ms, ttl_max_ms; /* the member's own limits */
    bool is_config_different;                   /* one of them is not ours */
};

/* The link at or after *slot that is up, likewise. False at the end. */
bool engine_next_link(const struct engine *e, uint32_t *slot, struct engine_link_view *ret_view);

struct engine_status {
    struct uuid uuid;
    uint32_t unready;                    /* enum ready_reason */
    uint32_t alive, suspect, dead, left; /* other members that are shown; without this node */
    uint32_t enclave_members;            /* that count in the quorum, this node included */
    uint32_t expected, expected_seen;    /* with READY_EXPECTING: members, and how many are there */
    uint32_t quorum;
    uint32_t undialed; /* members that are alive and were dialed in vain */
    bool has_quorum;   /* linked with enough that can take a write: what is written now is 201 */
    uint64_t member_digest;
    uint64_t root_digest; /* as of the newest comparable cut */
    uint64_t root_cut_s;
    bool has_clock;
    int64_t clock_offset_ms; /* cluster's clock minus this node's wall clock at start, carried on */
    uint32_t clock_error_ms; /* how far it may be from the clock that it follows */
    uint32_t clock_conflicts; /* live members whose clock is more than a minute off */
    uint32_t puts_waiting;
    struct store_stats store;
    struct engine_counters counters;
};

void engine_status(struct engine *e, uint64_t now_us, struct engine_status *ret_status);

/* Walks the invariants of everything it holds and asserts them. Slow; for tests. */
void engine_check(const struct engine *e);

#endif
