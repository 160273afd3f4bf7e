#include "gossip/spread.h"

#include "core/base/units.h"
#include "gossip/engine_state.h"
#include "gossip/link_out.h"
#include "gossip/tree_links.h"
#include "gossip/wiring.h"

enum {
    NEWS_DELAY_US = 4 * 1000,   /* announcements gather this long: fewer packets under load */
    LARGE_LATE_US = 500 * 1000, /* a large value may take so long along the tree before others than
                                   the tree's links hear of it */
    FLEETING_LEAD_S = 8,        /* a record that came by reconciliation takes to be compared */
    LAZY_LINKS_MAX = 128,       /* looked at for those that must acknowledge a write */
};

/* Whether our writes are to be passed on: always in a large enclave, in a small one while somebody
 * in it is not linked. */
static bool is_forwarding(struct engine *e)
{
    if (e->overlay.is_large || e->is_meshed) {
        return e->overlay.is_large;
    }
    for (uint32_t i = 0; i < e->overlay.count; i++) {
        const struct member *m = swim_find(e->swim, &e->overlay.members[i]);
        const struct link *l = m == NULL ? NULL : mesh_of(e->mesh, m);
        if (m != NULL && (l == NULL || l->state != LINK_OPEN)) {
            return true;
        }
    }
    e->is_meshed = true;
    return false;
}

/* ---- Sending ---- */

static void flush_news(struct engine *e, struct link *l)
{
    while (l->news.len > 0) {
        const size_t most = (size_t)TREE_ENTRIES_MAX * TREE_ENTRY_BYTES;
        const size_t len = l->news.len < most ? l->news.len : most;
        /* A peer that does not read will reconcile. */
        (void)mesh_send(e->mesh, l, FRAME_TREE_HAVE, buf_data(&l->news), len);
        buf_consume(&l->news, len);
    }
}

static void announce(struct engine *e, struct link *l, enum tree_kind kind, uint32_t tree,
                     uint64_t id)
{
    uint8_t bytes[TREE_ENTRY_BYTES];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct frame_tree entry = {.kind = (uint8_t)kind, .tree = (uint8_t)tree, .id = id};
    frame_tree_write(&c, &entry);
    if (buf_append(&l->news, bytes, c.pos) != RC_OK) {
        return;
    }
    e->counters.tree_lazy += kind != TREE_GONE;
    if (kind != TREE_SMALL) {
        flush_news(e, l);
    } else if (e->news_at_us == NEVER) {
        e->news_at_us = e->now_us + NEWS_DELAY_US;
    }
}

/* Pushes a write along a tree's link, or announces that a large one can be fetched. */
static void push(struct engine *e, struct link *l, const struct queued_write *w, uint32_t tree,
                 uint64_t id, bool is_big)
{
    if (w->waiter != 0) {
        quorum_note(e->quorum, w->waiter, &l->member->uuid, QUORUM_ASKED);
    }
    if (is_big) {
        announce(e, l, (w->kind & RECORD_IS_FORWARD) != 0 ? TREE_LARGE : TREE_DIRECT, tree, id);
        return;
    }
    e->counters.tree_eager++;
    link_out_enqueue(e, l, w, false);
}

static void announce_late(struct engine *e, uint64_t id, uint32_t tree)
{
    (void)tree_announce_late(e->tree, id, tree, e->now_us + LARGE_LATE_US);
}

/* Sends the write also to members that must acknowledge it and are not on its tree's eager links,
 * beginning with another one each time. The others get its id. */
static void send_lazily(struct engine *e, struct link *const *lazy, uint32_t count,
                        struct queued_write *w, uint64_t id, uint32_t direct, bool is_big)
{
    const uint32_t tree = tree_of(&e->config.uuid);
    const uint32_t first = count == 0 ? 0 : (uint32_t)rng_below(&e->rng, count);
    w->kind = RECORD_IS_COUNTED;
    for (uint32_t i = 0; i < count; i++) {
        struct link *l = lazy[(first + i) % count];
        if (i < direct) {
            push(e, l, w, tree, id, is_big);
        } else if (!is_big) {
            announce(e, l, TREE_SMALL, tree, id);
        }
    }
    if (is_big && count > direct) {
        announce_late(e, id, tree);
    }
}

