/*
 * ip_limit: how many connections each address holds, and whether it may have one more.
 *
 * It is an open-addressing table with room for twice as many addresses as there can be connections.
 * An address is in it only while it holds a connection, so the table never fills.
 */
#ifndef NET_SYS_IP_LIMIT_H
#define NET_SYS_IP_LIMIT_H

#include "core/base/addr.h"

struct ip_limit;

/* `per_ip_max` connections for each address, `connections_max` in all, both > 0. NULL when out of
 * memory. */
struct ip_limit *ip_limit_new(uint32_t per_ip_max, uint32_t connections_max, uint64_t seed);
void ip_limit_free(struct ip_limit *l);

/* Counts one more connection of this address (ports are ignored); false, and nothing counted, when
 * it has its share or the table holds connections_max. */
bool ip_limit_enter(struct ip_limit *l, const struct addr *addr);

/* One less; it was counted before, which is asserted. */
void ip_limit_leave(struct ip_limit *l, const struct addr *addr);

#endif
