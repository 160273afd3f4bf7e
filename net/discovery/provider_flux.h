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

#include "net/discovery/provider.h"

/* RC_MALFORMED: `api_url` or `app` is none. */
MUST_USE enum rc provider_flux_new(const char *api_url, const char *app, uint16_t first_port,
                                   uint16_t last_port, struct provider **ret_provider);

#endif