static void send_by_tree(struct engine *e, struct queued_write *w, uint64_t id, bool is_big)
{
    const struct tree_seen seen = {.id = id, .version = w->version, .handle = w->handle};
    const uint32_t tree = tree_of(&e->config.uuid);
    uint32_t direct = e->config.replication_factor - 1;
    struct link *lazy[LAZY_LINKS_MAX];
    uint32_t lazy_count = 0;
    (void)tree_see(e->tree, &seen, 0, e->now_us);
    w->kind = RECORD_IS_COUNTED | RECORD_IS_FORWARD;
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (!tree_links_is_up(e, l)) {
            continue;
        }
        if (tree_links_takes(e, l, tree, id)) {
            push(e, l, w, tree, id, is_big);
            direct -= direct > 0;
        } else if (lazy_count < LAZY_LINKS_MAX) {
            lazy[lazy_count++] = l;
        }
    }
    send_lazily(e, lazy, lazy_count, w, id, direct, is_big);
}

void spread_write(struct engine *e, struct queued_write *w, uint64_t id, bool is_big)
{
    if (e->overlay.is_large) {
        send_by_tree(e, w, id, is_big);
        return;
    }
    w->kind = RECORD_IS_COUNTED;
    if (is_forwarding(e)) {
        const struct tree_seen seen = {.id = id, .version = w->version, .handle = w->handle};
        (void)tree_see(e->tree, &seen, 0, e->now_us);
        w->kind |= RECORD_IS_FORWARD;
    }
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (tree_links_is_usable(l)) {
            link_out_enqueue(e, l, w, is_big);
        }
    }
}

void spread_again(struct engine *e, struct link *l, const struct queued_write *w, uint64_t id,
                  bool is_big)
{
    struct queued_write again = *w;
    again.kind = RECORD_IS_COUNTED;
    if (!e->overlay.is_large) {
        again.kind |= is_forwarding(e) ? RECORD_IS_FORWARD | RECORD_IS_REPEAT : 0;
        link_out_enqueue(e, l, &again, is_big);
    } else if (tree_links_is_up(e, l)) {
        again.kind |= RECORD_IS_FORWARD | RECORD_IS_REPEAT;
        push(e, l, &again, tree_of(&e->config.uuid), id, is_big);
    }
}

void spread_direct(struct engine *e, struct link *l, const struct queued_write *w, uint64_t id,
                   bool is_big)
{
    struct queued_write direct = *w;
    direct.kind = RECORD_IS_COUNTED;
    push(e, l, &direct, tree_of(&e->config.uuid), id, is_big);
}

void spread_guard(struct engine *e, const struct record *held)
{
    const bool is_forwarded = e->overlay.is_large;
    const unsigned kind =
        (is_forwarded ? RECORD_IS_FORWARD | RECORD_IS_REPEAT : RECORD_IS_COUNTED) |
        (held->blob != NULL ? RECORD_IS_GUARD : 0U);
    const struct queued_write w = {
        .handle = store_find(e->store, held), .version = held->version, .kind = (uint8_t)kind};
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (is_forwarded ? tree_links_is_up(e, l) : tree_links_is_usable(l)) {
            link_out_enqueue(e, l, &w, false);
        }
    }
}

/* ---- Passing on ---- */

/* To all links of the tree but the one it came on. `is_told`: it has been announced before. */
static void pass_on(struct engine *e, const struct link *from, const struct tree_seen *seen,
                    bool is_big, bool is_told)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    const struct queued_write w = {
        .handle = seen->handle,
        .version = seen->version,
        .kind = (uint8_t)(RECORD_IS_FORWARD | (seen->is_detour ? RECORD_IS_REPEAT : 0)),
    };
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l == from || !tree_links_is_up(e, l)) {
            continue;
        }
        if (tree_links_takes(e, l, tree, seen->id)) {
            push(e, l, &w, tree, seen->id, is_big);
        } else if (!is_told && !is_big) {
            announce(e, l, TREE_SMALL, tree, seen->id);
        }
    }
    if (is_big && !is_told) {
        announce_late(e, seen->id, tree);
    }
}

