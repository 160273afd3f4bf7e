#include "gossip/spread.h"

#include "core/base/units.h"

enum {
    NEWS_DELAY_US = 4 * 1000,   /* announcements gather this long: fewer packets under load */
    LARGE_LATE_US = 500 * 1000, /* a large value may take so long along the tree before others than
                                   the tree's links hear of it */
    FLEETING_LEAD_S = 8,        /* a record that came by reconciliation takes to be compared */
    LAZY_LINKS_MAX = 128,       /* looked at for those that must acknowledge a write */
};

/* Whether our writes are to be passed on: always in a large enclave, in a small one while somebody
 * in it is not linked. */
static bool is_forwarding(struct spread *s)
{
    if (s->env.overlay->is_large || s->is_meshed) {
        return s->env.overlay->is_large;
    }
    for (uint32_t i = 0; i < s->env.overlay->count; i++) {
        const struct member *m = swim_find(s->swim, &s->env.overlay->members[i]);
        const struct link *l = m == NULL ? NULL : mesh_of(s->env.mesh, m);
        if (m != NULL && (l == NULL || l->state != LINK_OPEN)) {
            return true;
        }
    }
    s->is_meshed = true;
    return false;
}

void spread_relinked(struct spread *s)
{
    s->is_meshed = false;
}

/* ---- Sending ---- */

static void look_by(struct spread *s, uint64_t at_us)
{
    s->look_at_us = min_u64(at_us, s->look_at_us);
}

/* A full queue is emptied, and a reconciliation brings the rest. */
static void enqueue(struct spread *s, struct link *l, const struct queued_write *w, bool is_big)
{
    if (link_enqueue(l, w, is_big) != RC_OK) {
        link_clear_queue(l, is_big);
        link_ask_repair(l, REPAIR_NO_ROOM);
        look_by(s, s->env.now_us);
        s->env.counters->link_overflows++;
        outbox_notice(s->outbox, NOTICE_LINK_OVERFLOW, l->member, LINK_QUEUE_MAX, NULL);
        (void)!link_enqueue(l, w, is_big);
    }
    mesh_ask_output(s->env.mesh, l);
}

static void flush_news(struct spread *s, struct link *l)
{
    while (l->news.entries.len > 0) {
        const size_t most = (size_t)TREE_ENTRIES_MAX * TREE_ENTRY_BYTES;
        const size_t len = l->news.entries.len < most ? l->news.entries.len : most;
        /* A peer that does not read will reconcile. */
        (void)mesh_send(s->env.mesh, l, FRAME_TREE_HAVE, buf_data(&l->news.entries), len);
        buf_consume(&l->news.entries, len);
    }
}

static void announce(struct spread *s, struct link *l, enum tree_kind kind, uint32_t tree,
                     uint64_t id)
{
    uint8_t bytes[TREE_ENTRY_BYTES];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct frame_tree entry = {.kind = (uint8_t)kind, .tree = (uint8_t)tree, .id = id};
    frame_tree_write(&c, &entry);
    if (buf_append(&l->news.entries, bytes, c.pos) != RC_OK) {
        return;
    }
    s->env.counters->tree_lazy += kind != TREE_GONE;
    if (kind != TREE_SMALL) {
        flush_news(s, l);
    } else if (s->news_at_us == NEVER) {
        s->news_at_us = s->env.now_us + NEWS_DELAY_US;
    }
}

/* Pushes a write along a tree's link, or announces that a large one can be fetched. */
static void push(struct spread *s, struct link *l, const struct queued_write *w, uint32_t tree,
                 uint64_t id, bool is_big)
{
    if (w->waiter != 0) {
        quorum_note(s->quorum, w->waiter, &l->member->uuid, QUORUM_ASKED);
    }
    if (is_big) {
        announce(s, l, (w->kind & RECORD_IS_FORWARD) != 0 ? TREE_LARGE : TREE_DIRECT, tree, id);
        return;
    }
    s->env.counters->tree_eager++;
    enqueue(s, l, w, false);
}

static void announce_late(struct spread *s, uint64_t id, uint32_t tree)
{
    (void)tree_announce_late(s->env.tree, id, tree, s->env.now_us + LARGE_LATE_US);
}

