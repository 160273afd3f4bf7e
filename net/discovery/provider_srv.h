/*
 * provider_srv: the services that the SRV records of one name give, each with its own port (Consul,
 * Nomad, a named port of a headless service in Kubernetes).
 *
 * The targets' addresses come with the answer or are asked for. Services of low priority numbers
 * and high weights are named first. An answer is named again without a question while it is fresh:
 * for its TTL, at most five minutes. When the servers fail, the last list is named again too.
 */
#ifndef NET_DISCOVERY_PROVIDER_SRV_H
#define NET_DISCOVERY_PROVIDER_SRV_H

#include "net/discovery/provider.h"

/* `name` is borrowed for its life. Never NULL. */
struct provider *provider_srv_new(const char *name);

#endif
