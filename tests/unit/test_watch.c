#include "watch_rig.h"

/* ---- Beginning ---- */

static void a_new_watch_is_told_every_entry_of_the_prefix_and_then_that_it_is_live(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    put(rig, "a/1", "x");
    put(rig, "b/1", "x");
    put(rig, "a/2", "x");
    open_stream(rig, &s, "a/", "");
    const char *text = read_more(&s);
    assert_memory_equal(text, "retry: 1000\nid:\nevent: reset\ndata: {\"reason\":\"new\"}\n\n", 52);
    assert_int_equal(count_of(text, "event: put\n"), 2);
    assert_null(strstr(text, "b/1"));
    /* No id until it is live, so that a watcher that ends here begins anew. */
    assert_int_equal(count_of(text, "id: "), 1);
    assert_non_null(strstr(text, "id: " ID_OF_A_SLASH "0\nevent: live\ndata: {}\n\n"));
    assert_string_equal(read_more(&s), "");
    assert_int_equal(watch_stats(rig->watch).reset_total, 1);
    close_stream(&s);
}

static void without_snapshot_no_entry_is_listed(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    put(rig, "a", "x");
    assert_int_equal(open_with(rig, &s, (struct watch_request){.id = 0}, "", ""), RC_OK);
    const char *text = read_more(&s);
    assert_int_equal(count_of(text, "event: "), 2);
    assert_non_null(strstr(text, "event: reset"));
    assert_non_null(strstr(text, "event: live"));
    close_stream(&s);
}

/* The first piece of a listing of many entries, k0000 to k1999. */
static void begin_long_listing(struct rig *rig, struct stream *s)
{
    char key[16];
    struct buf piece;
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof(key), "k%04d", i);
        put(rig, key, "x");
    }
    open_stream(rig, s, "", "");
    buf_init(&piece, PIECE_MAX);
    assert_true(s->rs.produce(s->rs.arg, &piece));
    assert_true(piece.len < PIECE_MAX / 2);
    assert_int_equal(buf_append(&s->text, buf_data(&piece), piece.len), RC_OK);
    assert_int_equal(buf_append(&s->text, "", 1), RC_OK);
    buf_fini(&piece);
}

static void what_happens_while_entries_are_listed_is_told_in_order(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    begin_long_listing(rig, &s);
    expire(rig, "k0000");
    put(rig, "k0001", "new");
    const char *text = read_more(&s);
    assert_non_null(strstr(text, "event: expire\ndata: {\"key\":\"k0000\""));
    assert_int_equal(count_of(text, "\"k0001\",\"ttl_ms\":600000,\"size\":3"), 1);
    assert_int_equal(count_of(text, "id: "), 1);
    assert_non_null(strstr(text, "id: " ID_TEXT "2\nevent: live"));
    close_stream(&s);
}

static void what_the_listing_comes_to_yet_is_told_by_it_alone(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    begin_long_listing(rig, &s);
    expire(rig, "k1999");
    put(rig, "k1998", "new");
    put(rig, "l", "new");
    put(rig, "m", "new");
    expire(rig, "m");
    (void)read_more(&s);
    const char *text = (const char *)buf_data(&s.text);
    assert_int_equal(count_of(text, "event: expire"), 0);
    assert_int_equal(count_of(text, "\"k1999\""), 0);
    assert_int_equal(count_of(text, "\"k1998\",\"ttl_ms\":600000,\"size\":3"), 1);
    assert_int_equal(count_of(text, "\"k1998\""), 1);
    assert_int_equal(count_of(text, "\"l\""), 1);
    assert_int_equal(count_of(text, "\"m\""), 0);
    assert_int_equal(count_of(text, "event: put"), 2000);
    /* Once it is live everything is told again. */
    expire(rig, "l");
    assert_non_null(strstr(read_more(&s), "event: expire\ndata: {\"key\":\"l\""));
    close_stream(&s);
}