/* Sends the write also to members that must acknowledge it and are not on its tree's eager links,
 * beginning with another one each time. The others get its id. */
static void send_lazily(struct spread *s, struct link *const *lazy, uint32_t count,
                        struct queued_write *w, uint64_t id, uint32_t direct, bool is_big)
{
    const uint32_t tree = tree_of(s->self);
    const uint32_t first = count == 0 ? 0 : (uint32_t)rng_below(s->rng, count);
    w->kind = RECORD_IS_COUNTED;
    for (uint32_t i = 0; i < count; i++) {
        struct link *l = lazy[(first + i) % count];
        if (i < direct) {
            push(s, l, w, tree, id, is_big);
        } else if (!is_big) {
            announce(s, l, TREE_SMALL, tree, id);
        }
    }
    if (is_big && count > direct) {
        announce_late(s, id, tree);
    }
}

static void send_by_tree(struct spread *s, struct queued_write *w, uint64_t id, bool is_big)
{
    const struct tree_seen seen = {.id = id, .version = w->version, .handle = w->handle};
    const uint32_t tree = tree_of(s->self);
    uint32_t direct = s->replication_factor - 1;
    struct link *lazy[LAZY_LINKS_MAX];
    uint32_t lazy_count = 0;
    (void)tree_see(s->env.tree, &seen, 0, s->env.now_us);
    w->kind = RECORD_IS_COUNTED | RECORD_IS_FORWARD;
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (!tree_links_is_up(s->env.overlay, l)) {
            continue;
        }
        if (tree_links_takes(&s->env, l, tree, id)) {
            push(s, l, w, tree, id, is_big);
            direct -= direct > 0;
        } else if (lazy_count < LAZY_LINKS_MAX) {
            lazy[lazy_count++] = l;
        }
    }
    send_lazily(s, lazy, lazy_count, w, id, direct, is_big);
}

void spread_write(struct spread *s, struct queued_write *w, uint64_t id, bool is_big)
{
    if (s->env.overlay->is_large) {
        send_by_tree(s, w, id, is_big);
        return;
    }
    w->kind = RECORD_IS_COUNTED;
    if (is_forwarding(s)) {
        const struct tree_seen seen = {.id = id, .version = w->version, .handle = w->handle};
        (void)tree_see(s->env.tree, &seen, 0, s->env.now_us);
        w->kind |= RECORD_IS_FORWARD;
    }
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (tree_links_is_usable(l)) {
            enqueue(s, l, w, is_big);
        }
    }
}

void spread_again(struct spread *s, struct link *l, const struct queued_write *w, uint64_t id,
                  bool is_big)
{
    struct queued_write again = *w;
    again.kind = RECORD_IS_COUNTED;
    if (!s->env.overlay->is_large) {
        again.kind |= is_forwarding(s) ? RECORD_IS_FORWARD | RECORD_IS_REPEAT : 0;
        enqueue(s, l, &again, is_big);
    } else if (tree_links_is_up(s->env.overlay, l)) {
        again.kind |= RECORD_IS_FORWARD | RECORD_IS_REPEAT;
        push(s, l, &again, tree_of(s->self), id, is_big);
    }
}

void spread_direct(struct spread *s, struct link *l, const struct queued_write *w, uint64_t id,
                   bool is_big)
{
    struct queued_write direct = *w;
    direct.kind = RECORD_IS_COUNTED;
    push(s, l, &direct, tree_of(s->self), id, is_big);
}

void spread_guard(struct spread *s, const struct record *held)
{
    const bool is_forwarded = s->env.overlay->is_large;
    const unsigned kind =
        (is_forwarded ? RECORD_IS_FORWARD | RECORD_IS_REPEAT : RECORD_IS_COUNTED) |
        (held->blob != NULL ? RECORD_IS_GUARD : 0U);
    const struct queued_write w = {
        .handle = store_find(s->store, held), .version = held->version, .kind = (uint8_t)kind};
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (is_forwarded ? tree_links_is_up(s->env.overlay, l) : tree_links_is_usable(l)) {
            enqueue(s, l, &w, false);
        }
    }
}

/* ---- Passing on ---- */

