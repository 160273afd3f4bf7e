#include "gossip/spread.h"

#include "spread_rig.h"

enum { TWO_ENTRIES = 2 * TREE_ENTRY_BYTES };

static void frames_of_bad_length_or_content_are_malformed(void **state)
{
    struct spread_rig *f = *state;
    static const uint8_t zeros[TWO_ENTRIES];
    static const uint8_t bad_tree[] = {0, TREE_COUNT, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t bad_kind[] = {TREE_GONE + 1, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const struct {
        enum frame_type type;
        const uint8_t *data;
        size_t len;
        enum rc rc;
    } rows[] = {
        {FRAME_TREE_HAVE, zeros, 0, RC_OK},
        {FRAME_TREE_HAVE, zeros, 1, RC_MALFORMED},
        {FRAME_TREE_HAVE, zeros, TREE_ENTRY_BYTES - 1, RC_MALFORMED},
        {FRAME_TREE_HAVE, zeros, TWO_ENTRIES - 1, RC_MALFORMED},
        {FRAME_TREE_HAVE, bad_tree, sizeof(bad_tree), RC_MALFORMED},
        {FRAME_TREE_HAVE, bad_kind, sizeof(bad_kind), RC_MALFORMED},
        {FRAME_TREE_GRAFT, zeros, 0, RC_OK},
        {FRAME_TREE_GRAFT, zeros, TWO_ENTRIES, RC_OK},
        {FRAME_TREE_GRAFT, zeros, TREE_ENTRY_BYTES - 1, RC_MALFORMED},
        {FRAME_TREE_GRAFT, zeros, TREE_ENTRY_BYTES + 1, RC_MALFORMED},
        {FRAME_TREE_GRAFT, bad_tree, sizeof(bad_tree), RC_MALFORMED},
        {FRAME_TREE_GRAFT, bad_kind, sizeof(bad_kind), RC_MALFORMED},
        {FRAME_TREE_PRUNE, zeros, TREE_COUNT, RC_OK},
        {FRAME_TREE_PRUNE, bad_tree, 2, RC_MALFORMED},
        {FRAME_TREE_HELD, zeros, 16, RC_OK},
        {FRAME_TREE_HELD, zeros, 15, RC_MALFORMED},
        {FRAME_TREE_HELD, zeros, 0, RC_MALFORMED},
        {FRAME_ACK, zeros, 8, RC_MALFORMED}, /* which is nothing of the trees' */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(take_bytes(f, 0, rows[i].type, rows[i].data, rows[i].len), rows[i].rc);
    }
}

static void an_announced_write_that_does_not_come_is_asked_for_on_trial(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID);
    const uint64_t due_us = spread_deadline(&f->spread);
    assert_in_range(due_us, RIG_NOW_US + TREE_WAIT_MIN_US, RIG_NOW_US + TREE_WAIT_MAX_US);
    turn_after(f, due_us - RIG_NOW_US - 1);
    assert_no_frame(f, 1);
    turn_after(f, 1);
    const struct frame_tree entry = only_entry(f, 1, FRAME_TREE_GRAFT);
    assert_int_equal(entry.id, ID);
    assert_int_equal(entry.tree, f->tree);
    assert_true(tree_links_is_on_trial(&f->spread.env, f->rig.links[1], f->tree));
    assert_int_equal(f->rig.counters.tree_grafts, 1);
}

static void what_is_asked_for_in_vain_is_left_to_a_reconciliation(void **state)
{
    struct spread_rig *f = *state;
    struct frame_tree entry;
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID + 1);
    for (int i = 0; i < 100 && f->rig.counters.tree_lost < 2; i++) {
        assert_false(f->reconcile.is_owed);
        assert_int_equal(f->rig.links[1]->repair.reasons, 0);
        f->spread.env.now_us = spread_deadline(&f->spread);
        spread_turn(&f->spread);
    }
    assert_int_equal(f->rig.counters.tree_lost, 2);
    assert_int_equal(f->rig.counters.tree_grafts, 2 * TREE_ATTEMPTS_MAX);
    assert_int_equal(f->rig.links[1]->repair.reasons, REPAIR_MISSED);
    assert_int_equal(f->spread.look_at_us, f->spread.env.now_us);
    while (rig_next_frame(&f->rig, 1, &entry) != 0) {
        assert_int_equal(entry.id - ID, entry.id != ID);
    }
    /* The announcer is gone as well: any other member will do. */
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID + 2);
    tree_link_gone(f->rig.env.tree, f->rig.links[2]->id, f->spread.env.now_us);
    assert_false(f->reconcile.is_owed);
    f->spread.env.now_us = spread_deadline(&f->spread);
    spread_turn(&f->spread);
    assert_true(f->reconcile.is_owed);
}