/* An entry whose time is over stays in the store until its turn comes. */
static void the_end_of_what_was_over_before_the_beginning_is_not_told(void **state)
{
    struct rig *rig = *state;
    struct stream s, other;
    const struct put write = {.key = (const uint8_t *)"short", .key_len = 5, .ttl_ms = 1000};
    put(rig, "long", "x");
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    assert_int_equal(engine_put(&rig->engine, &write, rig->now_us), RC_OK);
    rig->now_us += S;
    open_stream(rig, &other, "", "");
    assert_null(strstr(read_more(&other), "short"));
    expire(rig, "short");
    assert_null(strstr(read_more(&other), "short"));
    assert_int_equal(count_of(read_more(&s), "event: expire\ndata: {\"key\":\"short\""), 1);
    close_stream(&s);
    close_stream(&other);
}

/* One whose time is over by the time that the listing comes to it is told, and its end follows. */
static void what_ends_while_entries_are_listed_is_told_with_its_end(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    const struct put write = {.key = (const uint8_t *)"short", .key_len = 5, .ttl_ms = 1000};
    assert_int_equal(engine_put(&rig->engine, &write, rig->now_us), RC_OK);
    begin_long_listing(rig, &s);
    rig->now_us += S;
    (void)read_more(&s);
    const char *text = (const char *)buf_data(&s.text);
    assert_int_equal(count_of(text, "event: put\ndata: {\"key\":\"short\",\"ttl_ms\":0"), 1);
    expire(rig, "short");
    assert_int_equal(count_of(read_more(&s), "event: expire\ndata: {\"key\":\"short\""), 1);
    close_stream(&s);
}

/* Who wants no entries listed is told all ends, as it may know the entries from elsewhere. */
static void without_snapshot_every_end_is_told(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    put(rig, "a", "x");
    rig->now_us += 600 * S;
    assert_int_equal(open_with(rig, &s, (struct watch_request){.id = 0}, "", ""), RC_OK);
    (void)read_more(&s);
    expire(rig, "a");
    assert_int_equal(count_of(read_more(&s), "event: expire"), 1);
    close_stream(&s);
}

/* ---- Events ---- */

static void a_change_wakes_those_whose_prefix_it_has(void **state)
{
    static const char *const prefixes[] = {"ab", "a", "b"};
    struct rig *rig = *state;
    struct stream s[3];
    for (int i = 0; i < 3; i++) {
        open_stream(rig, &s[i], prefixes[i], "");
        (void)read_more(&s[i]);
    }
    (void)turn(rig);
    put(rig, "a", "hello");
    assert_int_equal(rig->turn_at_us, 0);
    assert_int_equal(turn(rig), 1);
    assert_int_equal(rig->woken[0], 2);
    const char *text = read_more(&s[1]);
    assert_int_equal(strncmp(text, "id: " ID_OF_A "1\nevent: put\ndata: {\"key\":\"a\"", 59), 0);
    expire(rig, "a");
    assert_int_equal(turn(rig), 1);
    text = read_more(&s[1]);
    assert_int_equal(strncmp(text, "id: " ID_OF_A "2\nevent: expire\ndata: {\"key\":\"a\"", 62), 0);
    assert_int_equal(watch_stats(rig->watch).events_total, 2);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(read_more(&s[i]), "");
        close_stream(&s[i]);
    }
}

static void many_changes_of_one_turn_wake_once(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    for (int i = 0; i < 10; i++) {
        put(rig, "a", "x");
    }
    assert_int_equal(turn(rig), 1);
    assert_int_equal(count_of(read_more(&s), "event: put"), 10);
    assert_int_equal(turn(rig), 0);
    close_stream(&s);
}

static void values_are_for_those_who_asked(void **state)
{
    struct rig *rig = *state;
    struct stream with, without;
    put(rig, "old", "before");
    open_stream(rig, &without, "", "");
    const struct watch_request request = {.has_snapshot = true, .has_values = true};
    assert_int_equal(open_with(rig, &with, request, "", ""), RC_OK);
    put(rig, "new", "hello");
    assert_null(strstr(read_more(&without), "value"));
    const char *text = read_more(&with);
    assert_non_null(strstr(text, "\"value\":\"YmVmb3Jl\""));
    assert_non_null(strstr(text, "\"value\":\"aGVsbG8=\""));
    close_stream(&with);
    close_stream(&without);
}

