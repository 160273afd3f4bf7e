#include "gossip/spread.h"

#include "spread_rig.h"

static void how_a_record_came_is_told_from_its_kind(void **state)
{
    (void)state;
    static const struct {
        unsigned kind;
        bool is_shadow, is_large;
        enum spread_way way;
    } rows[] = {
        {0, false, false, SPREAD_RECONCILED},
        {0, false, true, SPREAD_RECONCILED},
        {0, true, false, SPREAD_ASIDE},
        {RECORD_IS_COUNTED, false, false, SPREAD_ASIDE},
        {RECORD_IS_COUNTED, false, true, SPREAD_DIRECT},
        {RECORD_IS_COUNTED, true, true, SPREAD_ASIDE},
        {RECORD_IS_FORWARD, false, false, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD, false, true, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD, true, true, SPREAD_ASIDE},
        {RECORD_IS_FORWARD | RECORD_IS_COUNTED, false, false, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD | RECORD_IS_COUNTED, false, true, SPREAD_FORWARDED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT, false, true, SPREAD_REPEATED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT | RECORD_IS_COUNTED, false, false, SPREAD_REPEATED},
        {RECORD_IS_FORWARD | RECORD_IS_REPEAT, true, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_COUNTED, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_FORWARD, false, true, SPREAD_ASIDE},
        {RECORD_IS_GUARD | RECORD_IS_FORWARD | RECORD_IS_REPEAT, false, true, SPREAD_ASIDE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(spread_way_of((uint8_t)rows[i].kind, rows[i].is_shadow, rows[i].is_large),
                         rows[i].way);
    }
}

/* ---- Sending ---- */

static void a_write_goes_along_its_tree_and_to_other_neighbours_as_an_id(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    struct queued_write w = own_write(f, ID);
    spread_write(&f->spread, &w, ID, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD);
    assert_int_equal(next_write(f, 0), -1);
    assert_int_equal(part_of(f, &w, 0), QUORUM_ASKED);
    assert_true(f->rig.links[0]->is_output_asked);
    assert_int_equal(f->rig.counters.tree_eager, 1);
    assert_int_equal(f->rig.counters.tree_lazy, 2);
    /* Ids wait for more of them. */
    assert_int_equal(spread_deadline(&f->spread), f->spread.env.now_us + GATHER_US);
    turn_after(f, GATHER_US - 1);
    assert_no_frame(f, 1);
    turn_after(f, 1);
    for (int i = 1; i <= 2; i++) {
        const struct frame_tree entry = only_entry(f, i, FRAME_TREE_HAVE);
        assert_int_equal(entry.kind, TREE_SMALL);
        assert_int_equal(entry.tree, f->tree);
        assert_int_equal(entry.id, ID);
        assert_int_equal(next_write(f, i), -1);
        assert_int_equal(part_of(f, &w, i), QUORUM_NONE);
    }
    assert_int_equal(next_write(f, 3), -1);
    assert_no_frame(f, 3);
    assert_true(spread_deadline(&f->spread) == NEVER);
    assert_non_null(tree_find(f->rig.env.tree, ID)); /* it can be asked for */
}

static void who_must_acknowledge_and_is_not_of_the_tree_gets_the_write_itself(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    f->spread.replication_factor = 3; /* one more than the tree's link */
    struct queued_write w = own_write(f, ID);
    spread_write(&f->spread, &w, ID, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD);
    int direct = 0;
    for (int i = 1; i <= 2; i++) {
        const int kind = next_write(f, i);
        const bool is_direct = kind != -1;
        direct += is_direct;
        assert_int_equal(kind, is_direct ? COUNTED : -1);
        assert_int_equal(f->rig.links[i]->news.entries.len, is_direct ? 0 : TREE_ENTRY_BYTES);
        assert_int_equal(part_of(f, &w, i), is_direct ? QUORUM_ASKED : QUORUM_NONE);
    }
    assert_int_equal(direct, 1);
    assert_int_equal(f->rig.counters.tree_eager, 2);
    assert_int_equal(f->rig.counters.tree_lazy, 1);
}

/* A node of the largest enclave has far fewer neighbours. */
static void so_many_lazy_links_hear_of_a_write(void **state)
{
    enum { LAZY_MAX = 128, FIRST = LAZY_MAX - 1 };
    struct spread_rig *f = *state;
    struct link *links[LAZY_MAX + 1];
    f->spread.replication_factor = 1; /* nobody else must have it */
    for (uint32_t count = 1; count <= LAZY_MAX + 1; count++) {
        const struct addr addr = {.port = (uint16_t)(100 + count)};
        struct link *l = mesh_add(f->rig.env.mesh, LINK_OPEN, true, &addr, RIG_NOW_US);
        l->member = &f->rig.members[0];
        tree_links_opened(l);
        l->trees.is_tree = true;
        links[count - 1] = l;
        if (count < FIRST) {
            continue;
        }
        struct queued_write w = own_write(f, ID + count);
        uint32_t told = 0;
        spread_write(&f->spread, &w, ID + count, false);
        for (uint32_t i = 0; i < count; i++) {
            told += links[i]->news.entries.len == TREE_ENTRY_BYTES;
            buf_clear(&links[i]->news.entries);
        }
        assert_int_equal(told, count < LAZY_MAX ? count : LAZY_MAX);
    }
}

static void a_large_value_is_announced_at_once_and_to_lazy_links_when_it_is_late(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    struct queued_write w = own_write(f, ID);
    spread_write(&f->spread, &w, ID, true);
    const struct frame_tree first = only_entry(f, 0, FRAME_TREE_HAVE);
    assert_int_equal(first.kind, TREE_LARGE);
    assert_int_equal(first.id, ID);
    assert_int_equal(f->rig.links[0]->big.count, 0);
    assert_int_equal(part_of(f, &w, 0), QUORUM_ASKED);
    turn_after(f, LATE_US - 1);
    assert_no_frame(f, 1);
    turn_after(f, 1);
    assert_no_frame(f, 0);
    assert_no_frame(f, 3);
    for (int i = 1; i <= 2; i++) {
        const struct frame_tree late = only_entry(f, i, FRAME_TREE_HAVE);
        assert_int_equal(late.kind, TREE_LATE);
        assert_int_equal(late.tree, f->tree);
        assert_int_equal(late.id, ID);
    }
}

static void to_one_who_must_acknowledge_a_large_value_is_announced_outside_of_the_tree(void **state)
{
    struct spread_rig *f = *state;
    struct queued_write w = own_write(f, ID);
    shape(f, f->tree);
    spread_direct(&f->spread, f->rig.links[1], &w, ID, true);
    assert_int_equal(only_entry(f, 1, FRAME_TREE_HAVE).kind, TREE_DIRECT);
    assert_int_equal(part_of(f, &w, 1), QUORUM_ASKED);
    spread_direct(&f->spread, f->rig.links[2], &w, ID, false);
    assert_int_equal(next_write(f, 2), COUNTED);
    assert_int_equal(part_of(f, &w, 2), QUORUM_ASKED);
}

static void in_a_small_enclave_a_write_goes_to_all_whose_clock_is_ours(void **state)
{
    struct spread_rig *f = *state;
    struct queued_write w = own_write(f, ID);
    f->rig.links[1]->clock.is_conflict = true;
    f->rig.links[2]->state = LINK_HELLO;
    spread_write(&f->spread, &w, ID, false);
    spread_write(&f->spread, &w, ID, true);
    for (int i = 0; i < RIG_LINKS; i++) {
        const bool is_sent = i != 1 && i != 2;
        assert_int_equal(next_write(f, i), is_sent ? COUNTED : -1);
        assert_int_equal(f->rig.links[i]->big.count, is_sent);
        assert_int_equal(f->rig.links[i]->news.entries.len, 0);
    }
    assert_null(tree_find(f->rig.env.tree, ID));
}

static void a_small_enclave_passes_writes_on_while_somebody_is_not_linked(void **state)
{
    struct spread_rig *f = *state;
    const struct member_card card = {.uuid = rig_uuid(STRANGER),
                                     .incarnation = 1,
                                     .version_min = PROTOCOL_VERSION_MIN,
                                     .version_max = PROTOCOL_VERSION_MAX,
                                     .name = "m",
                                     .enclave = "e"};
    struct queued_write w = own_write(f, ID);
    struct member *m = NULL;
    assert_int_equal(swim_meet(f->swim, &card, NULL, RIG_NOW_US, &m), RC_OK);
    assert_true(overlay_add(&f->rig.overlay, &card.uuid));
    spread_write(&f->spread, &w, ID, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD);
    assert_non_null(tree_find(f->rig.env.tree, ID));
    m->link = f->rig.links[3]->id;
    f->rig.links[3]->state = LINK_RIVAL;
    spread_write(&f->spread, &w, ID, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD);
    f->rig.links[3]->state = LINK_OPEN;
    m->link = 0;
    spread_again(&f->spread, f->rig.links[0], &w, ID, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD | RECORD_IS_REPEAT);
    /* It is linked now, which is asked again only when links have come or gone. */
    m->link = f->rig.links[3]->id;
    spread_write(&f->spread, &w, ID + 1, false);
    assert_int_equal(next_write(f, 0), COUNTED);
    assert_null(tree_find(f->rig.env.tree, ID + 1));
    m->link = 0;
    spread_write(&f->spread, &w, ID + 2, false);
    assert_int_equal(next_write(f, 0), COUNTED);
    spread_relinked(&f->spread);
    spread_write(&f->spread, &w, ID + 3, false);
    assert_int_equal(next_write(f, 0), COUNTED | FORWARD);
}

static void a_write_is_sent_again_only_to_a_link_of_the_trees(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    struct queued_write w = own_write(f, ID);
    spread_again(&f->spread, f->rig.links[1], &w, ID, false);
    assert_int_equal(next_write(f, 1), COUNTED | FORWARD | RECORD_IS_REPEAT);
    spread_again(&f->spread, f->rig.links[2], &w, ID, true);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_HAVE).kind, TREE_LARGE);
    spread_again(&f->spread, f->rig.links[3], &w, ID, false);
    assert_int_equal(next_write(f, 3), -1);
    assert_int_equal(part_of(f, &w, 3), QUORUM_NONE);
}

