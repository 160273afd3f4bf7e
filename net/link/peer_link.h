/*
 * peer_link: one connection between two nodes: dialed and upgraded, or dialed and sealed, or taken
 * over from the HTTP server; from then on an ordered stream of bytes.
 *
 *   DIALING --connected--> ASKING or SHAKING --101, or handshake--> UP --peer_link_finish()-->
 *   CLOSING
 *
 * A dial has two seconds to connect and two more to be upgraded or sealed. When a link ends that
 * was not asked to, `down` is called once, from the loop. It is the link's last call: the link is
 * freed when it returns. The engine knows what the bytes mean, the driver which links there are.
 */
#ifndef NET_LINK_PEER_LINK_H
#define NET_LINK_PEER_LINK_H

#include "gossip/engine.h"
#include "net/crypto/psk.h"
#include "net/crypto/stream.h"

struct bufferevent;
struct event_base;
struct peer_link;
struct tls_context;

/* What a sealed dial is made with. */
struct peer_link_key {
    const struct tls_context *tls; /* borrowed until the link is freed */
    struct psk_config psk;
    uint16_t id; /* of the ring's keys; KEYRING_ID_OPEN: a plain upgrade, `tls` and `psk` unused */
};

struct peer_link_hooks {
    /* A dial came through. */
    void (*up)(void *arg, struct peer_link *l);
    /* Where the next bytes may be put, as engine_link_rooms(). */
    size_t (*rooms)(void *arg, struct peer_link *l, struct blob_room *ret_rooms);
    /* Bytes as they came, borrowed for the call. The link may be finished, but not freed, in it. */
    void (*input)(void *arg, struct peer_link *l, const uint8_t *data, size_t len);
    /* The bytes that wait to be sent fell to half of PEER_LINK_LOW_BYTES, after
     * peer_link_ask_drained(). */
    void (*drained)(void *arg, struct peer_link *l);
    /* The dial failed or the link ended; it is freed when this returns. */
    void (*down)(void *arg, struct peer_link *l, enum link_end why);
    /* A finished link has ended; likewise. */
    void (*finished)(void *arg, struct peer_link *l);
    /* Whether this turn of the loop has time to read more than a link's first few kilobytes. The
     * bytes may mean work, and other links have some too. */
    bool (*has_time)(void *arg);
};

enum {
    /* Below this the driver takes more from the engine: what a receiver reads in a turn, so that
     * the connection never runs dry, and little enough that a replaced write is not sent. */
    PEER_LINK_LOW_BYTES = 64 * 1024,
    PEER_LINK_FINISH_MS = 2500, /* for a peer to read what was said last, and to close its side */
};

/* Starts to connect. `hooks` is borrowed, static. Never NULL: failures come by `down`. */
struct peer_link *peer_link_dial(struct event_base *base, uint32_t id, const struct addr *to,
                                 const struct peer_link_key *key,
                                 const struct peer_link_hooks *hooks, void *arg);

/* Takes over an upgraded connection. Call peer_link_read() once the engine knows the link. */
struct peer_link *peer_link_adopt(struct event_base *base, uint32_t id, struct bufferevent *bev,
                                  const struct peer_link_hooks *hooks, void *arg);

/* Takes over the stream of a handshake that proved a key; it is empty afterwards. Likewise. */
struct peer_link *peer_link_adopt_sealed(struct event_base *base, uint32_t id,
                                         struct stream *stream, const struct peer_link_hooks *hooks,
                                         void *arg);

/* Delivers what has been read already. */
void peer_link_read(struct peer_link *l);

/* Ends it at once, without a callback. */
void peer_link_free(struct peer_link *l);

/* Sends what waits, then closes our side, drops what still comes, and ends when the peer has closed
 * its own, or after five seconds; `finished` follows from the loop. A dial ends at once. Not for a
 * link that was finished before. */
void peer_link_finish(struct peer_link *l);

/* Writes what the kernel takes at once and queues the rest; the link is up. The pieces of blobs in
 * `refs` stand between the bytes of `data`, and are not copied; NULL: there are none. RC_NO_MEMORY:
 * the stream has a hole. */
MUST_USE enum rc peer_link_write(struct peer_link *l, const void *data, size_t len,
                                 const struct blobrefs *refs);

/* Asks for one call of `drained`; something is queued. */
void peer_link_ask_drained(struct peer_link *l);

/* Bytes queued and not yet taken by the kernel. */
size_t peer_link_pending(const struct peer_link *l);

bool peer_link_is_up(const struct peer_link *l);
uint32_t peer_link_id(const struct peer_link *l);

#endif
