/*
 * link_map: the driver's connections by the engine's link ids. It knows too which of them have
 * something to take from the engine in this turn.
 *
 * Bounded by the engine, which gives the ids out. A link that is being finished stays in the map
 * until it is gone, so none is forgotten at the end.
 */
#ifndef NET_LINK_LINK_MAP_H
#define NET_LINK_LINK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_map;
struct peer_link;

/* Never NULL. */
struct link_map *link_map_new(void);

/* The links themselves are not freed. */
void link_map_free(struct link_map *m);

/* `id` is not in the map, which is asserted. */
void link_map_add(struct link_map *m, uint32_t id, struct peer_link *link);

/* NULL when there is no such link. */
struct peer_link *link_map_find(const struct link_map *m, uint32_t id);

/* Removes the link if it is there, with its flag. */
void link_map_remove(struct link_map *m, uint32_t id);

/* Any link, NULL when there is none: for taking all of them down. */
struct peer_link *link_map_any(const struct link_map *m);

/* Flags a link, once until it is taken. */
void link_map_flag(struct link_map *m, uint32_t id);

/* Takes the link that was flagged first; NULL when none is. */
struct peer_link *link_map_take_flagged(struct link_map *m);

/* Calls `see` for every link; the map must not change meanwhile. */
void link_map_each(const struct link_map *m, void (*see)(void *arg, struct peer_link *link),
                   void *arg);

#endif
