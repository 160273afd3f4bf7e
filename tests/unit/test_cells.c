/* How much of what a peer wants one step sends, among how many entries it looks for that, and how
 * much memory a stream takes. */
#include "gossip/repair/cells.h"

#include "sync_pair.h"

enum { ENTRIES = 2 * COLUMN_CODE_STEP + 1, TTL_MS = 600000 };

/* A source of all entries, which has collected their ids, and whose peer will say what it wants. */
static struct cells_source *collected(struct end *e, const struct epoch_sender_env *env)
{
    const uint64_t epoch = (NOW_MS + TTL_MS) / EPOCH_MS;
    struct scope scope = {.rows = NULL};
    for (uint32_t i = 0; i < ENTRIES; i++) {
        store_one(e, i, TTL_MS);
    }
    assert_int_equal(
        scope_add(&scope, epoch / EPOCHS_PER_GROUP, UINT64_C(1) << (epoch % EPOCHS_PER_GROUP)),
        RC_OK);
    struct cells_source *s = cells_source_new(1, 99, SYNC_CUT_ALL, 0, &scope, CELLS_FIRST_MIN);
    while (!s->column.is_collected) {
        assert_int_equal(cells_source_step(s, env), RC_AGAIN);
    }
    assert_int_equal(s->column.count, ENTRIES);
    return s;
}

static void want(struct cells_source *s, const uint64_t *ids, uint32_t count)
{
    uint8_t *bytes = mem_new(count, sizeof(*ids));
    struct cursor c = cursor_writer(bytes, count * sizeof(*ids));
    for (uint32_t i = 0; i < count; i++) {
        cursor_put_u64(&c, ids[i]);
    }
    c = cursor_reader(bytes, c.pos);
    assert_int_equal(cells_source_want(s, WANT_IS_WHOLE, &c), RC_OK);
    free(bytes);
}

static struct epoch_sender_env env_of(struct end *e)
{
    return (struct epoch_sender_env){.store = e->store,
                                     .link = e->link,
                                     .quorum = e->quorum,
                                     .counters = &e->counters,
                                     .now_ms = NOW_MS};
}

static void a_step_sends_so_many_records(void **state)
{
    enum { WANTED = 2 * EPOCH_SENDER_STEP_ENTRIES + 1 };
    struct pair *p = *state;
    const struct epoch_sender_env env = env_of(&p->ends[0]);
    struct cells_source *s = collected(&p->ends[0], &env);
    uint64_t ids[WANTED];
    for (uint32_t i = 0; i < WANTED; i++) {
        ids[i] = column_id(&s->column, i);
    }
    want(s, ids, WANTED);
    for (uint64_t sent = EPOCH_SENDER_STEP_ENTRIES; sent < WANTED;
         sent += EPOCH_SENDER_STEP_ENTRIES) {
        assert_int_equal(cells_source_step(s, &env), RC_AGAIN);
        assert_int_equal(s->sent, sent);
    }
    assert_int_equal(cells_source_step(s, &env), RC_AGAIN);
    assert_int_equal(s->sent, WANTED);
    cells_source_free(s, p->ends[0].store);
}

static void a_step_looks_at_so_many_entries_for_what_is_not_there(void **state)
{
    struct pair *p = *state;
    const struct epoch_sender_env env = env_of(&p->ends[0]);
    struct cells_source *s = collected(&p->ends[0], &env);
    const uint64_t nowhere = 1;
    want(s, &nowhere, 1);
    for (size_t looked_at = COLUMN_CODE_STEP; looked_at < ENTRIES; looked_at += COLUMN_CODE_STEP) {
        assert_int_equal(cells_source_step(s, &env), RC_AGAIN);
        assert_true(s->is_answering);
        assert_int_equal(s->column.looked_at, looked_at);
    }
    assert_int_equal(cells_source_step(s, &env), RC_AGAIN);
    assert_false(s->is_answering);
    assert_int_equal(s->sent, 0);
    cells_source_free(s, p->ends[0].store);
}

/* The sink's node may hold little: tables stay small, and differences are settled all the same. */
static void a_sink_holds_no_more_than_its_cells_take(void **state)
{
    enum { CELLS = 1024, OF_EACH = 6000, REST = 8 << 10 };
    struct pair *p = *state;
    struct end *sink = &p->ends[1];
    uint64_t most = 0;
    uint32_t bits = 0;
    sync_free(sink->sync);
    sink->config.cells_max = CELLS;
    sink->sync = sync_new(&sink->config);
    for (uint32_t i = 0; i < 2 * OF_EACH; i++) {
        store_one(&p->ends[i % 2], i, TTL_MS);
    }
    assert_int_equal(sync_start(p->ends[0].sync, p->ends[0].link, SYNC_CUT_ALL, p->now_us), RC_OK);
    for (int rounds = 0; rounds == 0 || !is_idle(&p->ends[0]) || !is_idle(sink); rounds++) {
        assert_int_not_equal(rounds, ROUNDS_MAX);
        step(p);
        const struct session *side = sink->link->sync;
        const uint64_t bytes = session_memory(side);
        most = bytes > most ? bytes : most;
        bits = side->sink != NULL ? side->sink->slice_bits : bits;
    }
    assert_equal_contents(p);
    assert_in_range(bits, 4, COLUMN_SLICE_BITS_MAX);
    assert_in_range(most, CELLS * sizeof(struct iblt_cell), CELLS * CELLS_SINK_CELL_BYTES + REST);
    assert_int_equal(sink->counters.syncs_undecoded, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_sends_so_many_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_looks_at_so_many_entries_for_what_is_not_there,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sink_holds_no_more_than_its_cells_take, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
