#include "gossip/repair/responder.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum {
    GROUP_SIZE_MAX = 4 + 1 + 8 + (4 + VARINT_BYTES_MAX) * EPOCHS_PER_GROUP,
    /* So many epochs are named one by one, in about 9 kB. With more, whole groups are cheaper,
     * though more entries are looked at. */
    EPOCHS_TOLD_MAX = 1536,
};

struct told {
    uint32_t group;
    uint32_t sum;
};

/* An answer under way, in as many frames as it takes. */
struct answer {
    const struct sync_config *config;
    struct link *link;
    const struct peer_session *peer;
    bool is_whole;   /* groups are sent as one */
    uint32_t epochs; /* ours in the groups that differ, when they are only counted */
    struct cursor c;
    enum rc rc;
};

static void count_epochs(struct answer *a, uint64_t group)
{
    const uint64_t first = group * EPOCHS_PER_GROUP;
    struct digest digest;
    for (uint64_t e = first;
         store_next_epoch(a->config->store, a->peer->cut_s, &e, &digest) == RC_OK &&
         e < first + EPOCHS_PER_GROUP;
         e++) {
        a->epochs++;
    }
}

static void begin_frame(struct answer *a, uint8_t *payload, size_t size)
{
    a->c = cursor_writer(payload, size);
    cursor_put_u8(&a->c, a->peer->session);
    cursor_put_u8(&a->c, 0);
}

/* Appends one group: (group, whole, epochs, (sum, count) of each). */
static void write_group(struct answer *a, uint64_t group)
{
    const uint64_t first = group * EPOCHS_PER_GROUP;
    struct digest own[EPOCHS_PER_GROUP];
    struct digest digest;
    uint64_t epochs = 0;
    for (uint64_t e = first;
         !a->is_whole && store_next_epoch(a->config->store, a->peer->cut_s, &e, &digest) == RC_OK &&
         e < first + EPOCHS_PER_GROUP;
         e++) {
        own[e - first] = digest;
        epochs |= UINT64_C(1) << (e - first);
    }
    cursor_put_u32(&a->c, (uint32_t)group);
    cursor_put_u8(&a->c, a->is_whole);
    cursor_put_u64(&a->c, epochs);
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP; i++) {
        if ((epochs >> i & 1) != 0) {
            cursor_put_u32(&a->c, store_digest_short(&own[i], a->peer->key));
            cursor_put_varint(&a->c, own[i].count);
        }
    }
    ASSERT(cursor_ok(&a->c));
    if (cursor_left(&a->c) < GROUP_SIZE_MAX && a->rc == RC_OK) {
        uint8_t *payload = a->c.out;
        a->rc = link_bulk(a->link, FRAME_SYNC_EPOCHS, payload, a->c.pos);
        begin_frame(a, payload, a->c.size);
    }
}

/* Calls `each` for every group of either side whose sums differ. */
static void for_differing(struct answer *a, const struct told *told, size_t told_count,
                          void (*each)(struct answer *a, uint64_t group))
{
    const struct store *store = a->config->store;
    const uint64_t cut_s = a->peer->cut_s;
    uint64_t group = 0;
    struct digest own;
    size_t i = 0;
    bool has_own = store_next_group(store, cut_s, &group, &own) == RC_OK;
    while (a->rc == RC_OK && (has_own || i < told_count)) {
        const bool takes_own = has_own && (i == told_count || group <= told[i].group);
        const bool takes_told = i < told_count && (!has_own || told[i].group <= group);
        const bool is_equal =
            takes_own && takes_told && told[i].sum == store_digest_short(&own, a->peer->key);
        if (!is_equal) {
            each(a, takes_own ? group : told[i].group);
        }
        i += takes_told;
        if (takes_own) {
            group++;
            has_own = store_next_group(store, cut_s, &group, &own) == RC_OK;
        }
    }
}

static enum rc answer_groups(const struct sync_config *config, struct link *l,
                             const struct told *told, size_t told_count)
{
    struct answer a = {.config = config, .link = l, .peer = &l->sync->peer, .rc = RC_OK};
    for_differing(&a, told, told_count, count_epochs);
    a.is_whole = a.epochs > EPOCHS_TOLD_MAX;
    uint8_t *payload = mem_new(1, FRAME_PAYLOAD_MAX);
    begin_frame(&a, payload, FRAME_PAYLOAD_MAX);
    for_differing(&a, told, told_count, write_group);
    payload[1] = 1;
    if (a.rc == RC_OK) {
        a.rc = link_bulk(l, FRAME_SYNC_EPOCHS, payload, a.c.pos);
    }
    free(payload);
    return a.rc;
}

