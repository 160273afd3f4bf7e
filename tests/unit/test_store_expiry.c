/* How entries leave the store, what their memory does then, and who is told. */
#include "core/store/pagepool.h"
#include "store_rig.h"

struct log {
    uint64_t count;
    uint64_t now_ms;
    char last[64];
};

static void note_expired(void *arg, const struct record *r)
{
    struct log *log = arg;
    log->count++;
    assert_false(r->is_shadow);
    assert_true(r->expiry_ms <= log->now_ms);
    assert_true(r->key_len < sizeof(log->last));
    memcpy(log->last, r->key, r->key_len);
    log->last[r->key_len] = '\0';
}

static void observe(struct store *s, struct log *log)
{
    const struct store_observer observer = {.arg = log, .expired = note_expired};
    store_observe(s, &observer);
}

static void expiry_frees_each_record_within_64_ms_and_none_before_its_time(void **state)
{
    (void)state;
    enum { COUNT = 2000, SPAN_MS = 200000 };
    struct store *s = new_store(1 << 24);
    struct log log = {0};
    observe(s, &log);
    char key[16];
    for (uint64_t i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", (int)i);
        struct record r = record_of(key, "value", T0, T0 + 1 + i * SPAN_MS / COUNT);
        enum merge_outcome outcome = MERGE_ABSENT;
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
    }
    uint64_t now_ms = T0;
    while (store_stats(s).keys > 0) {
        const uint64_t deadline_ms = store_deadline(s);
        now_ms = deadline_ms > now_ms ? deadline_ms : now_ms;
        log.now_ms = now_ms;
        store_expire(s, now_ms, 100);
        const uint64_t over = now_ms <= T0 ? 0 : (now_ms - T0 - 1) * COUNT / SPAN_MS + 1;
        const uint64_t over_late =
            now_ms <= T0 + 64 ? 0 : (now_ms - 64 - T0 - 1) * COUNT / SPAN_MS + 1;
        assert_true(log.count <= over);
        assert_true(log.count >= (over_late < COUNT ? over_late : COUNT));
    }
    assert_int_equal(log.count, COUNT);
    assert_string_equal(log.last, "key1999");
    assert_int_equal(store_deadline(s), UINT64_MAX);
    store_check(s);
    store_free(s);
}

static void a_storm_is_freed_in_slices_and_the_memory_comes_back(void **state)
{
    (void)state;
    enum { COUNT = 100000, SLICE = 1000 };
    struct store *s = new_store(UINT64_MAX);
    struct log log = {.now_ms = T0 + 600000};
    observe(s, &log);
    char key[16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        struct record r = record_of(key, "value", T0, T0 + 600000);
        enum merge_outcome outcome = MERGE_ABSENT;
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
    }
    store_check(s);
    assert_true(store_deadline(s) <= T0 + 600064);
    struct record r;
    assert_int_equal(get(s, "key77", log.now_ms, &r), RC_NOT_FOUND);
    assert_int_equal(store_next_key(s, NULL, 0, NULL, 0, log.now_ms, &r), RC_NOT_FOUND);
    size_t calls = 0;
    size_t handled = SLICE;
    while (handled == SLICE) {
        handled = store_expire(s, log.now_ms, SLICE);
        assert_true(handled <= SLICE);
        calls++;
        if (calls == 50) {
            store_check(s);
        }
    }
    assert_int_equal(log.count, COUNT);
    assert_true(calls <= 2 * COUNT / SLICE + 1);
    const struct store_stats stats = store_stats(s);
    assert_int_equal(stats.keys, 0);
    assert_int_equal(stats.bytes_used, 0);
    assert_int_equal(stats.expired_total, COUNT);
    assert_true(pagepool_pages(store_pages(s)) > 50);
    assert_true(store_has_spare(s));
    size_t turns = 0;
    while (store_trim(s)) {
        turns++;
    }
    assert_true(turns <= 3 * (size_t)PAGEPOOL_WINDOW_CALLS);
    assert_int_equal(pagepool_pages(store_pages(s)), 0);
    assert_false(store_has_spare(s));
    store_check(s);
    store_free(s);
}

