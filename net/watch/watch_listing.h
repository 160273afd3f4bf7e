/*
 * watch_listing: the entries that there are when a watcher begins anew, told piece by piece.
 *
 * In byte order of their keys, from where the last piece ended. Nothing is copied: each piece reads
 * the store as it is then, of what lived when the listing began. A change of a key that lies ahead
 * is not told, as the listing comes to it. So each version is told once. Left out is telling the
 * changes of keys that it has passed (net/watch/watch_tell).
 */
#ifndef NET_WATCH_WATCH_LISTING_H
#define NET_WATCH_WATCH_LISTING_H

#include "core/base/buf.h"
#include "gossip/engine.h"
#include "net/watch/prefix_tree.h"

enum {
    WATCH_LISTING_KEYS = 256, /* looked at for one piece; under a millisecond */
    WATCH_PIECE_BYTES = 16 * 1024,
};

struct watch_listing {
    uint64_t from_ms; /* when it began, by the cluster's clock */
    size_t last_len;  /* 0: nothing has been told yet */
    uint8_t last[KEY_BYTES_MAX];
};

/* Whether the listing will come to that key. */
bool watch_listing_is_ahead(const struct watch_listing *l, const uint8_t *key, size_t key_len);

/* Appends some more of the entries of the prefix, with their values if they are asked for.
 * *ret_is_over says whether there are none left. RC_FULL, RC_NO_MEMORY: the next piece goes on with
 * that entry. */
MUST_USE enum rc watch_listing_write(struct watch_listing *l, const struct engine *e,
                                     const struct prefix_tree_entry *prefix, bool has_values,
                                     uint64_t at_us, struct buf *out, bool *ret_is_over);

#endif