/* It came from its origin itself, which may be gone before the tree has it. So it is announced to
 * all neighbours. */
static void announce_all(struct engine *e, const struct link *from, const struct tree_seen *seen,
                         bool is_big)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (!is_big && l != from && tree_links_is_up(e, l)) {
            announce(e, l, TREE_SMALL, tree, seen->id);
        }
    }
    if (is_big) {
        announce_late(e, seen->id, tree);
    }
}

/* Whether the comparison by which reconciled records travel on leaves this record out, now or by
 * the time that it happens. Then it goes on as a write does. */
static bool is_fleeting(const struct engine *e, const struct record *r)
{
    const uint64_t soon_s = engine_now_ms(e) / 1000 + FLEETING_LEAD_S;
    return r->expiry_ms / EPOCH_MS < store_first_epoch(soon_s) && !sync_is_joining(e->sync);
}

void spread_shadow(struct engine *e, const struct link *from, const struct record *shadow)
{
    const struct queued_write w = {
        .handle = store_find(e->store, shadow),
        .version = shadow->version,
        .kind = RECORD_IS_FORWARD | RECORD_IS_REPEAT,
    };
    if (w.handle == 0 || !is_fleeting(e, shadow)) {
        return;
    }
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l != from && tree_links_is_up(e, l)) {
            link_out_enqueue(e, l, &w, false);
        }
    }
}

/* Acknowledges a large value to its origin: a client may wait for it. */
static void say_held(struct engine *e, struct link *l, uint64_t id, uint64_t stamp)
{
    uint8_t payload[16];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, id);
    cursor_put_u64(&c, stamp);
    (void)mesh_send(e->mesh, l, FRAME_TREE_HELD, payload, c.pos);
}

/* The tree has brought a large value. Its origin may have announced it to this node as well. */
static void tell_origin(struct engine *e, const struct link *from, const struct tree_seen *seen)
{
    const struct member *m = swim_find(e->swim, &seen->version.origin);
    struct link *l = m == NULL ? NULL : mesh_of(e->mesh, m);
    if (l != NULL && l != from && tree_links_is_up(e, l)) {
        say_held(e, l, seen->id, seen->version.stamp);
    }
}

enum spread_way spread_way_of(uint8_t kind, bool is_shadow, bool is_large)
{
    if ((kind & RECORD_IS_GUARD) != 0 || is_shadow) {
        return SPREAD_ASIDE;
    }
    if ((kind & RECORD_IS_FORWARD) != 0) {
        return (kind & RECORD_IS_REPEAT) != 0 ? SPREAD_REPEATED : SPREAD_FORWARDED;
    }
    if ((kind & RECORD_IS_COUNTED) != 0) {
        return is_large ? SPREAD_DIRECT : SPREAD_ASIDE;
    }
    return SPREAD_RECONCILED;
}

/* The trees have seen the record, which is held here where `seen` has a handle. */
static void react(struct engine *e, struct link *l, const struct tree_seen *seen,
                  enum tree_sight sight, enum spread_way way, bool is_big)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    const bool is_held = seen->handle != 0;
    switch (sight) {
    case TREE_DIRECT_FIRST:
        if (is_held) {
            announce_all(e, l, seen, is_big);
        }
        break;
    case TREE_FIRST:
    case TREE_AFTER_DIRECT:
        if (!seen->is_detour) {
            tree_links_confirm(e, l, tree);
        }
        if (is_held && is_big) {
            tell_origin(e, l, seen);
        }
        if (is_held) {
            pass_on(e, l, seen, is_big, sight == TREE_AFTER_DIRECT);
        }
        break;
    case TREE_AGAIN:
        if (way == SPREAD_FORWARDED) {
            e->counters.tree_duplicates++;
            tree_links_came_twice(e, l, tree, seen->id);
        }
        break;
    }
}

/* A record that came by reconciliation goes on as a write does. */
static bool is_news_to_all(const struct engine *e, const struct record *r,
                           enum merge_outcome outcome)
{
    return outcome == MERGE_APPLIED && is_fleeting(e, r);
}

