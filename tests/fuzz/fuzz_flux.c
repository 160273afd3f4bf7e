/* The Flux API's answer, and the API's URL: any bytes. */
#include "net/discovery/flux.h"

#include "core/base/assert.h"

#include <stdint.h>
#include <string.h>

enum { URL_SIZE = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr addrs[FLUX_INSTANCES_MAX];
    size_t count = 0;
    if (flux_parse_locations(data, size, addrs, &count) == RC_OK) {
        ASSERT(count <= FLUX_INSTANCES_MAX);
        for (size_t i = 0; i < count; i++) {
            ASSERT(addrs[i].port == 0 && !addr_is_any(&addrs[i]));
        }
    }
    char url[URL_SIZE];
    const size_t len = size < sizeof(url) - 1 ? size : sizeof(url) - 1;
    memcpy(url, data, len);
    url[len] = '\0';
    struct flux_api api;
    if (flux_parse_api(url, &api) == RC_OK) {
        ASSERT(api.port != 0 && api.host[0] != '\0');
        ASSERT(api.path[0] == '\0' || api.path[0] == '/');
    }
    (void)flux_is_app_name(url);
    return 0;
}
