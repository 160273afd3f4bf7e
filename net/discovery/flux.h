/*
 * flux: what the Flux network's API says about where an application runs, as text.
 *
 *     GET <api>/apps/location/<app>
 *     {"status":"success","data":[{"ip":"a.b.c.d" or "a.b.c.d:apiport", ...}, ...]}
 *
 * The API caches the list, and instances that are gone stay in it for up to two hours. So its
 * addresses are hints to be asked, never members. No socket here; net/discovery/provider_flux asks.
 */
#ifndef NET_DISCOVERY_FLUX_H
#define NET_DISCOVERY_FLUX_H

#include "core/base/addr.h"

enum {
    FLUX_BODY_BYTES_MAX = 256 * 1024, /* 100 instances, the network's maximum, take about 30 KiB */
    FLUX_INSTANCES_MAX = 256,
};

/*
 * Takes the instances' addresses out of an answer's body: port 0, each once, unusable ones left out
 * (not an address, unspecified, multicast). RC_MALFORMED: not such an answer, or a list of which no
 * address is usable (an empty list is fine); RC_REFUSED: its status is not success; RC_TOO_LONG:
 * more than FLUX_BODY_BYTES_MAX. More than FLUX_INSTANCES_MAX are cut.
 */
MUST_USE enum rc flux_parse_locations(const void *body, size_t len,
                                      struct addr ret_addrs[static FLUX_INSTANCES_MAX],
                                      size_t *ret_count);

#endif