/* To all links of the tree but the one it came on. `is_told`: it has been announced before. */
static void pass_on(struct spread *s, const struct link *from, const struct tree_seen *seen,
                    bool is_big, bool is_told)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    const struct queued_write w = {
        .handle = seen->handle,
        .version = seen->version,
        .kind = (uint8_t)(RECORD_IS_FORWARD | (seen->is_detour ? RECORD_IS_REPEAT : 0)),
    };
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (l == from || !tree_links_is_up(s->env.overlay, l)) {
            continue;
        }
        if (tree_links_takes(&s->env, l, tree, seen->id)) {
            push(s, l, &w, tree, seen->id, is_big);
        } else if (!is_told && !is_big) {
            announce(s, l, TREE_SMALL, tree, seen->id);
        }
    }
    if (is_big && !is_told) {
        announce_late(s, seen->id, tree);
    }
}

/* It came from its origin itself, which may be gone before the tree has it. So it is announced to
 * all neighbours. */
static void announce_all(struct spread *s, const struct link *from, const struct tree_seen *seen,
                         bool is_big)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (!is_big && l != from && tree_links_is_up(s->env.overlay, l)) {
            announce(s, l, TREE_SMALL, tree, seen->id);
        }
    }
    if (is_big) {
        announce_late(s, seen->id, tree);
    }
}

/* Whether the comparison by which reconciled records travel on leaves this record out, now or by
 * the time that it happens. Then it goes on as a write does. */
static bool is_fleeting(const struct spread *s, const struct record *r)
{
    const uint64_t soon_s = s->now_ms / 1000 + FLEETING_LEAD_S;
    return r->expiry_ms / EPOCH_MS < store_first_epoch(soon_s) && !s->is_joining;
}

void spread_shadow(struct spread *s, const struct link *from, const struct record *shadow)
{
    const struct queued_write w = {
        .handle = store_find(s->store, shadow),
        .version = shadow->version,
        .kind = RECORD_IS_FORWARD | RECORD_IS_REPEAT,
    };
    if (w.handle == 0 || !is_fleeting(s, shadow)) {
        return;
    }
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (l != from && tree_links_is_up(s->env.overlay, l)) {
            enqueue(s, l, &w, false);
        }
    }
}

/* Acknowledges a large value to its origin: a client may wait for it. */
static void say_held(struct spread *s, struct link *l, uint64_t id, uint64_t stamp)
{
    uint8_t payload[16];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, id);
    cursor_put_u64(&c, stamp);
    (void)mesh_send(s->env.mesh, l, FRAME_TREE_HELD, payload, c.pos);
}