static void silence_is_broken_and_says_where_to_resume(void **state)
{
    struct rig *rig = *state;
    struct stream quiet;
    open_stream(rig, &quiet, "quiet", "");
    (void)read_more(&quiet);
    put(rig, "a", "x");
    put(rig, "b", "x");
    rig->now_us += (uint64_t)WATCH_HEARTBEAT_MS * 1000 - 1;
    assert_int_equal(turn(rig), 0);
    assert_true(rig->turn_at_us <= rig->now_us + 1);
    rig->now_us += 1;
    assert_int_equal(turn(rig), 1);
    assert_string_equal(read_more(&quiet), "id: " ID_OF_QUIET "2\n:\n\n");
    assert_int_equal(turn(rig), 0);
    close_stream(&quiet);
}

static void a_quiet_watcher_is_not_overtaken_by_what_is_not_for_it(void **state)
{
    struct rig *rig = *state;
    struct stream quiet;
    open_stream(rig, &quiet, "quiet", "");
    (void)read_more(&quiet);
    for (int i = 0; i < WATCH_RING_EVENTS_MAX + 100; i++) {
        put(rig, "loud", "x");
    }
    assert_string_equal(read_more(&quiet), "");
    rig->now_us += (uint64_t)WATCH_HEARTBEAT_MS * 1000;
    assert_int_equal(turn(rig), 1);
    put(rig, "quiet", "x");
    assert_non_null(strstr(read_more(&quiet), "event: put"));
    assert_false(quiet.is_over);
    close_stream(&quiet);
}

/* ---- Resuming ---- */

static void who_comes_back_with_an_id_is_told_exactly_what_it_missed(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    open_stream(rig, &s, "a", "");
    (void)read_more(&s);
    put(rig, "a1", "x");
    (void)read_more(&s);
    close_stream(&s);
    put(rig, "a2", "x");
    put(rig, "b2", "x");
    expire(rig, "a1");
    rig->now_us += (uint64_t)(WATCH_LINGER_MS - 1) * 1000;
    (void)turn(rig);
    open_stream(rig, &s, "a", ID_OF_A "1");
    const char *text = read_more(&s);
    assert_null(strstr(text, "reset"));
    assert_int_equal(count_of(text, "event: "), 3);
    assert_non_null(strstr(text, "id: " ID_OF_A "2\nevent: put\ndata: {\"key\":\"a2\""));
    assert_non_null(strstr(text, "id: " ID_OF_A "4\nevent: expire\ndata: {\"key\":\"a1\""));
    assert_non_null(strstr(text, "id: " ID_OF_A "4\nevent: live"));
    assert_int_equal(watch_stats(rig->watch).resumed_total, 1);
    close_stream(&s);
}

static void assert_reset(struct rig *rig, const char *last_id, const char *reason)
{
    struct stream s;
    char wanted[64];
    open_stream(rig, &s, "", last_id);
    (void)snprintf(wanted, sizeof(wanted), "event: reset\ndata: {\"reason\":\"%s\"}\n\n", reason);
    assert_non_null(strstr(read_more(&s), wanted));
    close_stream(&s);
}

/* Whoever may see more or other keys than before does not go on in the middle of them. */
static void who_comes_back_for_something_else_begins_anew(void **state)
{
    struct rig *rig = *state;
    struct stream s, with;
    const struct watch_request request = {.has_snapshot = true, .has_values = true};
    open_stream(rig, &s, "a", "");
    put(rig, "a1", "x");
    close_stream(&s);
    assert_reset(rig, ID_OF_A "1", "other_watch");
    assert_reset(rig, ID_BOOT "ffffffff-1", "other_watch");
    assert_int_equal(open_with(rig, &with, request, "a", ID_OF_A "1"), RC_OK);
    assert_non_null(strstr(read_more(&with), "other_watch"));
    close_stream(&with);
}

