/*
 * driver: runs one engine on a libevent loop: gives it the time, its datagrams and its links, and
 * does what its outbox says.
 *
 * Every entry into the engine begins with driver_turn(). It reads the clock, and has the outbox
 * drained once, at the end of this turn of the loop, after everything that is ready now has been
 * handled. So all writes of a turn leave in one flush per link, and the engine is never entered
 * from within itself. Clients' answers and notices go to the maker of the driver.
 */
#ifndef NET_LINK_DRIVER_H
#define NET_LINK_DRIVER_H

#include "gossip/engine.h"

struct bufferevent;
enum {
    /* What one link, and all of them together, are given in a turn, and a piece more. Otherwise who
     * reads as fast as we write keeps the turn for as long as there is anything: all of four values
     * of 10 MiB was one turn. */
    DRIVER_LINK_TURN_BYTES = 256 * 1024,
    DRIVER_TURN_BYTES = 1024 * 1024,
};

struct driver;
struct event_base;
struct stream;
struct tls_context;

struct driver_config {
    struct event_base *base;       /* borrowed */
    struct engine *engine;         /* borrowed */
    int udp_fd;                    /* bound, non-blocking; taken over */
    const struct tls_context *tls; /* of sealed links; borrowed; NULL: none are dialed */
    void *arg;
    void (*put_done)(void *arg, const struct put_done *done, uint64_t now_us);
    void (*notice)(void *arg, const struct notice *notice); /* borrowed for the call */
    void (*room)(void *arg, bool has_room);                 /* engine_has_room() changed */
};

struct driver_stats {
    uint64_t udp_in_bytes, udp_out_bytes; /* IP and UDP headers included */
    uint64_t link_in_bytes, link_out_bytes;
    uint64_t udp_out_dropped, udp_in_oversize;
};

/* Never NULL. The first tick follows from the loop. */
struct driver *driver_new(const struct driver_config *config);

/* Closes the socket and every link, without a word to the engine. */
void driver_free(struct driver *d);

/* The time, for the engine calls that the caller makes now; their actions follow at the turn's
 * end. */
uint64_t driver_turn(struct driver *d);

/* When the first of this turn's calls of driver_turn() read the clock: what is worked on now has
 * waited since about then. */
uint64_t driver_turn_began_us(const struct driver *d);

/* A connection that came as a peer's upgrade; taken over. */
void driver_accept(struct driver *d, struct bufferevent *bev, const struct addr *from);

/* A connection whose handshake proved the key `key_id`; taken over, and empty afterwards. */
void driver_accept_sealed(struct driver *d, struct stream *stream, uint16_t key_id,
                          const struct addr *from);

/* Nothing waits to be sent to a peer. */
bool driver_is_flushed(const struct driver *d);

struct driver_stats driver_stats(const struct driver *d);

/* The longest turn since this was last asked, in microseconds. */
uint64_t driver_take_stall_max_us(struct driver *d);

#endif