enum rc responder_groups(const struct sync_config *config, struct link *l, struct cursor *c,
                         bool is_refused)
{
    struct peer_session *peer = &session_of(l)->peer;
    *peer = (struct peer_session){.is_known = true, .session = cursor_u8(c)};
    peer->cut_s = cursor_u64(c);
    peer->key = cursor_u64(c);
    const size_t count = cursor_left(c) / 8;
    if (count > SCOPE_ROWS_MAX) {
        return RC_MALFORMED;
    }
    if (is_refused) {
        const uint8_t nothing[2] = {peer->session, 1};
        return link_bulk(l, FRAME_SYNC_EPOCHS, nothing, sizeof(nothing));
    }
    struct told told[SCOPE_ROWS_MAX];
    for (size_t i = 0; i < count; i++) {
        told[i].group = cursor_u32(c);
        told[i].sum = cursor_u32(c);
        if (i > 0 && told[i - 1].group >= told[i].group) {
            return RC_MALFORMED;
        }
    }
    return answer_groups(config, l, told, count);
}

static bool is_theirs(const struct session *side, struct cursor *c)
{
    return cursor_u8(c) == side->peer.session && side->peer.is_known;
}

/* The peer streams the scope's entries. */
static enum rc begin_sink(const struct sync_config *config, struct session *side,
                          struct scope *scope, uint32_t share_bits, uint32_t cells,
                          uint32_t first_max)
{
    const struct peer_session *peer = &side->peer;
    side->sink = cells_sink_new(peer->session, peer->key, peer->cut_s, share_bits, scope, cells,
                                config->cells_max);
    return cells > first_max ? cells_sink_hold(side->sink, side->link) : RC_OK;
}

enum rc responder_scope(const struct sync_config *config, struct link *l, struct cursor *c,
                        uint32_t first_max)
{
    struct session *side = session_of(l);
    struct scope list = {.rows = NULL}, stream = {.rows = NULL};
    const bool is_known = is_theirs(side, c);
    const uint32_t cells = cursor_u32(c);
    const uint32_t share_bits = cursor_u8(c);
    enum rc rc = scope_read(&list, c);
    rc = rc == RC_OK ? scope_read(&stream, c) : rc;
    if (rc != RC_OK || cursor_left(c) > 0 || cells == 0 || cells > CELLS_WANTED_MAX ||
        share_bits > COLUMN_SHARE_BITS_MAX || side->job_count >= SYNC_JOBS_MAX ||
        (is_known && (side->answer != NULL || side->sink != NULL))) {
        rc = RC_MALFORMED;
    } else if (is_known) {
        if (list.count > 0) {
            side->answer = epoch_sender_new(EPOCH_SENDER_ANSWER, &list);
            side->answer->session = side->peer.session;
            side->answer->key = side->peer.key;
            side->answer->cut_s = side->peer.cut_s;
        }
        if (stream.count > 0) {
            rc = begin_sink(config, side, &stream, share_bits, cells, first_max);
        }
    }
    scope_fini(&list);
    scope_fini(&stream);
    return rc;
}

enum rc responder_list(struct link *l, struct cursor *c)
{
    struct session *side = session_of(l);
    const bool is_known = is_theirs(side, c);
    const bool is_last = cursor_u8(c) != 0;
    if (!is_known || side->answer == NULL) {
        return RC_OK;
    }
    while (cursor_left(c) > 0) {
        if (idset_add(&side->answer->ids, cursor_u64(c)) != RC_OK) {
            return RC_MALFORMED;
        }
    }
    if (is_last) {
        session_push(side, side->answer);
        side->answer = NULL;
    }
    return RC_OK;
}

enum rc responder_cells(struct link *l, struct cursor *c)
{
    const struct session *side = session_of(l);
    return is_theirs(side, c) && side->sink != NULL ? cells_sink_cells(side->sink, c) : RC_OK;
}

void responder_done(const struct sync_config *config, struct link *l, struct cursor *c)
{
    struct session *side = session_of(l);
    const bool is_known = is_theirs(side, c);
    if (is_known) {
        session_forget_peer(side, config->store);
        side->responding_until_us = 0;
    }
}