/* How many notices of this kind wait; all actions go. */
static int notices(struct spread_rig *f, enum notice_kind kind)
{
    struct action action;
    int count = 0;
    while (outbox_next(f->rig.outbox, &action)) {
        count += action.kind == ACTION_NOTICE && action.notice->kind == kind;
    }
    return count;
}

static void a_full_queue_is_emptied_and_the_link_reconciled(void **state)
{
    struct spread_rig *f = *state;
    struct queued_write w = own_write(f, ID);
    struct link *l = f->rig.links[0];
    for (int is_big = 0; is_big < 2; is_big++) {
        const struct write_queue *q = is_big ? &l->big : &l->live;
        for (int i = 0; i < LINK_QUEUE_MAX; i++) {
            assert_int_equal(link_enqueue(l, &w, is_big), RC_OK);
        }
        assert_int_equal(f->rig.counters.link_overflows, is_big);
        l->repair.reasons = 0;
        f->spread.look_at_us = NEVER;
        w.version.stamp = ID + 1;
        spread_write(&f->spread, &w, ID + 1, is_big);
        assert_int_equal(q->count, 1);
        assert_int_equal(q->items[q->head].version.stamp, ID + 1);
        assert_int_equal(l->repair.reasons, REPAIR_NO_ROOM);
        assert_int_equal(f->spread.look_at_us, f->spread.env.now_us);
        assert_int_equal(f->rig.counters.link_overflows, is_big + 1);
        assert_int_equal(notices(f, NOTICE_LINK_OVERFLOW), 1);
    }
    assert_int_equal(f->rig.links[1]->live.count, 1); /* the other links are as they were */
    assert_int_equal(f->rig.links[1]->repair.reasons, 0);
    assert_int_equal(l->big_done, LINK_QUEUE_MAX); /* dropped: nobody waits for them */
}

