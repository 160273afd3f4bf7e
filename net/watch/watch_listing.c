#include "net/watch/watch_listing.h"

#include "net/watch/watch_event.h"

#include <stdlib.h>
#include <string.h>

static enum rc write_entry(const struct record *r, bool has_values, uint64_t clock_ms,
                           struct buf *out)
{
    struct watch_event *e = watch_event_new(WATCH_PUT, r, has_values);
    const enum rc rc = e == NULL ? RC_NO_MEMORY : watch_event_write(e, clock_ms, has_values, out);
    free(e);
    return rc;
}

bool watch_listing_is_ahead(const struct watch_listing *l, const uint8_t *key, size_t key_len)
{
    const size_t len = key_len < l->last_len ? key_len : l->last_len;
    const int order = len == 0 ? 0 : memcmp(key, l->last, len);
    return order > 0 || (order == 0 && key_len > l->last_len);
}

enum rc watch_listing_write(struct watch_listing *l, const struct engine *e,
                            const struct prefix_tree_entry *prefix, bool has_values, uint64_t at_us,
                            struct buf *out, bool *ret_is_over)
{
    const uint64_t clock_ms = engine_clock_ms(e, at_us);
    enum rc rc = RC_OK;
    *ret_is_over = false;
    for (int i = 0; i < WATCH_LISTING_KEYS && rc == RC_OK && out->len < WATCH_PIECE_BYTES; i++) {
        struct record r = {0};
        if (engine_next_key_at(e, prefix->bytes, prefix->len, l->last, l->last_len, l->from_ms,
                               &r) != RC_OK) {
            *ret_is_over = true;
            break;
        }
        rc = write_entry(&r, has_values, clock_ms, out);
        if (rc == RC_OK) {
            memcpy(l->last, r.key, r.key_len);
            l->last_len = r.key_len;
        }
    }
    return rc;
}
