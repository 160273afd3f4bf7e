#include "gossip/link_out.h"

#include "gossip/engine_state.h"

/* A client that waits for a replaced version is served by the version that replaced it. */
static bool replacement(void *arg, const struct queued_write *w, struct record *ret_record)
{
    const struct engine *e = arg;
    const struct waiting *waiting = quorum_at(e->quorum, w->waiter);
    return waiting != NULL && store_get(e->store, waiting->key, waiting->key_len, engine_now_ms(e),
                                        ret_record) == RC_OK;
}

size_t link_out_take(struct engine *e, struct link *l, struct buf *out, struct blobrefs *refs,
                     size_t len_max)
{
    const struct link_source source = {
        .store = e->store,
        .now_ms = engine_now_ms(e),
        .refs = refs,
        .arg = e,
        .replacement = replacement,
    };
    const uint64_t records = l->records_out;
    l->is_output_asked = false;
    const size_t len = link_fill(l, &source, out, len_max);
    e->counters.records_sent += l->records_out - records;
    sync_wake(e->sync, l);
    if (link_needs_repair(l)) {
        peer_look_by(e, e->now_us);
    }
    if (l->state == LINK_CLOSING && !link_has_output(l)) {
        peer_end(e, l, 0);
    }
    return len;
}
