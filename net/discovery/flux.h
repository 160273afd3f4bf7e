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
    FLUX_HOST_SIZE = 256,
    FLUX_PATH_SIZE = 256,
};

/* Where to ask, from REPRAM_FLUX_API. */
struct flux_api {
    char host[FLUX_HOST_SIZE]; /* IPv6 without brackets */
    char path[FLUX_PATH_SIZE]; /* empty, or begins with '/' and does not end with it */
    uint16_t port;
    bool is_tls;
};

/* Parses "https://host[:port][/path]", or http. RC_MALFORMED, RC_TOO_LONG. */
MUST_USE enum rc flux_parse_api(const char *url, struct flux_api *ret_api);

/* An application's name stands in a path as it is: letters and digits, and '-', '_', '.' between
 * them. */
bool flux_is_app_name(const char *name);

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