/* ---- Rights ---- */

struct rights {
    uint8_t barred; /* the first byte of who may not any more */
    unsigned asked;
    size_t values;
};

static bool may(void *arg, const struct watch_right *right)
{
    struct rights *r = arg;
    r->asked++;
    r->values += right->has_values;
    return right->who[0] != r->barred || right->prefix_len != 1 || right->prefix[0] != 'a';
}

static void whose_right_is_gone_hears_the_end_and_all_others_go_on(void **state)
{
    struct rig *rig = *state;
    struct rights rights = {.barred = 2};
    struct watch_request request = {.has_snapshot = true};
    struct stream gone, other, values;
    request.who[0] = 2;
    assert_int_equal(open_with(rig, &gone, request, "a", ""), RC_OK);
    assert_int_equal(open_with(rig, &other, request, "b", ""), RC_OK);
    request.who[0] = 1;
    request.has_values = true;
    assert_int_equal(open_with(rig, &values, request, "a", ""), RC_OK);
    (void)read_more(&gone);
    (void)read_more(&other);
    (void)read_more(&values);
    watch_review(rig->watch, may, &rights);
    assert_int_equal(rights.asked, 3);
    assert_int_equal(rights.values, 1);
    put(rig, "a", "x"); /* which it does not hear of */
    put(rig, "b", "x");
    (void)turn(rig);
    assert_string_equal(read_more(&gone),
                        "retry: 1000\nevent: end\ndata: {\"code\":\"forbidden\",\"detail\":"
                        "\"The right to watch this was taken back, or the token is over.\"}\n\n");
    assert_true(gone.is_over);
    assert_non_null(strstr(read_more(&other), "event: put"));
    assert_non_null(strstr(read_more(&values), "event: put"));
    assert_false(other.is_over || values.is_over);
    close_stream(&gone);
    watch_review(rig->watch, may, &rights); /* nobody else is touched by a second look */
    assert_int_equal(turn(rig), 0);
    close_stream(&other);
    close_stream(&values);
}

static void ids_of_other_nodes_and_of_no_node_begin_anew(void **state)
{
    struct rig *rig = *state;
    assert_reset(rig, "0123456789abcdee-0", "other_node");
    assert_reset(rig, "0123456789ABCDEF-0", "other_node");
    assert_reset(rig, ID_TEXT, "other_node");
    assert_reset(rig, ID_TEXT "x", "other_node");
    assert_reset(rig, ID_TEXT "-1", "other_node");
    assert_reset(rig, "x", "other_node");
    assert_reset(rig, ID_TEXT "99999999999999999999", "other_node");
    assert_reset(rig, ID_TEXT "7", "too_late"); /* not given out yet */
    assert_reset(rig, ID_TEXT "18446744073709551615", "too_late");
}

static void an_id_that_the_ring_has_passed_begins_anew(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    open_stream(rig, &s, "none", "");
    for (int i = 0; i < WATCH_RING_EVENTS_MAX + 1; i++) {
        put(rig, "a", "x");
    }
    assert_reset(rig, ID_TEXT "0", "too_late");
    close_stream(&s);
    open_stream(rig, &s, "none", ID_OF_NONE "1");
    assert_null(strstr(read_more(&s), "reset"));
    close_stream(&s);
}

static void after_a_while_without_watchers_nothing_is_recorded(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    open_stream(rig, &s, "", "");
    close_stream(&s);
    rig->now_us += (uint64_t)WATCH_LINGER_MS * 1000;
    assert_true(rig->turn_at_us <= rig->now_us);
    assert_non_null(rig->engine.observer.put);
    (void)turn(rig);
    assert_null(rig->engine.observer.put);
    put(rig, "a", "x");
    assert_reset(rig, ID_TEXT "0", "too_late");
    assert_int_equal(watch_stats(rig->watch).events_total, 0);
}