/* The tree has brought a large value. Its origin may have announced it to this node as well. */
static void tell_origin(struct spread *s, const struct link *from, const struct tree_seen *seen)
{
    const struct member *m = swim_find(s->swim, &seen->version.origin);
    struct link *l = m == NULL ? NULL : mesh_of(s->env.mesh, m);
    if (l != NULL && l != from && tree_links_is_up(s->env.overlay, l)) {
        say_held(s, l, seen->id, seen->version.stamp);
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
static void react(struct spread *s, struct link *l, const struct tree_seen *seen,
                  enum tree_sight sight, enum spread_way way, bool is_big)
{
    const uint32_t tree = tree_of(&seen->version.origin);
    const bool is_held = seen->handle != 0;
    switch (sight) {
    case TREE_DIRECT_FIRST:
        if (is_held) {
            announce_all(s, l, seen, is_big);
        }
        break;
    case TREE_FIRST:
    case TREE_AFTER_DIRECT:
        if (!seen->is_detour) {
            tree_links_confirm(&s->env, l, tree);
        }
        if (is_held && is_big) {
            tell_origin(s, l, seen);
        }
        if (is_held) {
            pass_on(s, l, seen, is_big, sight == TREE_AFTER_DIRECT);
        }
        break;
    case TREE_AGAIN:
        if (way == SPREAD_FORWARDED) {
            s->env.counters->tree_duplicates++;
            tree_links_came_twice(&s->env, l, tree, seen->id);
        }
        break;
    }
}

/* A record that came by reconciliation goes on as a write does. */
static bool is_news_to_all(const struct spread *s, const struct record *r,
                           enum merge_outcome outcome)
{
    return outcome == MERGE_APPLIED && is_fleeting(s, r);
}

void spread_arrived(struct spread *s, struct link *l, const struct frame_record *f,
                    enum merge_outcome outcome)
{
    const struct record *r = &f->record;
    const enum spread_way way = spread_way_of(f->kind, r->is_shadow, s->env.overlay->is_large);
    const bool is_synced = way == SPREAD_RECONCILED;
    const bool is_passed_on = is_synced && is_news_to_all(s, r, outcome);
    const bool is_only_missed = is_synced && !is_passed_on; /* it counts if it was announced */
    if (way == SPREAD_ASIDE || (is_only_missed && !tree_misses_any(s->env.tree))) {
        return;
    }
    const bool is_held = outcome == MERGE_APPLIED || outcome == MERGE_SAME;
    const bool is_forward = way == SPREAD_FORWARDED || way == SPREAD_REPEATED;
    const uint32_t tree = tree_of(&r->version.origin);
    const struct tree_seen seen = {
        .id = record_write_id(r, store_digest_seed(s->store)),
        .version = r->version,
        .handle = is_held ? store_find(s->store, r) : 0,
        .is_direct = !is_forward && !is_passed_on,
        .is_detour = way != SPREAD_FORWARDED || !tree_links_is_of_tree(&s->env, l, tree),
        .grafted = is_forward && tree_links_is_on_trial(&s->env, l, tree) ? l->id : 0,
    };
    if (!is_only_missed || tree_is_missing(s->env.tree, seen.id)) {
        const enum tree_sight sight = tree_see(s->env.tree, &seen, l->id, s->env.now_us);
        react(s, l, &seen, sight, way, r->blob != NULL);
    }
}

/* ---- Announced, grafted, pruned ---- */

static enum rc take_held(struct spread *s, const struct link *l, struct cursor *c)
{
    const uint64_t id = cursor_u64(c);
    const struct version version = {.stamp = cursor_u64(c), .origin = *s->self};
    quorum_held(s->quorum, quorum_find(s->quorum, id, &version), &l->member->uuid);
    return RC_OK;
}

/* A large value that is here already, and came past the tree, is now announced by the tree. */
static void take_known(struct spread *s, struct link *l, const struct frame_tree *entry)
{
    const struct tree_seen *held = tree_find(s->env.tree, entry->id);
    if (held != NULL && entry->kind != TREE_SMALL &&
        uuid_equal(&held->version.origin, &l->member->uuid)) {
        say_held(s, l, entry->id, held->version.stamp);
    }
    if (entry->kind != TREE_LARGE || held == NULL) {
        return;
    }
    if (!held->is_direct) {
        tree_links_prune(&s->env, l, entry->tree);
        return;
    }
    struct tree_seen seen = *held;
    seen.is_direct = false;
    (void)tree_see(s->env.tree, &seen, l->id, s->env.now_us);
    pass_on(s, l, &seen, true, true);
}

static enum rc take_have(struct spread *s, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        struct frame_tree entry;
        frame_tree_read(c, &entry);
        if (!cursor_ok(c)) {
            return RC_MALFORMED;
        }
        if (entry.kind == TREE_GONE) {
            tree_gone(s->env.tree, entry.id);
            continue;
        }
        const struct tree_news news = {
            .id = entry.id,
            .tree = entry.tree,
            .link = l->id,
            .is_large = entry.kind != TREE_SMALL,
            .is_direct = entry.kind == TREE_DIRECT,
        };
        switch (tree_announced(s->env.tree, &news, s->env.now_us)) {
        case TREE_KNOWN:
            take_known(s, l, &entry);
            break;
        case TREE_TWICE:
            if (entry.kind == TREE_LARGE) {
                tree_links_prune(&s->env, l, entry.tree);
            }
            break;
        case TREE_FETCH:
            tree_links_ask(&s->env, l, (enum tree_kind)entry.kind, entry.tree, entry.id);
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

static void serve_graft(struct spread *s, struct link *l, const struct frame_tree *entry)
{
    const struct tree_seen *seen = tree_find(s->env.tree, entry->id);
    struct record r;
    const bool is_direct = entry->kind == TREE_DIRECT;
    if (!is_direct) {
        tree_links_grafted(l, entry->tree);
    }
    if (entry->id == TREE_NO_ID) {
        return;
    }
    if (seen == NULL || seen->handle == 0 ||
        store_at(s->store, seen->handle, &seen->version, s->now_ms, &r) != RC_OK) {
        announce(s, l, TREE_GONE, entry->tree, entry->id);
        return;
    }
    const uint32_t waiter = quorum_find(s->quorum, entry->id, &seen->version);
    const bool is_counted = is_direct || waiter != 0;
    const struct queued_write w = {
        .handle = seen->handle,
        .version = seen->version,
        .waiter = waiter,
        .kind =
            (uint8_t)((is_direct ? 0 : RECORD_IS_FORWARD) | (is_counted ? RECORD_IS_COUNTED : 0) |
                      (seen->is_detour && !is_direct ? RECORD_IS_REPEAT : 0)),
    };
    s->env.counters->tree_eager++;
    quorum_note(s->quorum, waiter, &l->member->uuid, QUORUM_ASKED);
    enqueue(s, l, &w, r.blob != NULL);
}

static enum rc take_graft(struct spread *s, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        struct frame_tree entry;
        frame_tree_read(c, &entry);
        if (!cursor_ok(c)) {
            return RC_MALFORMED;
        }
        serve_graft(s, l, &entry);
    }
    return RC_OK;
}

static enum rc take_prune(struct spread *s, struct link *l, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        const uint8_t tree = cursor_u8(c);
        if (tree >= TREE_COUNT) {
            return RC_MALFORMED;
        }
        tree_links_pruned(&s->env, l, tree);
    }
    return RC_OK;
}

enum rc spread_frame(struct spread *s, struct link *l, enum frame_type type, struct cursor *payload)
{
    switch ((int)type) {
    case FRAME_TREE_HAVE:
        return take_have(s, l, payload);
    case FRAME_TREE_GRAFT:
        return take_graft(s, l, payload);
    case FRAME_TREE_PRUNE:
        return take_prune(s, l, payload);
    case FRAME_TREE_HELD:
        return take_held(s, l, payload);
    default:
        return RC_MALFORMED;
    }
}

/* ---- Time ---- */

static void ask_for_due(struct spread *s)
{
    struct tree_due due;
    while (tree_next_due(s->env.tree, s->env.now_us, &due)) {
        struct link *l = due.link == 0 ? NULL : mesh_find(s->env.mesh, due.link);
        if (due.is_lost) {
            s->env.counters->tree_lost++;
        }
        if (l == NULL || !tree_links_is_usable(l)) {
            if (due.is_lost) {
                look_by(s, reconcile_after_loss(s->reconcile, s->env.now_us));
            }
            continue; /* its turn comes again, with another announcer */
        }
        if (due.is_lost) {
            link_ask_repair(l, REPAIR_MISSED);
            look_by(s, s->env.now_us);
        } else {
            s->env.counters->tree_grafts++;
            tree_links_try(&s->env, l, due.tree, due.id);
        }
    }
}

static void announce_due(struct spread *s)
{
    uint64_t id = 0;
    uint32_t tree = 0;
    while (tree_next_late(s->env.tree, s->env.now_us, &id, &tree)) {
        for (struct link *l = mesh_first(s->env.mesh); l != NULL;
             l = mesh_after(s->env.mesh, l->id)) {
            if (tree_links_is_up(s->env.overlay, l) && tree_links_is_lazy(l, tree)) {
                announce(s, l, TREE_LATE, tree, id);
            }
        }
    }
}

void spread_turn(struct spread *s)
{
    ask_for_due(s);
    announce_due(s);
    if (s->env.now_us < s->news_at_us) {
        return;
    }
    s->news_at_us = NEVER;
    for (struct link *l = mesh_first(s->env.mesh); l != NULL; l = mesh_after(s->env.mesh, l->id)) {
        if (l->news.entries.len > 0 && l->state == LINK_OPEN) {
            flush_news(s, l);
        }
    }
}

uint64_t spread_deadline(const struct spread *s)
{
    const uint64_t tree_us = tree_deadline(s->env.tree);
    return min_u64(tree_us, s->news_at_us);
}
