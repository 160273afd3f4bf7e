/*
 * provider_static: the `static` provider, a list of host:port that somebody wrote down. Names are
 * looked up in every pass, and one that does not resolve does not hold up the others. A name that
 * cannot be looked up is a failure; one that does not exist is not.
 */
#ifndef NET_DISCOVERY_PROVIDER_STATIC_H
#define NET_DISCOVERY_PROVIDER_STATIC_H

#include "net/discovery/node_config.h"
#include "net/discovery/provider.h"

/* The list is borrowed for its life. Never NULL. */
struct provider *provider_static_new(const struct node_peer *peers, uint32_t count);

#endif
