/* The Flux API's answer: any bytes. */
#include "net/discovery/flux.h"

#include "core/base/assert.h"

#include <stdint.h>

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
    return 0;
}
