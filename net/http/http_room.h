/*
 * http_room: the memory that bodies which arrive may take together, and who ends where it is
 * wanted.
 *
 * A body counts as the memory that what has come of it takes, never as what it declares. One that
 * finds no room waits unread. The longer the first of them waits, the quicker the others have to
 * be: whoever is slower than that ends, the slowest first, until there is room for all that wait.
 * So nothing is slow by itself, and who would keep others out has to send the more the longer he
 * does.
 */
#ifndef NET_HTTP_HTTP_ROOM_H
#define NET_HTTP_HTTP_ROOM_H

#include "net/http/http_state.h"

enum {
    /* Every so often it is looked who has to end for one that waits. */
    HTTP_ROOM_LOOK_MS = 100,
    /* So many end in one look: they may be as many as there are connections. */
    HTTP_ROOM_ENDS_MAX = 128,
    /* Bytes a second that are asked of the others for each millisecond that a body has waited:
     * 50 KB/s at the first look, 0.5 MB/s after a second, 5 MB/s after ten. */
    HTTP_ROOM_PACE = 512,
    /* So young a body is not judged, less what another has waited: its bytes may be on their way.
     */
    HTTP_ROOM_YOUNG_MS = 1000,
};

struct http_room_slow {
    struct http_conn *conn;
    uint64_t pace;  /* bytes a second since its body began */
    uint64_t wants; /* its part of the look's `wanted` */
};

struct http_room_look {
    uint64_t wanted; /* bytes of room for what has come of the bodies that wait */
    size_t count;
    struct http_room_slow slowest[HTTP_ROOM_ENDS_MAX]; /* in their order */
};

/* How much of its body is here already, read or not. */
uint64_t http_room_body_here(const struct http_conn *c);

/* Whether there is room for this connection's body once it has `len` bytes. */
bool http_room_has(const struct http_conn *c, uint64_t len);

/* Takes the room that http_room_has() has found. */
void http_room_take(struct http_conn *c, uint64_t len);

/* The body has ended, in whatever way: others may have its room. */
void http_room_give_back(struct http_conn *c);

/* What those want that wait, and which bodies are too slow for it. Costs a look at all that are
 * arriving, and a system call for each that waits. */
void http_room_look(struct http_shared *shared, uint64_t now_ms, struct http_room_look *ret_look);

/* Whether what is wanted is free. */
bool http_room_is_enough(const struct http_shared *shared, const struct http_room_look *look);

#endif