static void ids_that_wait_are_bounded_and_go_out_in_frames_of_limited_length(void **state)
{
    struct spread_rig *f = *state;
    struct queued_write w = own_write(f, ID);
    const uint64_t most = LINK_NEWS_BYTES_MAX / TREE_ENTRY_BYTES;
    shape(f, f->tree);
    for (uint64_t i = 0; i <= most; i++) {
        spread_write(&f->spread, &w, i * TREE_SHAPING_EVERY + 1, false);
    }
    struct link *l = f->rig.links[1];
    assert_int_equal(l->news.entries.len, most * TREE_ENTRY_BYTES);
    assert_int_equal(f->rig.counters.tree_lazy, 2 * most);
    turn_after(f, GATHER_US);
    assert_int_equal(l->news.entries.len, 0);
    struct frame_tree entry;
    assert_int_equal(rig_next_frame(&f->rig, 1, &entry), FRAME_TREE_HAVE);
    assert_int_equal(entry.id, 1);
    assert_int_equal(rig_next_frame(&f->rig, 1, &entry), FRAME_TREE_HAVE);
    assert_int_equal(entry.id, (uint64_t)TREE_ENTRIES_MAX * TREE_SHAPING_EVERY + 1);
    assert_int_equal(rig_next_frame(&f->rig, 1, &entry), 0);
}