/* One small shadow after the other comes to lie between entries that leave. */
static void memory_of_entries_goes_back_while_their_shadows_stay(void **state)
{
    (void)state;
    enum { COUNT = 20000, VALUE = 1500, SHADOWS_PER_PAGE = 1000 };
    static char value[VALUE + 1];
    struct store *s = new_store(UINT64_MAX);
    char key[16];
    memset(value, 'v', VALUE);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        struct record old = record_of(key, value, T0, T0 + 3600000);
        struct record young = record_of(key, value, T0 + 1, T0 + 1000);
        enum merge_outcome outcome = MERGE_ABSENT; /* not merge(): that walks the store each time */
        assert_int_equal(store_merge(s, &old, T0, &outcome), RC_OK);
        assert_int_equal(store_merge(s, &young, T0, &outcome), RC_OK);
        assert_int_equal(outcome, MERGE_APPLIED);
    }
    const uint64_t pages = pagepool_pages(store_pages(s));
    assert_true(pages > COUNT * VALUE / PAGEPOOL_PAGE_BYTES);
    while (store_expire(s, T0 + 70000, 1000) == 1000) {
    }
    assert_int_equal(store_stats(s).shadows, COUNT);
    assert_true(store_has_spare(s));
    size_t turns = 0;
    while (store_trim(s)) {
        turns++;
    }
    assert_true(turns <= 5 * (size_t)PAGEPOOL_WINDOW_CALLS);
    assert_true(pagepool_pages(store_pages(s)) <=
                COUNT / SHADOWS_PER_PAGE + PAGEPOOL_LOOSE_MIN + 2 * PAGEPOOL_REGION_PAGES);
    store_check(s);
    struct record r;
    struct record back = record_of("key77", value, T0, T0 + 3600000);
    assert_int_equal(merge(s, &back, T0 + 80000), MERGE_OLDER);
    assert_int_equal(get(s, "key77", T0 + 80000, &r), RC_NOT_FOUND);
    store_free(s);
}

static void what_expires_far_in_the_past_is_freed_after_a_long_pause(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record a = record_of("a", "1", T0, T0 + 1000);
    struct record b = record_of("b", "2", T0, T0 + 9000000);
    struct record c = record_of("c", "3", T0, T0 + 90000000);
    merge(s, &a, T0);
    merge(s, &b, T0);
    merge(s, &c, T0);
    assert_int_equal(store_expire(s, T0 + 80000000, 100), 2);
    assert_value(s, "c", T0 + 80000000, "3");
    store_check(s);
    store_free(s);
}

/* ---- Observing ---- */

struct diary {
    char text[512]; /* "+key " for a put, "-key " for an expiry */
};

static void note(struct diary *diary, char sign, const struct record *r)
{
    const size_t len = strlen(diary->text);
    assert_false(r->is_shadow);
    (void)snprintf(diary->text + len, sizeof(diary->text) - len, "%c%.*s=%.*s ", sign,
                   (int)r->key_len, (const char *)r->key, r->value == NULL ? 0 : (int)r->value_len,
                   (const char *)r->value);
}

static void note_put(void *arg, const struct record *r)
{
    note(arg, '+', r);
}

static void note_end(void *arg, const struct record *r)
{
    note(arg, '-', r);
}