static void nobody_is_asked_whose_link_carries_no_data(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID);
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID);
    f->rig.links[1]->clock.is_conflict = true;
    for (int i = 0; i < 2; i++) {
        f->spread.env.now_us = spread_deadline(&f->spread);
        spread_turn(&f->spread);
    }
    assert_no_frame(f, 1);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_GRAFT).id, ID);
}

static void a_write_that_is_gone_is_missing_no_more(void **state)
{
    struct spread_rig *f = *state;
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID);
    assert_true(tree_is_missing(f->rig.env.tree, ID));
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_GONE, f->tree, ID + 1);
    assert_true(tree_is_missing(f->rig.env.tree, ID));
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_GONE, f->tree, ID);
    assert_false(tree_is_missing(f->rig.env.tree, ID));
    assert_no_frame(f, 1);
}

static void a_large_value_is_fetched_from_the_first_who_announces_it(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_LARGE, f->tree, ID);
    const struct frame_tree graft = only_entry(f, 1, FRAME_TREE_GRAFT);
    assert_int_equal(graft.kind, TREE_LARGE);
    assert_int_equal(graft.id, ID);
    take_entry(f, 0, FRAME_TREE_HAVE, TREE_LATE, f->tree, ID);
    assert_no_frame(f, 0); /* a lazy link, which goes on announcing */
    take_entry(f, 0, FRAME_TREE_HAVE, TREE_LARGE, f->tree, ID);
    assert_int_equal(only_entry(f, 0, FRAME_TREE_PRUNE).tree, f->tree);
}

static void one_that_its_origin_announces_is_no_reason_to_prune_the_tree(void **state)
{
    struct spread_rig *f = *state;
    shape(f, f->tree);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_DIRECT, f->tree, ID);
    const struct frame_tree graft = only_entry(f, 1, FRAME_TREE_GRAFT);
    assert_int_equal(graft.kind, TREE_DIRECT);
    assert_true(tree_links_is_lazy(f->rig.links[1], f->tree));
    take_entry(f, 0, FRAME_TREE_HAVE, TREE_LARGE, f->tree, ID);
    assert_no_frame(f, 0);
}

static void of_too_many_announced_writes_the_rest_is_reconciled(void **state)
{
    struct spread_rig *f = *state;
    for (uint64_t i = 0; i < TREE_MISSING_MAX; i++) {
        take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID + i);
    }
    assert_int_equal(f->rig.links[1]->repair.reasons, 0);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, f->tree, ID + TREE_MISSING_MAX);
    assert_int_equal(f->rig.links[1]->repair.reasons, REPAIR_NO_ROOM);
}

static void the_origin_that_announces_a_large_value_which_is_here_hears_that_it_is_held(
    void **state)
{
    struct spread_rig *f = *state;
    struct blob *blob = large_value();
    const struct uuid *origin = &f->rig.members[1].uuid;
    struct frame_record r = record_of(origin->bytes[0], "key", blob);
    const uint32_t tree = tree_of(origin);
    shape(f, tree);
    arrive(f, 2, &r, COUNTED); /* outside of the tree */
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_SMALL, tree, id_of(f, &r));
    assert_no_frame(f, 1);
    take_entry(f, 1, FRAME_TREE_HAVE, TREE_LATE, tree, id_of(f, &r));
    assert_int_equal(only_entry(f, 1, FRAME_TREE_HELD).id, id_of(f, &r));
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_LATE, tree, id_of(f, &r));
    assert_no_frame(f, 2); /* it is not of this one */
    /* The tree announces it: it goes on along the tree, and is not fetched again. */
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_LARGE, tree, id_of(f, &r));
    assert_no_frame(f, 2);
    assert_int_equal(only_entry(f, 0, FRAME_TREE_HAVE).kind, TREE_LARGE);
    take_entry(f, 2, FRAME_TREE_HAVE, TREE_LARGE, tree, id_of(f, &r));
    assert_int_equal(only_entry(f, 2, FRAME_TREE_PRUNE).tree, tree);
    assert_no_frame(f, 0);
    turn_after(f, LATE_US); /* announced late once, and not again for the tree */
    assert_int_equal(only_entry(f, 1, FRAME_TREE_HAVE).kind, TREE_LATE);
    blob_release(blob);
}