/* ---- Passing on ---- */

static void the_first_copy_goes_on_along_the_tree_and_the_second_prunes_its_link(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    const uint32_t tree = tree_of(&r.record.version.origin);
    shape(f, tree);
    rig_make_eager(&f->rig, 3, tree);
    arrive(f, 3, &r, FORWARD);
    assert_int_equal(next_write(f, 0), FORWARD);
    assert_int_equal(next_write(f, 3), -1); /* where it came from */
    assert_int_equal(f->rig.links[3]->news.entries.len, 0);
    turn_after(f, GATHER_US);
    for (int i = 1; i <= 2; i++) {
        const struct frame_tree entry = only_entry(f, i, FRAME_TREE_HAVE);
        assert_int_equal(entry.kind, TREE_SMALL);
        assert_int_equal(entry.tree, tree);
        assert_int_equal(entry.id, id_of(f, &r));
        assert_int_equal(next_write(f, i), -1);
    }
    arrive(f, 0, &r, FORWARD | RECORD_IS_REPEAT); /* says nothing about the tree */
    assert_int_equal(f->rig.counters.tree_duplicates, 0);
    assert_no_frame(f, 0);
    arrive(f, 0, &r, FORWARD);
    assert_int_equal(f->rig.counters.tree_duplicates, 1);
    assert_int_equal(only_entry(f, 0, FRAME_TREE_PRUNE).tree, tree);
    assert_true(tree_links_is_lazy(f->rig.links[0], tree));
    for (int i = 0; i < RIG_LINKS; i++) {
        assert_int_equal(next_write(f, i), -1);
        assert_int_equal(f->rig.links[i]->news.entries.len, 0);
    }
}

