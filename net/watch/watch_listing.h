/*
 * watch_listing: the entries that there are when a watcher begins anew, told piece by piece.
 *
 * In byte order of their keys, from where the last piece ended. Nothing is copied: each piece reads
 * the store as it is then. Left out are the changes meanwhile (net/watch/watch).
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
    size_t last_len; /* 0: not begun */
    uint8_t last[KEY_BYTES_MAX];
};

/* Appends some more of the entries of the prefix, with their values if they are asked for.
 * *ret_is_over says whether there are none left. RC_FULL, RC_NO_MEMORY: the next piece goes on with
 * that entry. */
MUST_USE enum rc watch_listing_write(struct watch_listing *l, const struct engine *e,
                                     const struct prefix_tree_entry *prefix, bool has_values,
                                     uint64_t at_us, struct buf *out, bool *ret_is_over);

#endif