static void a_large_value_that_the_tree_brings_is_told_to_its_origin(void **state)
{
    struct spread_rig *f = *state;
    struct blob *blob = large_value();
    const struct member_card card = {.uuid = f->rig.members[2].uuid,
                                     .incarnation = 1,
                                     .version_min = PROTOCOL_VERSION_MIN,
                                     .version_max = PROTOCOL_VERSION_MAX,
                                     .name = "m",
                                     .enclave = "e"};
    struct frame_record r = record_of(card.uuid.bytes[0], "key", blob);
    struct frame_record other = record_of(card.uuid.bytes[0], "other", blob);
    struct frame_record third = record_of(card.uuid.bytes[0], "third", blob);
    struct frame_record small = record_of(card.uuid.bytes[0], "small", NULL);
    const uint32_t tree = tree_of(&card.uuid);
    struct member *origin = NULL;
    assert_int_equal(swim_meet(f->swim, &card, NULL, RIG_NOW_US, &origin), RC_OK);
    origin->link = f->rig.links[2]->id;
    shape(f, tree);
    arrive(f, 0, &r, FORWARD);
    assert_int_equal(only_entry(f, 2, FRAME_TREE_HELD).id, id_of(f, &r));
    arrive(f, 2, &other, FORWARD); /* from itself: the record is acknowledged */
    assert_no_frame(f, 2);
    f->rig.links[2]->clock.is_conflict = true;
    arrive(f, 0, &third, FORWARD);
    assert_no_frame(f, 2);
    f->rig.links[2]->clock.is_conflict = false;
    arrive(f, 0, &small, FORWARD); /* small ones go to those who must acknowledge them */
    assert_no_frame(f, 2);
    blob_release(blob);
}

static void a_graft_is_served_with_what_is_held(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    const uint32_t tree = tree_of(&r.record.version.origin);
    arrive(f, 0, &r, FORWARD | RECORD_IS_REPEAT);
    take_entry(f, 1, FRAME_TREE_GRAFT, TREE_DIRECT, tree, id_of(f, &r));
    assert_int_equal(next_write(f, 1), COUNTED);
    assert_true(tree_links_is_lazy(f->rig.links[1], tree)); /* that one alone */
    take_entry(f, 1, FRAME_TREE_GRAFT, TREE_SMALL, tree, id_of(f, &r));
    assert_int_equal(next_write(f, 1), FORWARD | RECORD_IS_REPEAT);
    assert_false(tree_links_is_lazy(f->rig.links[1], tree));
    take_entry(f, 2, FRAME_TREE_GRAFT, TREE_SMALL, tree, TREE_NO_ID);
    assert_int_equal(next_write(f, 2), -1);
    assert_false(tree_links_is_lazy(f->rig.links[2], tree));
    assert_no_frame(f, 2);
}

static void who_asks_for_what_is_not_held_hears_that_it_is_gone(void **state)
{
    struct spread_rig *f = *state;
    struct frame_record r = record_of(STRANGER, "key", NULL);
    const uint32_t tree = tree_of(&r.record.version.origin);
    take_entry(f, 1, FRAME_TREE_GRAFT, TREE_SMALL, tree, ID);
    const struct frame_tree gone = only_entry(f, 1, FRAME_TREE_HAVE);
    assert_int_equal(gone.kind, TREE_GONE);
    assert_int_equal(gone.id, ID);
    assert_int_equal(f->rig.counters.tree_lazy, 0);
    assert_int_equal(f->rig.counters.tree_eager, 0);
    arrive(f, 0, &r, FORWARD);
    f->spread.now_ms = r.record.expiry_ms;
    take_entry(f, 1, FRAME_TREE_GRAFT, TREE_SMALL, tree, id_of(f, &r));
    assert_int_equal(only_entry(f, 1, FRAME_TREE_HAVE).kind, TREE_GONE);
}