static void what_a_detour_brought_goes_on_as_one(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    struct frame_record asked = record_of(STRANGER, "asked", NULL);
    const uint32_t tree = tree_of(&r.record.version.origin);
    shape(f, tree);
    f->rig.links[1]->role.peer_flags |= ROLE_IS_LARGE;
    arrive(f, 1, &r, FORWARD | RECORD_IS_REPEAT);
    assert_no_frame(f, 1); /* the tree does not bring the link in */
    assert_int_equal(next_write(f, 0), FORWARD | RECORD_IS_REPEAT);
    assert_true(tree_find(f->rig.env.tree, id_of(f, &r))->is_detour);
    assert_int_equal(tree_find(f->rig.env.tree, id_of(f, &r))->grafted, 0);
    /* And by a link that was grafted for it, which may be too much later. */
    tree_links_try(&f->spread.env, f->rig.links[1], tree, id_of(f, &asked));
    arrive(f, 1, &asked, FORWARD);
    assert_int_equal(next_write(f, 0), FORWARD | RECORD_IS_REPEAT);
    assert_int_equal(tree_find(f->rig.env.tree, id_of(f, &asked))->grafted, f->rig.links[1]->id);
}

static void the_tree_brings_in_a_lazy_link_on_which_a_first_copy_came(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    const uint32_t tree = tree_of(&r.record.version.origin);
    shape(f, tree);
    f->rig.links[1]->role.peer_flags |= ROLE_IS_LARGE;
    arrive(f, 1, &r, FORWARD);
    assert_int_equal(only_entry(f, 1, FRAME_TREE_GRAFT).id, TREE_NO_ID);
    assert_false(tree_links_is_lazy(f->rig.links[1], tree));
}

static void a_large_value_goes_on_as_an_announcement(void **state)
{
    struct spread_rig *f = *state;
    struct blob *blob = large_value();
    struct frame_record r = record_of(STRANGER, "key", blob);
    shape(f, tree_of(&r.record.version.origin));
    arrive(f, 1, &r, FORWARD | RECORD_IS_REPEAT);
    assert_int_equal(only_entry(f, 0, FRAME_TREE_HAVE).kind, TREE_LARGE);
    assert_int_equal(f->rig.links[0]->big.count, 0);
    turn_after(f, LATE_US - 1);
    assert_no_frame(f, 2);
    turn_after(f, 1);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_HAVE).kind, TREE_LATE);
    assert_no_frame(f, 3);
    /* A node that is asked for it sends it. */
    take_entry(f, 2, FRAME_TREE_GRAFT, TREE_LATE, tree_of(&r.record.version.origin), id_of(f, &r));
    assert_int_equal(f->rig.links[2]->big.count, 1);
    assert_int_equal(f->rig.links[2]->live.count, 0);
    blob_release(blob);
}

static void a_large_value_from_its_origin_is_announced_to_others_once(void **state)
{
    struct spread_rig *f = *state;
    struct blob *blob = large_value();
    struct frame_record r = record_of(STRANGER, "key", blob);
    shape(f, tree_of(&r.record.version.origin));
    arrive(f, 1, &r, COUNTED);
    assert_no_frame(f, 0);
    arrive(f, 0, &r, FORWARD);
    turn_after(f, LATE_US);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_HAVE).kind, TREE_LATE);
    assert_no_frame(f, 0);
    blob_release(blob);
}

static void what_came_from_its_origin_is_announced_to_all_and_waits_for_the_tree(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    shape(f, tree_of(&r.record.version.origin));
    arrive(f, 1, &r, COUNTED);
    assert_int_equal(f->rig.links[0]->news.entries.len,
                     TREE_ENTRY_BYTES); /* eager, and not pushed to */
    assert_int_equal(f->rig.links[1]->news.entries.len, 0);
    assert_int_equal(f->rig.links[2]->news.entries.len, TREE_ENTRY_BYTES);
    assert_int_equal(f->rig.links[3]->news.entries.len, 0);
    assert_int_equal(next_write(f, 0), -1);
    arrive(f, 2, &r, FORWARD); /* by the tree: it goes on, and was announced before */
    assert_int_equal(next_write(f, 0), FORWARD);
    assert_int_equal(f->rig.counters.tree_lazy, 2);
    assert_int_equal(f->rig.links[1]->news.entries.len, 0);
    assert_int_equal(f->rig.counters.tree_duplicates, 0);
}

