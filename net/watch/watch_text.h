/*
 * watch_text: the words of a stream beside its events: how it begins, and where one may resume.
 *
 * An id is the node's start, what is watched, and the number of an event, as
 * "0123456789abcdef-89abcdef-42". So one who comes back for other keys, or with values that he did
 * not get before, does not go on where he was: he begins anew. Each function
 * appends all of its words or none. The last words are http_events_end()'s. Left out is when
 * something is said (net/watch/watch).
 */
#ifndef NET_WATCH_WATCH_TEXT_H
#define NET_WATCH_WATCH_TEXT_H

#include "net/http/http.h"

enum { WATCH_TEXT_ID_SIZE = 16 + 1 + 8 + 1 + 20 + 1 };

/* What is watched, as ids have it. */
uint32_t watch_text_scope(const uint8_t *prefix, size_t len, bool has_values);

/* The first words while the node cannot tell anything yet; watch_text_begin() follows. RC_FULL,
 * RC_NO_MEMORY. */
MUST_USE enum rc watch_text_wait(struct buf *out);

/* The first words. `reset` is why the client begins anew, a word; NULL: it does not. With it goes
 * the id that the client holds: cut off before it is live, it could resume elsewhere what it has
 * forgotten. RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc watch_text_begin(const char *reset, struct buf *out);

/* The id of that event, then `text`. RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc watch_text_id(uint64_t boot, uint32_t scope, uint64_t number, const char *text,
                               struct buf *out);

/* The number in an id of this start of this node, of what is watched; RC_STALE for one of
 * this start but of something else; RC_STRANGER or an error of parse_u64() for any other. */
MUST_USE enum rc watch_text_read_id(uint64_t boot, uint32_t scope, struct http_text id,
                                    uint64_t *ret_number);

#endif
