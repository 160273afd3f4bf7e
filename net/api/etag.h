/*
 * etag: entity-tags and the two headers that list them (RFC 9110, sections 8.8.3, 13.1.1, 13.1.2).
 *
 * A tag of ours is a version, 48 lower-case hex digits in quotes; it is strong, and the same on
 * every node. Well-formed tags that are no versions are allowed in a list and match nothing.
 */
#ifndef NET_API_ETAG_H
#define NET_API_ETAG_H

#include "core/base/rc.h"
#include "core/store/version.h"
#include "net/http/http.h"

#include <stdbool.h>
#include <stddef.h>

/* More than fit into HTTP_HEADER_BYTES_MAX: a tag of ours takes 50 bytes and a comma. */
enum { ETAG_LIST_MAX = HTTP_HEADER_BYTES_MAX / 51 + 1, ETAG_TEXT_SIZE = VERSION_TEXT_SIZE + 2 };

struct etag_list {
    bool is_present; /* the request has the header */
    bool is_any;     /* it is "*" */
    size_t count;
    struct version versions[ETAG_LIST_MAX];
};

/*
 * Reads every header of that name as one list. Weak tags (W/"...") are left out when `is_strong`
 * (If-Match compares strongly), and count like strong ones otherwise (If-None-Match). RC_MALFORMED:
 * not a list of quoted tags, or "*" together with anything.
 */
MUST_USE enum rc etag_read(const struct http_request *rq, const char *name, bool is_strong,
                           struct etag_list *ret_list);

/* Whether the list has the version; "*" has every one. */
bool etag_has(const struct etag_list *list, const struct version *version);

/* The version as a quoted tag; returns `ret_text`. */
const char *etag_format(const struct version *version, char ret_text[static ETAG_TEXT_SIZE]);

#endif