static void who_asks_for_a_write_that_waits_is_one_of_those_that_may_hold_it(void **state)
{
    struct spread_rig *f = *state;
    enum merge_outcome outcome = MERGE_ABSENT;
    struct frame_record r = record_of(SELF, "key", NULL);
    const uint64_t id = id_of(f, &r);
    assert_int_equal(store_merge(f->store, &r.record, NOW_MS, &outcome), RC_OK);
    struct queued_write w = {.handle = store_find(f->store, &r.record),
                             .version = r.record.version};
    wait_for_holder(f, &w, id);
    spread_write(&f->spread, &w, id, false);
    take_entry(f, 1, FRAME_TREE_GRAFT, TREE_SMALL, f->tree, id);
    const struct write_queue *q = &f->rig.links[1]->live;
    assert_int_equal(q->items[q->head].waiter, w.waiter);
    assert_int_equal(next_write(f, 1), FORWARD | COUNTED);
    assert_int_equal(part_of(f, &w, 1), QUORUM_ASKED);
    assert_int_equal(part_of(f, &w, 2), QUORUM_NONE);
}

static void a_prune_makes_each_tree_that_it_names_lazy(void **state)
{
    struct spread_rig *f = *state;
    static const uint8_t trees[] = {2, 5};
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        rig_make_eager(&f->rig, 0, tree);
    }
    assert_int_equal(take_bytes(f, 0, FRAME_TREE_PRUNE, trees, sizeof(trees)), RC_OK);
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        assert_int_equal(tree_links_is_lazy(f->rig.links[0], tree), tree == 2 || tree == 5);
    }
}

/* HELD comes on the link, for the write of this id and stamp. */
static void take_held_of(struct spread_rig *f, int i, uint64_t id, uint64_t stamp)
{
    uint8_t bytes[16];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u64(&c, id);
    cursor_put_u64(&c, stamp);
    assert_int_equal(take_bytes(f, i, FRAME_TREE_HELD, bytes, sizeof(bytes)), RC_OK);
}

static void held_counts_its_sender_for_exactly_that_write(void **state)
{
    struct spread_rig *f = *state;
    struct action action;
    (void)own_write(f, ID);
    take_held_of(f, 1, ID, ID + 1);
    take_held_of(f, 1, ID + 1, ID);
    assert_false(outbox_next(f->rig.outbox, &action));
    take_held_of(f, 1, ID, ID);
    assert_true(outbox_next(f->rig.outbox, &action));
    assert_int_equal(action.kind, ACTION_PUT_DONE);
    assert_int_equal(action.put.token, ID);
    assert_int_equal(action.put.status, PUT_QUORUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LARGE(name) cmocka_unit_test_setup_teardown(name, set_up_large, tear_down)
        LARGE(frames_of_bad_length_or_content_are_malformed),
        LARGE(an_announced_write_that_does_not_come_is_asked_for_on_trial),
        LARGE(nobody_is_asked_whose_link_carries_no_data),
        LARGE(what_is_asked_for_in_vain_is_left_to_a_reconciliation),
        LARGE(a_write_that_is_gone_is_missing_no_more),
        LARGE(a_large_value_is_fetched_from_the_first_who_announces_it),
        LARGE(one_that_its_origin_announces_is_no_reason_to_prune_the_tree),
        LARGE(of_too_many_announced_writes_the_rest_is_reconciled),
        LARGE(the_origin_that_announces_a_large_value_which_is_here_hears_that_it_is_held),
        LARGE(a_large_value_that_the_tree_brings_is_told_to_its_origin),
        LARGE(a_graft_is_served_with_what_is_held),
        LARGE(who_asks_for_what_is_not_held_hears_that_it_is_gone),
        LARGE(who_asks_for_a_write_that_waits_is_one_of_those_that_may_hold_it),
        LARGE(a_prune_makes_each_tree_that_it_names_lazy),
        LARGE(held_counts_its_sender_for_exactly_that_write),
#undef LARGE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
