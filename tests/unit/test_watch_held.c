/* Watchers that have to wait, and those that are ended: what a client hears while there is nothing
 * to tell it yet, and at last. */
#include "watch_rig.h"

#define WAITING "retry: 1000\n: the node is still catching up\n\n"

static void pass_ms(struct rig *rig, uint64_t ms)
{
    rig->now_us += ms * 1000;
}

/* A turn at the time that was asked for, which is when those who are held are looked at. */
static size_t next_turn(struct rig *rig)
{
    assert_true(rig->turn_at_us <= rig->now_us + (uint64_t)WATCH_HELD_MS * 1000);
    pass_ms(rig, WATCH_HELD_MS);
    return turn(rig);
}

static void who_comes_while_the_node_catches_up_begins_once_it_has(void **state)
{
    static const uint32_t reasons[] = {READY_JOINING, READY_NO_CLOCK,
                                       READY_JOINING | READY_NO_CLOCK};
    struct rig *rig = *state;
    struct stream s;
    put(rig, "a", "x");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        rig->engine.status.unready = reasons[i];
        open_stream(rig, &s, "", "");
        assert_string_equal(read_more(&s), WAITING);
        assert_int_equal(next_turn(rig), 0);
        assert_string_equal(read_more(&s), "");
        rig->engine.status.unready = READY_NO_QUORUM;
        assert_int_equal(next_turn(rig), 1);
        const char *text = read_more(&s);
        assert_memory_equal(text, "retry: 1000\nid:\nevent: reset\ndata: {\"reason\":\"new\"}\n\n",
                            52);
        assert_int_equal(count_of(text, "event: put\n"), 1);
        assert_int_equal(count_of(text, "event: live\n"), 1);
        assert_int_equal(watch_stats(rig->watch).reset_total, i + 1);
        close_stream(&s);
    }
}

/* What a node gets while it catches up is nobody's news: those who wait are told all of it then. */
static void nothing_is_recorded_for_who_waits(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    rig->engine.status.unready = READY_JOINING;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    assert_null(rig->engine.observer.put);
    put(rig, "a", "x");
    assert_int_equal(watch_stats(rig->watch).watchers, 1);
    assert_int_equal(watch_stats(rig->watch).events_total, 0);
    rig->engine.status.unready = 0;
    assert_int_equal(next_turn(rig), 1);
    assert_int_equal(count_of(read_more(&s), "event: put\n"), 1);
    put(rig, "b", "x");
    assert_non_null(strstr(read_more(&s), "\"b\""));
    close_stream(&s);
}

static void who_waits_hears_a_sign_of_life(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    rig->engine.status.unready = READY_JOINING;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    for (int i = 0; i < 3; i++) {
        pass_ms(rig, WATCH_HEARTBEAT_MS - 1);
        assert_int_equal(turn(rig), 0);
        pass_ms(rig, 1);
        assert_int_equal(turn(rig), 1);
        assert_string_equal(read_more(&s), ":\n\n");
    }
    close_stream(&s);
    assert_int_equal(watch_stats(rig->watch).cut_total, 0); /* it was not slow */
}

static void before_the_node_has_an_engine_watchers_wait_too(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    rig_watch(rig, NULL, 1, on_wake);
    open_stream(rig, &s, "", "0000000000000001-7");
    assert_string_equal(read_more(&s), WAITING);
    assert_int_equal(next_turn(rig), 0);
    watch_serve(rig->watch, &rig->engine);
    assert_int_equal(rig->turn_at_us, 0);
    assert_int_equal(turn(rig), 1);
    assert_non_null(strstr(read_more(&s), "event: reset\ndata: {\"reason\":\"other_node\"}"));
    close_stream(&s);
}

/* When the node is stopped, and when it goes on at another port. */
static void without_an_engine_a_stream_can_be_ended(void **state)
{
    static const struct {
        enum rc why;
        const char *words;
    } cases[] = {
        {RC_DRAINING, "retry: 1000\nevent: end\ndata: {\"code\":\"draining\""},
        {RC_JOINING, "retry: 1000\nevent: end\ndata: {\"code\":\"joining\""},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stream s;
        rig->woken_count = 0;
        rig_watch(rig, NULL, 1, on_wake);
        open_stream(rig, &s, "", "");
        (void)read_more(&s);
        watch_end(rig->watch, cases[i].why);
        assert_int_equal(rig->woken_count, 1);
        assert_non_null(strstr(read_more(&s), cases[i].words));
        assert_true(s.is_over);
        close_stream(&s);
    }
    rig_watch(rig, &rig->engine, 1, on_wake);
}

