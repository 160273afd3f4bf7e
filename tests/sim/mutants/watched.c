/* What those who watch a node are told: see mutant.h. */
#include "core/store/store.h"
#include "net/watch/watch.h"
#include "net/watch/watch_listing.h"
#include "net/watch/watch_ring.h"
#include "net/watch/watch_text.h"
#include "tests/sim/mutants/mutant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last one that was left out: the caller looks at it still. */
static struct watch_event *unheard;
static bool is_merging; /* a record comes, and nothing ends by its time alone */

static bool is_kept_quiet(const struct watch_event *e)
{
    const bool is_end = e->kind == WATCH_EXPIRE;
    return (mutant_is(MUTANT_UNTOLD) && !is_end && mutant_is_turn(MUTANT_SOME_EVERY)) ||
           (mutant_is(MUTANT_UNENDING) && is_end) ||
           (mutant_is(MUTANT_HUSHED) && is_end && is_merging);
}

/* The id of the event after the one that the client names; NULL when it names none. */
static const char *next_id(struct http_text id, char *ret_text, size_t size)
{
    const char *dash = id.len == 0 ? NULL : memrchr(id.data, '-', id.len);
    if (dash == NULL) {
        return NULL;
    }
    const uint64_t number = strtoull(dash + 1, NULL, 10);
    (void)snprintf(ret_text, size, "%.*s-%" PRIu64, (int)(dash - id.data), id.data, number + 1);
    return ret_text;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(enum rc, store_merge, struct store *s, const struct record *r, uint64_t now_ms,
     enum merge_outcome *ret_outcome)
{
    is_merging = true;
    const enum rc rc = __real_store_merge(s, r, now_ms, ret_outcome);
    is_merging = false;
    return rc;
}

WRAP(void, watch_ring_add, struct watch_ring *ring, struct watch_event *e)
{
    if (is_kept_quiet(e)) {
        free(unheard);
        unheard = e;
        return;
    }
    __real_watch_ring_add(ring, e);
}

WRAP(enum rc, watch_open, struct watch *w, const struct watch_request *request,
     struct http_response *rs)
{
    struct watch_request broken = *request;
    char id[WATCH_TEXT_ID_SIZE];
    broken.has_snapshot = request->has_snapshot && !mutant_is(MUTANT_BARE);
    if (mutant_is(MUTANT_OVERHASTY) && next_id(request->last_id, id, sizeof(id)) != NULL) {
        broken.last_id = (struct http_text){.data = id, .len = strlen(id)};
    }
    return __real_watch_open(w, &broken, rs);
}

WRAP(bool, watch_listing_is_ahead, const struct watch_listing *l, const uint8_t *key,
     size_t key_len)
{
    return !mutant_is(MUTANT_FOREHANDED) && __real_watch_listing_is_ahead(l, key, key_len);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