void spread_arrived(struct engine *e, struct link *l, const struct frame_record *f,
                    enum merge_outcome outcome)
{
    const struct record *r = &f->record;
    const enum spread_way way = spread_way_of(f->kind, r->is_shadow, e->overlay.is_large);
    const bool is_synced = way == SPREAD_RECONCILED;
    const bool is_passed_on = is_synced && is_news_to_all(e, r, outcome);
    const bool is_only_missed = is_synced && !is_passed_on; /* it counts if it was announced */
    if (way == SPREAD_ASIDE || (is_only_missed && !tree_misses_any(e->tree))) {
        return;
    }
    const bool is_held = outcome == MERGE_APPLIED || outcome == MERGE_SAME;
    const bool is_forward = way == SPREAD_FORWARDED || way == SPREAD_REPEATED;
    const uint32_t tree = tree_of(&r->version.origin);
    const struct tree_seen seen = {
        .id = record_write_id(r, store_digest_seed(e->store)),
        .version = r->version,
        .handle = is_held ? store_find(e->store, r) : 0,
        .is_direct = !is_forward && !is_passed_on,
        .is_detour = way != SPREAD_FORWARDED || !tree_links_is_of_tree(e, l, tree),
        .grafted = is_forward && tree_links_is_on_trial(e, l, tree) ? l->id : 0,
    };
    if (!is_only_missed || tree_is_missing(e->tree, seen.id)) {
        const enum tree_sight sight = tree_see(e->tree, &seen, l->id, e->now_us);
        react(e, l, &seen, sight, way, r->blob != NULL);
    }
}

/* ---- Announced, grafted, pruned ---- */

static enum rc take_held(struct engine *e, const struct link *l, struct cursor *c)
{
    const uint64_t id = cursor_u64(c);
    const struct version version = {.stamp = cursor_u64(c), .origin = e->config.uuid};
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    quorum_held(e->quorum, quorum_find(e->quorum, id, &version), &l->member->uuid);
    return RC_OK;
}

/* A large value that is here already, and came past the tree, is now announced by the tree. */
static void take_known(struct engine *e, struct link *l, const struct frame_tree *entry)
{
    const struct tree_seen *held = tree_find(e->tree, entry->id);
    if (held != NULL && entry->kind != TREE_SMALL &&
        uuid_equal(&held->version.origin, &l->member->uuid)) {
        say_held(e, l, entry->id, held->version.stamp);
    }
    if (entry->kind != TREE_LARGE || held == NULL) {
        return;
    }
    if (!held->is_direct) {
        tree_links_prune(e, l, entry->tree);
        return;
    }
    struct tree_seen seen = *held;
    seen.is_direct = false;
    (void)tree_see(e->tree, &seen, l->id, e->now_us);
    pass_on(e, l, &seen, true, true);
}

static enum rc take_have(struct engine *e, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        struct frame_tree entry;
        frame_tree_read(c, &entry);
        if (!cursor_ok(c)) {
            return RC_MALFORMED;
        }
        if (entry.kind == TREE_GONE) {
            tree_gone(e->tree, entry.id);
            continue;
        }
        const struct tree_news news = {
            .id = entry.id,
            .tree = entry.tree,
            .link = l->id,
            .is_large = entry.kind != TREE_SMALL,
            .is_direct = entry.kind == TREE_DIRECT,
        };
        switch (tree_announced(e->tree, &news, e->now_us)) {
        case TREE_KNOWN:
            take_known(e, l, &entry);
            break;
        case TREE_TWICE:
            if (entry.kind == TREE_LARGE) {
                tree_links_prune(e, l, entry.tree);
            }
            break;
        case TREE_FETCH:
            tree_links_ask(e, l, (enum tree_kind)entry.kind, entry.tree, entry.id);
            break;
        case TREE_NO_ROOM:
            link_ask_repair(l, REPAIR_NO_ROOM);
            break;
        case TREE_WAIT:
            break;
        }
    }
    return RC_OK;
}

