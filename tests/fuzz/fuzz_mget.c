/* The body of a batch read: any bytes. */
#include "net/api/mget_request.h"

#include "core/base/assert.h"
#include "core/store/record.h"
#include "net/http/json_out.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mget_request request;
    bool is_key = false;
    const char *wrong = mget_request_read((const char *)data, size, &request, &is_key);
    ASSERT(wrong == NULL || wrong[0] != '\0');
    if (wrong == NULL) {
        size_t total = 0;
        ASSERT(request.count <= MGET_KEYS_MAX && !is_key);
        for (size_t i = 0; i < request.count; i++) {
            const struct mget_key *key = &request.keys[i];
            const uint8_t *bytes = request.bytes + key->at;
            ASSERT(key->len > 0 && key->len <= KEY_BYTES_MAX && key->at == total);
            ASSERT(memchr(bytes, '\0', key->len) == NULL);
            ASSERT(!key->is_text || json_out_is_utf8(bytes, key->len));
            total += key->len;
        }
        ASSERT(total == request.bytes_len && total <= size);
    }
    mget_request_fini(&request);
    return 0;
}