static void values_that_were_not_recorded_are_not_resumed(void **state)
{
    struct rig *rig = *state;
    struct stream without, with;
    const struct watch_request request = {.has_snapshot = true, .has_values = true};
    open_stream(rig, &without, "", "");
    put(rig, "a", "hello");
    assert_int_equal(open_with(rig, &with, request, "", ID_VALUES "0"), RC_OK);
    assert_non_null(strstr(read_more(&with), "too_late"));
    put(rig, "b", "hello");
    close_stream(&with);
    assert_int_equal(open_with(rig, &with, request, "", ID_VALUES "1"), RC_OK);
    assert_non_null(strstr(read_more(&with), "\"value\":\"aGVsbG8=\""));
    assert_null(strstr((const char *)buf_data(&with.text), "reset"));
    close_stream(&with);
    /* A while after the last that wanted values they are recorded no more, whoever else watches. */
    rig->now_us += (uint64_t)WATCH_LINGER_MS * 1000 + 1;
    (void)turn(rig);
    put(rig, "c", "hello");
    assert_int_equal(open_with(rig, &with, request, "", ID_VALUES "2"), RC_OK);
    assert_non_null(strstr(read_more(&with), "too_late"));
    close_stream(&with);
    close_stream(&without);
}

/* ---- Ends ---- */

static void who_is_overtaken_is_cut_off_and_told_why(void **state)
{
    struct rig *rig = *state;
    struct stream slow;
    open_stream(rig, &slow, "", "");
    (void)read_more(&slow);
    for (int i = 0; i < WATCH_RING_EVENTS_MAX + 1; i++) {
        put(rig, "a", "x");
    }
    const char *text = read_more(&slow);
    assert_true(slow.is_over);
    assert_non_null(strstr(text, "event: end\ndata: {\"code\":\"overloaded\""));
    assert_null(strstr(text, "event: put"));
    close_stream(&slow);
    assert_int_equal(watch_stats(rig->watch).cut_total, 1);
}

static void who_ends_while_something_has_long_waited_did_not_keep_up(void **state)
{
    struct rig *rig = *state;
    struct stream slow, quick;
    open_stream(rig, &slow, "", "");
    open_stream(rig, &quick, "", "");
    (void)read_more(&slow);
    (void)read_more(&quick);
    put(rig, "a", "x");
    (void)turn(rig);
    rig->now_us += (uint64_t)WATCH_SLOW_MS * 1000 + 1;
    (void)read_more(&quick);
    close_stream(&quick);
    assert_int_equal(watch_stats(rig->watch).cut_total, 0);
    close_stream(&slow);
    assert_int_equal(watch_stats(rig->watch).cut_total, 1);
}

static void there_are_only_so_many(void **state)
{
    struct rig *rig = *state;
    struct stream s[4];
    for (int i = 0; i < 3; i++) {
        open_stream(rig, &s[i], "", "");
    }
    assert_int_equal(open_with(rig, &s[3], (struct watch_request){.id = 0}, "", ""), RC_FULL);
    assert_int_equal(watch_stats(rig->watch).watchers, 3);
    assert_int_equal(watch_stats(rig->watch).refused_total, 1);
    for (int i = 0; i < 4; i++) {
        close_stream(&s[i]);
    }
    assert_int_equal(watch_stats(rig->watch).watchers, 0);
}

static void a_node_that_shuts_down_ends_its_streams(void **state)
{
    struct rig *rig = *state;
    struct stream s, late;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    watch_drain(rig->watch);
    assert_int_equal(turn(rig), 1);
    assert_non_null(strstr(read_more(&s), "\"code\":\"draining\""));
    assert_true(s.is_over);
    close_stream(&s);
    assert_int_equal(open_with(rig, &late, (struct watch_request){.id = 0}, "", ""), RC_DRAINING);
    close_stream(&late);
    assert_int_equal(watch_stats(rig->watch).refused_total, 0);
}

