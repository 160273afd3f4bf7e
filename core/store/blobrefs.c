#include "core/store/blobrefs.h"

#include "core/base/assert.h"

bool blobrefs_has_room(const struct blobrefs *refs)
{
    return refs->count < BLOBREFS_MAX;
}

size_t blobrefs_add(struct blobrefs *refs, size_t at, struct blob *blob, size_t offset, size_t len)
{
    ASSERT(blobrefs_has_room(refs));
    const uint8_t *data = NULL;
    const size_t run = blob_run(blob, offset, &data);
    const size_t taken = run < len ? run : len;
    if (taken > 0) {
        refs->refs[refs->count++] = (struct blobref){
            .at = at, .blob = blob_hold(blob), .offset = offset, .data = data, .len = taken};
        refs->bytes += taken;
    }
    return taken;
}

void blobrefs_clear(struct blobrefs *refs)
{
    for (size_t i = 0; i < refs->count; i++) {
        blob_release(refs->refs[i].blob);
    }
    refs->count = 0;
    refs->bytes = 0;
}