static void nothing_goes_on_along_a_link_that_carries_no_data(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    shape(f, tree_of(&r.record.version.origin));
    f->rig.links[0]->clock.is_conflict = true;
    f->rig.links[2]->clock.is_conflict = true;
    arrive(f, 1, &r, FORWARD);
    assert_int_equal(next_write(f, 0), -1);
    assert_int_equal(f->rig.links[2]->news.entries.len, 0);
}

static void ids_that_wait_do_not_go_out_on_a_link_that_is_closing(void **state)
{
    struct spread_rig *f = *state;
    struct queued_write w = own_write(f, ID);
    shape(f, f->tree);
    spread_write(&f->spread, &w, ID, false);
    f->rig.links[1]->state = LINK_CLOSING;
    turn_after(f, GATHER_US);
    assert_no_frame(f, 1);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_HAVE).id, ID);
}

static void what_is_not_held_is_not_passed_on(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    shape(f, tree_of(&r.record.version.origin));
    r.kind = FORWARD;
    spread_arrived(&f->spread, f->rig.links[1], &r, MERGE_OLDER);
    r.record.key = (const uint8_t *)"other";
    r.record.key_len = strlen("other");
    r.kind = COUNTED;
    spread_arrived(&f->spread, f->rig.links[1], &r, MERGE_OLDER);
    assert_int_equal(next_write(f, 0), -1);
    assert_int_equal(f->rig.counters.tree_lazy, 0);
    assert_non_null(tree_find(f->rig.env.tree, id_of(f, &r))); /* and is missing no more */
}

static void what_reconciliation_brings_is_seen_only_where_it_was_missing(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record announced = record_of(STRANGER, "announced", NULL);
    struct frame_record other = record_of(STRANGER, "other", NULL);
    const uint32_t tree = tree_of(&announced.record.version.origin);
    shape(f, tree);
    arrive(f, 1, &other, 0);
    assert_null(tree_find(f->rig.env.tree, id_of(f, &other)));
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_SMALL, tree, id_of(f, &announced));
    other.record.key = (const uint8_t *)"third";
    arrive(f, 1, &other, 0);
    assert_null(tree_find(f->rig.env.tree, id_of(f, &other)));
    arrive(f, 1, &announced, 0);
    assert_non_null(tree_find(f->rig.env.tree, id_of(f, &announced)));
    assert_false(tree_misses_any(f->rig.env.tree));
}

static void what_no_comparison_will_see_goes_on_as_a_write_does(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record fleeting = record_of(STRANGER, "fleeting", NULL);
    struct frame_record again = record_of(STRANGER, "again", NULL);
    fleeting.record.expiry_ms = NOW_MS + 1000;
    again.record.expiry_ms = NOW_MS + 1000;
    shape(f, tree_of(&fleeting.record.version.origin));
    f->spread.is_joining = true; /* then nearly everything is news here, and old to others */
    arrive(f, 1, &fleeting, 0);
    assert_int_equal(next_write(f, 0), -1);
    f->spread.is_joining = false;
    arrive(f, 1, &fleeting, 0); /* which is held by now */
    assert_int_equal(next_write(f, 0), -1);
    arrive(f, 1, &again, 0);
    assert_int_equal(next_write(f, 0), FORWARD | RECORD_IS_REPEAT);
    assert_int_equal(f->rig.links[2]->news.entries.len, TREE_ENTRY_BYTES);
}