static void serve_graft(struct engine *e, struct link *l, const struct frame_tree *entry)
{
    const struct tree_seen *seen = tree_find(e->tree, entry->id);
    struct record r;
    const bool is_direct = entry->kind == TREE_DIRECT;
    if (!is_direct) {
        tree_links_grafted(l, entry->tree);
    }
    if (entry->id == TREE_NO_ID) {
        return;
    }
    if (seen == NULL || seen->handle == 0 ||
        store_at(e->store, seen->handle, &seen->version, engine_now_ms(e), &r) != RC_OK) {
        announce(e, l, TREE_GONE, entry->tree, entry->id);
        return;
    }
    const uint32_t waiter = quorum_find(e->quorum, entry->id, &seen->version);
    const bool is_counted = is_direct || waiter != 0;
    const struct queued_write w = {
        .handle = seen->handle,
        .version = seen->version,
        .waiter = waiter,
        .kind =
            (uint8_t)((is_direct ? 0 : RECORD_IS_FORWARD) | (is_counted ? RECORD_IS_COUNTED : 0) |
                      (seen->is_detour && !is_direct ? RECORD_IS_REPEAT : 0)),
    };
    e->counters.tree_eager++;
    quorum_note(e->quorum, waiter, &l->member->uuid, QUORUM_ASKED);
    link_out_enqueue(e, l, &w, r.blob != NULL);
}

static enum rc take_graft(struct engine *e, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        struct frame_tree entry;
        frame_tree_read(c, &entry);
        if (!cursor_ok(c)) {
            return RC_MALFORMED;
        }
        serve_graft(e, l, &entry);
    }
    return RC_OK;
}

static enum rc take_prune(struct engine *e, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        const uint8_t tree = cursor_u8(c);
        if (tree >= TREE_COUNT) {
            return RC_MALFORMED;
        }
        tree_links_pruned(e, l, tree);
    }
    return RC_OK;
}

enum rc spread_frame(struct engine *e, struct link *l, enum frame_type type, struct cursor *payload)
{
    switch ((int)type) {
    case FRAME_ROLE:
        return wiring_role(e, l, payload);
    case FRAME_TREE_HAVE:
        return take_have(e, l, payload);
    case FRAME_TREE_GRAFT:
        return take_graft(e, l, payload);
    case FRAME_TREE_PRUNE:
        return take_prune(e, l, payload);
    case FRAME_TREE_HELD:
        return take_held(e, l, payload);
    default:
        return RC_MALFORMED;
    }
}

/* ---- Time ---- */

static void ask_for_due(struct engine *e)
{
    struct tree_due due;
    while (tree_next_due(e->tree, e->now_us, &due)) {
        struct link *l = due.link == 0 ? NULL : mesh_find(e->mesh, due.link);
        if (due.is_lost) {
            e->counters.tree_lost++;
        }
        if (l == NULL || !tree_links_is_usable(l)) {
            if (due.is_lost) {
                peer_reconcile_after_loss(e);
            }
            continue; /* its turn comes again, with another announcer */
        }
        if (due.is_lost) {
            link_ask_repair(l, REPAIR_MISSED);
            peer_look_by(e, e->now_us);
        } else {
            e->counters.tree_grafts++;
            tree_links_try(e, l, due.tree, due.id);
        }
    }
}

static void announce_due(struct engine *e)
{
    uint64_t id = 0;
    uint32_t tree = 0;
    while (tree_next_late(e->tree, e->now_us, &id, &tree)) {
        for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
            if (tree_links_is_up(e, l) && tree_links_is_lazy(l, tree)) {
                announce(e, l, TREE_LATE, tree, id);
            }
        }
    }
}

void spread_turn(struct engine *e)
{
    ask_for_due(e);
    announce_due(e);
    if (e->now_us < e->news_at_us) {
        return;
    }
    e->news_at_us = NEVER;
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->news.len > 0 && l->state == LINK_OPEN) {
            flush_news(e, l);
        }
    }
}

uint64_t spread_deadline(const struct engine *e)
{
    const uint64_t tree_us = tree_deadline(e->tree);
    return min_u64(tree_us, e->news_at_us);
}
