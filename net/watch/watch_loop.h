/*
 * watch_loop: the watchers of one node on its libevent loop: their turns, and their connections.
 *
 * A turn that is wanted at once comes after everything that is ready in this turn of the loop. So
 * the events of many writes of one turn go out together.
 */
#ifndef NET_WATCH_WATCH_LOOP_H
#define NET_WATCH_WATCH_LOOP_H

#include "core/base/uuid.h"
#include "net/watch/watch.h"

struct event_base;
struct http_server;
struct watch_loop;

/* The base and the server are borrowed. There may be watchers from now on, who are told nothing
 * before watch_serve(). Never NULL. */
struct watch_loop *watch_loop_new(struct event_base *base, struct http_server *http,
                                  const struct uuid *uuid, uint32_t watchers_max);

/* The server was freed before, and with it every stream. */
void watch_loop_free(struct watch_loop *l);

struct watch *watch_loop_watch(struct watch_loop *l);

#endif