static void a_shadow_that_is_about_to_expire_goes_to_all_others(void **state)
{
    struct spread_rig *f = *state;
    enum merge_outcome outcome = MERGE_ABSENT;
    struct record shadow = record_of(STRANGER, "key", NULL).record;
    shadow.value = NULL;
    shadow.value_len = 0;
    shadow.is_shadow = true;
    shape(f, 0);
    f->spread.now_ms = shadow.expiry_ms - 1000;
    spread_shadow(&f->spread, f->rig.links[1], &shadow);
    assert_int_equal(next_write(f, 0), -1); /* it is not held */
    f->spread.now_ms = NOW_MS;
    assert_int_equal(store_merge(f->store, &shadow, NOW_MS, &outcome), RC_OK);
    spread_shadow(&f->spread, f->rig.links[1], &shadow);
    assert_int_equal(next_write(f, 0), -1); /* it has an hour */
    f->spread.now_ms = shadow.expiry_ms - 1000;
    spread_shadow(&f->spread, f->rig.links[1], &shadow);
    assert_int_equal(next_write(f, 0), FORWARD | RECORD_IS_REPEAT);
    assert_int_equal(next_write(f, 1), -1);
    assert_int_equal(next_write(f, 2), FORWARD | RECORD_IS_REPEAT);
    assert_int_equal(next_write(f, 3), -1);
}

static void a_guard_goes_to_all_without_the_value(void **state)
{
    struct spread_rig *f = *state;
    struct blob *blob = large_value();
    struct frame_record small = record_of(STRANGER, "small", NULL);
    struct frame_record large = record_of(STRANGER, "large", blob);
    const bool is_large = f->rig.overlay.is_large;
    const int kind = is_large ? FORWARD | RECORD_IS_REPEAT : COUNTED;
    shape(f, 0);
    arrive(f, 1, &small, RECORD_IS_GUARD);
    arrive(f, 1, &large, RECORD_IS_GUARD);
    spread_guard(&f->spread, &small.record);
    spread_guard(&f->spread, &large.record);
    for (int i = 0; i < RIG_LINKS; i++) {
        const bool is_sent = !is_large || i != 3;
        assert_int_equal(next_write(f, i), is_sent ? kind : -1);
        assert_int_equal(next_write(f, i), is_sent ? kind | RECORD_IS_GUARD : -1);
    }
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_a_record_came_is_told_from_its_kind),
#define LARGE(name) cmocka_unit_test_setup_teardown(name, set_up_large, tear_down)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, set_up_small, tear_down)
        LARGE(a_write_goes_along_its_tree_and_to_other_neighbours_as_an_id),
        LARGE(who_must_acknowledge_and_is_not_of_the_tree_gets_the_write_itself),
        LARGE(so_many_lazy_links_hear_of_a_write),
        LARGE(a_large_value_is_announced_at_once_and_to_lazy_links_when_it_is_late),
        LARGE(to_one_who_must_acknowledge_a_large_value_is_announced_outside_of_the_tree),
        SMALL(in_a_small_enclave_a_write_goes_to_all_whose_clock_is_ours),
        SMALL(a_small_enclave_passes_writes_on_while_somebody_is_not_linked),
        LARGE(a_write_is_sent_again_only_to_a_link_of_the_trees),
        SMALL(a_full_queue_is_emptied_and_the_link_reconciled),
        LARGE(ids_that_wait_are_bounded_and_go_out_in_frames_of_limited_length),
        LARGE(the_first_copy_goes_on_along_the_tree_and_the_second_prunes_its_link),
        LARGE(what_a_detour_brought_goes_on_as_one),
        LARGE(a_large_value_goes_on_as_an_announcement),
        LARGE(a_large_value_from_its_origin_is_announced_to_others_once),
        LARGE(the_tree_brings_in_a_lazy_link_on_which_a_first_copy_came),
        LARGE(what_came_from_its_origin_is_announced_to_all_and_waits_for_the_tree),
        LARGE(nothing_goes_on_along_a_link_that_carries_no_data),
        LARGE(ids_that_wait_do_not_go_out_on_a_link_that_is_closing),
        LARGE(what_is_not_held_is_not_passed_on),
        LARGE(what_reconciliation_brings_is_seen_only_where_it_was_missing),
        LARGE(what_no_comparison_will_see_goes_on_as_a_write_does),
        LARGE(a_shadow_that_is_about_to_expire_goes_to_all_others),
        LARGE(a_guard_goes_to_all_without_the_value),
        SMALL(a_guard_goes_to_all_without_the_value),
#undef SMALL
#undef LARGE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