static void an_observer_is_told_of_each_change_once_whoever_makes_it(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct diary diary = {""};
    const struct store_observer observer = {&diary, note_put, note_end};
    const struct record unseen = record_of("u", "0", T0, T0 + 500);
    merge(s, &unseen, T0);
    store_observe(s, &observer);
    const struct record one = record_of("a", "1", T0, T0 + 9000);
    const struct record older = record_of("a", "0", T0 - 1, T0 + 9500);
    const struct record two = record_of("a", "2", T0 + 1, T0 + 1000);
    merge(s, &one, T0);
    merge(s, &one, T0);
    merge(s, &older, T0);
    merge(s, &two, T0);
    assert_string_equal(diary.text, "+a=1 +a=2 ");
    /* It is not yet freed when its key is written again, and its end is reported all the same. */
    diary.text[0] = '\0';
    const struct record three = record_of("a", "3", T0 + 2000, T0 + 99000);
    merge(s, &three, T0 + 2000);
    assert_string_equal(diary.text, "-a=2 +a=3 ");
    diary.text[0] = '\0';
    /* A shadow's end, and a record that is over on arrival, are no events. */
    const struct record over = record_of("o", "x", T0, T0 + 1500);
    merge(s, &over, T0 + 2000);
    store_expire(s, T0 + 3000, 100);
    assert_string_equal(diary.text, "-u=0 ");
    store_expire(s, T0 + 99000, 100);
    store_expire(s, T0 + 999000, 100);
    assert_string_equal(diary.text, "-u=0 -a=3 ");
    diary.text[0] = '\0';
    /* But for what is over on arrival and takes the place of a live record, which is no longer
     * shown. */
    const struct record lasting = record_of("d", "1", T0 + 999000, T0 + 1999000);
    const struct record brief = record_of("d", "2", T0 + 999001, T0 + 999500);
    merge(s, &lasting, T0 + 1000000);
    merge(s, &brief, T0 + 1000000);
    merge(s, &brief, T0 + 1000000);
    assert_int_equal(get(s, "d", T0 + 1000000, &(struct record){0}), RC_NOT_FOUND);
    store_expire(s, T0 + 1999000, 100);
    assert_string_equal(diary.text, "+d=1 -d= ");
    store_observe(s, NULL);
    const struct record four = record_of("a", "4", T0 + 999000, T0 + 1999000);
    merge(s, &four, T0 + 999000);
    assert_string_equal(diary.text, "+d=1 -d= ");
    store_free(s);
}

/* Its key lies in the entry that it displaces. */
static void an_observer_hears_the_key_of_a_record_that_the_store_lent_out(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct diary diary = {""};
    const struct store_observer observer = {&diary, note_put, note_end};
    struct record r = record_of("key", "value", T0, T0 + 5000);
    merge(s, &r, T0);
    store_observe(s, &observer);
    assert_int_equal(get(s, "key", T0 + 1000, &r), RC_OK);
    r.version = version_at(T0 + 1, 7);
    r.expiry_ms = T0 + 500; /* over by now */
    assert_int_equal(merge(s, &r, T0 + 1000), MERGE_APPLIED);
    assert_string_equal(diary.text, "-key= ");
    store_free(s);
}

static void an_observed_store_wants_each_expiry_in_its_millisecond(void **state)
{
    (void)state;
    enum { COUNT = 500, STEP_MS = 371 };
    struct store *s = new_store(1 << 20);
    struct log log = {.count = 0};
    observe(s, &log);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i);
        const uint64_t expiry_ms = T0 + 1000 + (uint64_t)i * STEP_MS;
        const struct record r = record_of(key, "v", T0, expiry_ms);
        merge(s, &r, T0);
    }
    uint64_t now_ms = T0;
    while (log.count < COUNT) {
        const uint64_t deadline_ms = store_deadline(s);
        const size_t before = log.count;
        now_ms = deadline_ms > now_ms ? deadline_ms : now_ms;
        log.now_ms = now_ms;
        store_expire(s, now_ms, 1000);
        if (log.count > before) {
            assert_int_equal(log.count, before + 1);
            assert_int_equal(now_ms, T0 + 1000 + before * STEP_MS);
        }
    }
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiry_frees_each_record_within_64_ms_and_none_before_its_time),
        cmocka_unit_test(a_storm_is_freed_in_slices_and_the_memory_comes_back),
        cmocka_unit_test(memory_of_entries_goes_back_while_their_shadows_stay),
        cmocka_unit_test(what_expires_far_in_the_past_is_freed_after_a_long_pause),
        cmocka_unit_test(an_observer_is_told_of_each_change_once_whoever_makes_it),
        cmocka_unit_test(an_observer_hears_the_key_of_a_record_that_the_store_lent_out),
        cmocka_unit_test(an_observed_store_wants_each_expiry_in_its_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
