/*
 * streams: the TCP connections of a simulated cluster, found by number, or by node and link.
 *
 * A stream has two ends, 0 that dialed and 1 that accepted. It is freed, and its number used again,
 * when both ends are gone and no event names it any more. streams_release() says when an event is
 * over. What each end has sent waits in order, with the time at which it will have arrived. How
 * bytes move on it is for pipe.
 */
#ifndef SIM_STREAMS_H
#define SIM_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_WINDOW = 256 * 1024 };

/* Bytes that an end has handed to its stream at once. */
struct piece {
    struct piece *next; /* sent after it */
    uint64_t due_us;    /* when it arrives; none is due before those that were sent before it */
    size_t len;
    uint8_t bytes[];
};

struct stream {
    bool is_used;
    uint32_t node[2]; /* 0 dialed, 1 accepted */
    uint32_t life[2];
    uint16_t key_id;        /* under which it was dialed; 0: open */
    uint32_t link[2];       /* the engines' ids; 0: gone on that side */
    uint32_t next_1[2];     /* in the chain that the end is in */
    uint64_t free_us[2];    /* when what end i has sent so far will have arrived */
    struct piece *first[2]; /* sent by end i and not arrived, in order */
    struct piece *last[2];
    size_t in_flight[2];  /* their bytes */
    uint64_t stuck_us[2]; /* since when end i's bytes do not pass; 0: they do */
    uint32_t events;      /* under way that name this stream */
};

struct streams {
    struct stream *all; /* moves when it grows */
    uint32_t count, size;
    uint32_t *free;
    uint32_t free_count;
    uint32_t *chains; /* of ends by (node, link): 2 * stream + end + 1; twice `size` of them */
};

void streams_init(struct streams *s);
void streams_fini(struct streams *s);

/* A stream of which node `from` has the dialing end. */
uint32_t streams_add(struct streams *s, uint32_t from, uint32_t from_life, uint32_t link,
                     uint32_t to, uint32_t to_life);

/* Ties an end to its node's link, or with 0 takes it from it. */
void streams_set_link(struct streams *s, uint32_t stream, uint32_t end, uint32_t link);

/* The stream behind a link of a node; NULL when there is none. */
struct stream *streams_find(const struct streams *s, uint32_t node, uint32_t link,
                            uint32_t *ret_end);

/* A copy of the bytes is under way from an end, to arrive at `due_us`. */
void streams_push(struct streams *s, uint32_t stream, uint32_t end, uint64_t due_us,
                  const uint8_t *bytes, size_t len);

/* The first piece under way from an end has arrived and is freed. There is one. */
void streams_pop(struct streams *s, uint32_t stream, uint32_t end);

/* An event that names the stream is over, or an end is gone: frees it when it was the last. */
void streams_release(struct streams *s, uint32_t stream);

#endif
