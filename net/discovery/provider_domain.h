/*
 * provider_domain: every address of one name, times a range of ports.
 *
 * The `port-range` provider names the whole range, because any node may hold any port of it. While
 * the name cannot be looked up, or is not there yet, it names this host's loopback. The `dns`
 * provider is the same with a range of one, for names behind which each host has one node.
 */
#ifndef NET_DISCOVERY_PROVIDER_DOMAIN_H
#define NET_DISCOVERY_PROVIDER_DOMAIN_H

#include "net/discovery/provider.h"

/*
 * `name` and `domain` are borrowed for its life. ::1 is left out beside 127.0.0.1, because nodes on
 * loopback listen on both and would be asked, and known, twice. Never NULL.
 */
struct provider *provider_domain_new(const char *name, const char *domain, uint16_t first_port,
                                     uint16_t last_port);

#endif