static void wakes_are_done_in_slices(void **state)
{
    struct rig *rig = *state;
    enum { MANY = WATCH_WAKES_MAX + 5 };
    struct stream *s = mem_new(MANY, sizeof(*s));
    rig_watch(rig, &rig->engine, MANY, on_wake);
    for (int i = 0; i < MANY; i++) {
        open_stream(rig, &s[i], "", "");
        (void)read_more(&s[i]);
    }
    put(rig, "a", "x");
    assert_int_equal(turn(rig), WATCH_WAKES_MAX);
    assert_int_equal(rig->turn_at_us, 0);
    assert_int_equal(turn(rig), 5);
    for (int i = 0; i < MANY; i++) {
        close_stream(&s[i]);
    }
    free(s);
}

/* A connection that takes everything, and calls its producer from within the wake. */
static struct stream *greedy;

static void on_wake_and_read(void *arg, uint64_t id)
{
    struct rig *rig = arg;
    struct buf piece;
    on_wake(arg, id);
    buf_init(&piece, PIECE_MAX);
    assert_true(greedy->rs.produce(greedy->rs.arg, &piece));
    buf_fini(&piece);
    rig->now_us += WATCH_TURN_US / 4;
}

static void who_has_much_to_be_told_is_woken_once_a_turn_and_turns_are_short(void **state)
{
    struct rig *rig = *state;
    enum { MANY = 8 };
    struct stream s[MANY];
    rig_watch(rig, &rig->engine, MANY, on_wake_and_read);
    char key[16];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof(key), "k%04d", i);
        put(rig, key, "x");
    }
    greedy = &s[0];
    open_stream(rig, &s[0], "", "");
    on_wake_and_read(rig, 1);
    assert_int_equal(turn(rig), 1);
    assert_int_equal(rig->turn_at_us, 0);
    (void)read_more(&s[0]);
    for (int i = 1; i < MANY; i++) {
        open_stream(rig, &s[i], "", "");
        (void)read_more(&s[i]);
    }
    (void)turn(rig);
    put(rig, "k0000", "x");
    assert_int_equal(turn(rig), 4);
    assert_int_equal(rig->turn_at_us, 0);
    assert_int_equal(turn(rig), 4);
    for (int i = 0; i < MANY; i++) {
        close_stream(&s[i]);
    }
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(a_new_watch_is_told_every_entry_of_the_prefix_and_then_that_it_is_live),
        RIG(without_snapshot_no_entry_is_listed),
        RIG(what_happens_while_entries_are_listed_is_told_in_order),
        RIG(what_the_listing_comes_to_yet_is_told_by_it_alone),
        RIG(the_end_of_what_was_over_before_the_beginning_is_not_told),
        RIG(what_ends_while_entries_are_listed_is_told_with_its_end),
        RIG(without_snapshot_every_end_is_told),
        RIG(a_change_wakes_those_whose_prefix_it_has),
        RIG(many_changes_of_one_turn_wake_once),
        RIG(values_are_for_those_who_asked),
        RIG(silence_is_broken_and_says_where_to_resume),
        RIG(a_quiet_watcher_is_not_overtaken_by_what_is_not_for_it),
        RIG(who_comes_back_with_an_id_is_told_exactly_what_it_missed),
        RIG(who_comes_back_for_something_else_begins_anew),
        RIG(whose_right_is_gone_hears_the_end_and_all_others_go_on),
        RIG(ids_of_other_nodes_and_of_no_node_begin_anew),
        RIG(an_id_that_the_ring_has_passed_begins_anew),
        RIG(after_a_while_without_watchers_nothing_is_recorded),
        RIG(values_that_were_not_recorded_are_not_resumed),
        RIG(who_is_overtaken_is_cut_off_and_told_why),
        RIG(who_ends_while_something_has_long_waited_did_not_keep_up),
        RIG(there_are_only_so_many),
        RIG(a_node_that_shuts_down_ends_its_streams),
        RIG(wakes_are_done_in_slices),
        RIG(who_has_much_to_be_told_is_woken_once_a_turn_and_turns_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