/* A node that has to catch up again tells those who come back what they missed. */
static void who_waits_may_go_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    struct stream s, other;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    put(rig, "a", "x");
    put(rig, "b", "x");
    rig->engine.status.unready = READY_JOINING;
    open_stream(rig, &other, "", ID_TEXT "1");
    assert_string_equal(read_more(&other), WAITING);
    assert_non_null(strstr(read_more(&s), "\"b\"")); /* who was there before goes on */
    rig->engine.status.unready = 0;
    (void)next_turn(rig);
    const char *text = read_more(&other);
    assert_null(strstr(text, "reset"));
    assert_int_equal(count_of(text, "event: put\n"), 1);
    close_stream(&s);
    close_stream(&other);
}

static void values_are_recorded_from_when_one_who_wants_them_begins(void **state)
{
    struct rig *rig = *state;
    struct stream s;
    const struct watch_request request = {.has_snapshot = true, .has_values = true};
    rig->engine.status.unready = READY_JOINING;
    assert_int_equal(open_with(rig, &s, request, "", ""), RC_OK);
    (void)read_more(&s);
    rig->engine.status.unready = 0;
    (void)next_turn(rig);
    (void)read_more(&s);
    put(rig, "a", "hello");
    assert_non_null(strstr(read_more(&s), "\"value\":\"aGVsbG8=\""));
    close_stream(&s);
}

static void those_who_wait_count_against_the_limit_and_may_leave(void **state)
{
    struct rig *rig = *state;
    struct stream s[4];
    rig->engine.status.unready = READY_JOINING;
    for (int i = 0; i < 3; i++) {
        open_stream(rig, &s[i], "", "");
        (void)read_more(&s[i]);
    }
    assert_int_equal(open_with(rig, &s[3], (struct watch_request){.id = 0}, "", ""), RC_FULL);
    assert_int_equal(watch_stats(rig->watch).refused_total, 1);
    close_stream(&s[3]);
    close_stream(&s[1]);
    pass_ms(rig, (uint64_t)WATCH_SLOW_MS + 1);
    rig->engine.status.unready = 0;
    assert_int_equal(turn(rig), 2);
    close_stream(&s[0]); /* woken, and gone before it has asked */
    close_stream(&s[2]);
    assert_int_equal(watch_stats(rig->watch).watchers, 0);
    assert_int_equal(watch_stats(rig->watch).cut_total, 0);
}

static void a_node_that_leaves_takes_no_watcher_and_ends_those_who_wait(void **state)
{
    struct rig *rig = *state;
    struct stream s, late;
    rig->engine.status.unready = READY_JOINING;
    open_stream(rig, &s, "", "");
    (void)read_more(&s);
    rig->engine.status.unready = READY_JOINING | READY_DRAINING;
    assert_int_equal(open_with(rig, &late, (struct watch_request){.id = 0}, "", ""), RC_DRAINING);
    close_stream(&late);
    watch_drain(rig->watch);
    assert_int_equal(turn(rig), 1);
    assert_non_null(strstr(read_more(&s), "event: end\ndata: {\"code\":\"draining\""));
    assert_true(s.is_over);
    close_stream(&s);
}

static void all_are_ended_at_once_before_the_connections_go(void **state)
{
    struct rig *rig = *state;
    enum { MANY = 3 * WATCH_WAKES_MAX };
    struct stream *s = mem_new(MANY, sizeof(*s));
    rig_watch(rig, &rig->engine, MANY, on_wake);
    for (int i = 0; i < MANY; i++) {
        open_stream(rig, &s[i], "", "");
        (void)read_more(&s[i]);
    }
    (void)turn(rig);
    rig->woken_count = 0;
    watch_end(rig->watch, RC_DRAINING);
    assert_int_equal(rig->woken_count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_non_null(strstr(read_more(&s[i]), "event: end\n"));
        close_stream(&s[i]);
    }
    free(s);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(who_comes_while_the_node_catches_up_begins_once_it_has),
        RIG(nothing_is_recorded_for_who_waits),
        RIG(who_waits_hears_a_sign_of_life),
        RIG(before_the_node_has_an_engine_watchers_wait_too),
        RIG(without_an_engine_a_stream_can_be_ended),
        RIG(who_waits_may_go_on_where_it_was),
        RIG(values_are_recorded_from_when_one_who_wants_them_begins),
        RIG(those_who_wait_count_against_the_limit_and_may_leave),
        RIG(a_node_that_leaves_takes_no_watcher_and_ends_those_who_wait),
        RIG(all_are_ended_at_once_before_the_connections_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
