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

enum rc watch_listing_write(struct watch_listing *l, const struct engine *e,
                            const struct prefix_tree_entry *prefix, bool has_values, uint64_t at_us,
                            struct buf *out, bool *ret_is_over)
{
    const uint64_t clock_ms = engine_clock_ms(e, at_us);
    enum rc rc = RC_OK;
    *ret_is_over = false;
    for (int i = 0; i < WATCH_LISTING_KEYS && rc == RC_OK && out->len < WATCH_PIECE_BYTES; i++) {
        struct record r = {0};
        if (engine_next_key(e, prefix->bytes, prefix->len, l->last, l->last_len, at_us, &r) !=
            RC_OK) {
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
