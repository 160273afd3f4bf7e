/*
 * provider_flux: the `flux` provider, which asks the Flux network's API for the app's instances.
 * Each instance's address, times the port range, is a candidate.
 *
 * The API's own answer is 30 s old at most, so it is not asked more often; in between, and when it
 * fails, the last list is named again. https is verified by net/out/fetch; http is for tests and
 * mirrors.
 */
#ifndef NET_DISCOVERY_PROVIDER_FLUX_H
#define NET_DISCOVERY_PROVIDER_FLUX_H

#include "net/discovery/node_config.h"
#include "net/discovery/provider.h"

/* `api` and `app` are copied. Never NULL. */
struct provider *provider_flux_new(const struct node_flux_api *api, const char *app,
                                   uint16_t first_port, uint16_t last_port);

#endif
