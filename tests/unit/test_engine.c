#include "gossip/engine.h"

#include "engine_rig.h"

enum { TTL_MS = 60000 };
#define TTL_US (UINT64_C(1000) * TTL_MS)

static struct engine *make(uint64_t bytes_max)
{
    return make_as(1, bytes_max);
}

static int set_up(void **state)
{
    *state = make_alone(1);
    return 0;
}

static enum rc put(struct engine *e, const char *key, const char *value, uint64_t now_us)
{
    const struct put write = {
        .token = 77,
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = (const uint8_t *)value,
        .value_len = strlen(value),
        .ttl_ms = TTL_MS,
    };
    return engine_put(e, &write, now_us);
}

static enum rc get(struct engine *e, const char *key, uint64_t now_us)
{
    struct record r;
    return engine_get(e, (const uint8_t *)key, strlen(key), now_us, &r);
}

static bool next_done(struct engine *e, struct put_done *ret_done)
{
    struct action action;
    while (outbox_next(engine_outbox(e), &action)) {
        if (action.kind == ACTION_PUT_DONE) {
            *ret_done = action.put;
            return true;
        }
    }
    return false;
}

static void before_its_first_discovery_a_node_takes_no_writes_and_knows_no_misses(void **state)
{
    (void)state;
    struct engine *e = make(8 << 20);
    assert_int_equal(engine_unready(e),
                     READY_DISCOVERING | READY_JOINING | READY_NO_CLOCK | READY_NO_QUORUM);
    assert_int_equal(put(e, "key", "value", START_US), RC_JOINING);
    assert_int_equal(get(e, "key", START_US), RC_JOINING);
    engine_advance(e, START_US + UINT64_C(2) * SECOND_US);
    assert_int_equal(engine_now_ms(e), WALL_MS + 2000); /* its guess */
    engine_free(e);
}

static void a_node_that_is_alone_is_ready_and_founds_its_clock_from_the_wall(void **state)
{
    assert_int_equal(engine_unready(*state), 0);
    assert_int_equal(engine_clock_ms(*state, START_US + 2 * SECOND_US), WALL_MS + 2000);
    assert_int_equal(get(*state, "key", START_US + SECOND_US), RC_NOT_FOUND);
}

static void a_write_of_a_lone_node_has_its_quorum_at_once(void **state)
{
    struct put_done done = {.token = 0};
    const uint64_t now_us = START_US + SECOND_US;
    assert_int_equal(put(*state, "key", "value", now_us), RC_OK);
    assert_true(next_done(*state, &done));
    assert_int_equal(done.token, 77);
    assert_int_equal(done.status, PUT_QUORUM);
    assert_int_equal(done.have, 1);
    assert_int_equal(done.members, 1);
    assert_int_equal(done.ttl_ms, TTL_MS);
    assert_int_equal(done.expiry_ms, engine_clock_ms(*state, now_us) + TTL_MS);
    assert_false(next_done(*state, &done));
    struct record r;
    assert_int_equal(engine_get(*state, (const uint8_t *)"key", 3, now_us, &r), RC_OK);
    assert_int_equal(version_compare(&r.version, &done.version), 0);
    assert_int_equal(r.expiry_ms, done.expiry_ms);
}

static void a_record_is_gone_in_the_millisecond_of_its_expiry(void **state)
{
    const uint64_t now_us = START_US + SECOND_US;
    assert_int_equal(put(*state, "key", "value", now_us), RC_OK);
    assert_int_equal(get(*state, "key", now_us + TTL_US - 1000), RC_OK);
    assert_int_equal(get(*state, "key", now_us + TTL_US), RC_NOT_FOUND);
}

/* So that a tick holds nobody up for long. */
static void what_expires_at_once_is_freed_in_slices_without_a_pause(void **state)
{
    enum { SLICE = 500, COUNT = 2 * SLICE + 1 };
    struct engine *e = *state;
    char key[16];
    const uint64_t now_us = START_US + SECOND_US;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        assert_int_equal(put(e, key, "value", now_us), RC_OK);
    }
    const uint64_t due_us = now_us + TTL_US + SECOND_US;
    for (uint32_t left = COUNT; left > 0; left -= left < SLICE ? left : SLICE) {
        const struct store_stats stats = store_stats(e->store);
        assert_int_equal(stats.keys + stats.shadows, left);
        assert_true(engine_deadline(e) <= due_us);
        engine_tick(e, due_us);
    }
    assert_int_equal(store_stats(e->store).bytes_used, 0);
    assert_true(engine_deadline(e) > due_us);
}

/* A peer whose clock is `ahead_ms` ahead wrote something, which was merged here. */
static void push_stamps(struct engine *e, uint64_t ahead_ms, uint64_t now_us)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    const uint64_t stamp_ms = engine_clock_ms(e, now_us) + ahead_ms;
    const struct record r = {
        .key = (const uint8_t *)"theirs",
        .key_len = 6,
        .version = {.stamp = stamp_ms << VERSION_COUNTER_BITS | UINT16_MAX, .origin = {{9}}},
        .expiry_ms = stamp_ms + TTL_MS,
    };
    assert_int_equal(record_check(&r), RC_OK);
    assert_int_equal(engine_merge(e, &r, &outcome), RC_OK);
    assert_int_equal(outcome, MERGE_APPLIED);
}

static void stamps_that_run_ahead_lengthen_no_life(void **state)
{
    struct engine *e = *state;
    struct put_done done;
    struct record r;
    const uint64_t now_us = START_US + SECOND_US;
    const uint64_t now_ms = engine_clock_ms(e, now_us);
    push_stamps(e, 54999, now_us);
    assert_int_equal(put(e, "key", "value", now_us), RC_OK);
    assert_true(next_done(e, &done));
    assert_int_equal(version_ms(&done.version), now_ms + 55000);
    assert_int_equal(done.expiry_ms, now_ms + TTL_MS);
    assert_int_equal(engine_get(e, (const uint8_t *)"key", 3, now_us, &r), RC_OK);
    assert_int_equal(r.ahead_ms, 55000);
    assert_int_equal(record_written_ms(&r), now_ms);
    assert_int_equal(get(e, "key", now_us + TTL_US - 1000), RC_OK);
    assert_int_equal(get(e, "key", now_us + TTL_US), RC_NOT_FOUND);
}

static void only_what_would_be_over_before_its_stamp_is_refused(void **state)
{
    struct engine *e = *state;
    struct engine_status status;
    const uint64_t now_us = START_US + SECOND_US;
    struct put write = {.key = (const uint8_t *)"brief", .key_len = 5, .ttl_ms = 55000};
    push_stamps(e, 54999, now_us);
    assert_int_equal(engine_put(e, &write, now_us), RC_AHEAD);
    assert_int_equal(get(e, "brief", now_us), RC_NOT_FOUND);
    write.ttl_ms = 1;
    assert_int_equal(engine_put(e, &write, now_us), RC_AHEAD);
    write.ttl_ms = 55001;
    assert_int_equal(engine_put(e, &write, now_us), RC_OK);
    /* Time passes, and the stamps' lead shrinks. */
    write.ttl_ms = 1000;
    assert_int_equal(engine_put(e, &write, now_us + UINT64_C(54000000)), RC_AHEAD);
    assert_int_equal(engine_put(e, &write, now_us + UINT64_C(54001000)), RC_OK);
    engine_status(e, now_us + UINT64_C(54001000), &status);
    assert_int_equal(status.counters.puts_rejected_ahead, 3);
    assert_int_equal(status.counters.puts, 2);
}

static void conditions_are_judged_on_what_is_held(void **state)
{
    const uint64_t now_us = START_US + SECOND_US;
    struct put write = {.key = (const uint8_t *)"key",
                        .key_len = 3,
                        .ttl_ms = TTL_MS,
                        .condition = PUT_IF_MATCH,
                        .is_any = true};
    assert_int_equal(engine_put(*state, &write, now_us), RC_PRECONDITION);
    write.condition = PUT_IF_NONE_MATCH;
    assert_int_equal(engine_put(*state, &write, now_us), RC_OK);
    assert_int_equal(engine_put(*state, &write, now_us), RC_PRECONDITION);
    struct put_done done;
    assert_true(next_done(*state, &done));
    write = (struct put){.key = (const uint8_t *)"key",
                         .key_len = 3,
                         .ttl_ms = TTL_MS,
                         .condition = PUT_IF_MATCH,
                         .versions = &done.version,
                         .version_count = 1};
    assert_int_equal(engine_put(*state, &write, now_us), RC_OK);
    assert_int_equal(engine_put(*state, &write, now_us), RC_PRECONDITION);
}

static void a_full_node_says_so_and_stores_nothing(void **state)
{
    (void)state;
    char value[2000];
    struct engine_status status;
    struct engine *e = make(256 << 10);
    engine_candidates_done(e, true, START_US);
    engine_tick(e, START_US + SECOND_US);
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    enum rc rc = RC_OK;
    for (int i = 0; i < 1000 && rc == RC_OK; i++) {
        const char key[] = {(char)('a' + i / 26 % 26), (char)('a' + i % 26), '\0'};
        rc = put(e, key, value, START_US + SECOND_US);
    }
    assert_int_equal(rc, RC_FULL);
    assert_int_equal(engine_unready(e), READY_FULL);
    engine_status(e, START_US + SECOND_US, &status);
    assert_true(status.store.bytes_used <= status.store.bytes_max);
    assert_int_equal(status.counters.puts_rejected_full, 1);
    /* Once all has expired there is room again. */
    for (uint64_t us = START_US + 2 * SECOND_US; us < START_US + UINT64_C(130) * SECOND_US;
         us += SECOND_US / 10) {
        engine_tick(e, us);
    }
    assert_int_equal(engine_unready(e), 0);
    engine_check(e);
    engine_free(e);
}

/* One value was too much for it, and smaller ones may still have room. */
static void a_node_that_refused_one_write_is_full_for_a_while(void **state)
{
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    const uint64_t now_us = START_US + SECOND_US;
    engine_refused_room(e);
    engine_refused_room(e);
    assert_int_equal(notices(e, NOTICE_FULL, text), 1);
    engine_tick(e, now_us + UINT64_C(5) * SECOND_US - 1);
    assert_int_equal(engine_unready(e), READY_FULL);
    assert_int_equal(notices(e, NOTICE_ROOM, text), 0);
    engine_tick(e, now_us + UINT64_C(5) * SECOND_US + SECOND_US / 10);
    assert_int_equal(engine_unready(e), 0);
    assert_int_equal(notices(e, NOTICE_ROOM, text), 1);
}

static void a_node_that_drains_takes_writes_until_it_leaves(void **state)
{
    const uint64_t now_us = START_US + SECOND_US;
    engine_drain(*state, now_us);
    engine_drain(*state, now_us);
    assert_int_equal(engine_unready(*state), READY_DRAINING);
    assert_int_equal(put(*state, "key", "value", now_us), RC_OK);
    engine_leave(*state, now_us);
    engine_leave(*state, now_us);
    assert_int_equal(engine_unready(*state), READY_DRAINING);
    assert_int_equal(put(*state, "key", "value", now_us), RC_DRAINING);
}

static void an_idle_node_wants_no_call_but_for_its_probes(void **state)
{
    uint64_t now_us = START_US + SECOND_US;
    uint32_t calls = 0;
    while (now_us < START_US + 11 * SECOND_US) {
        now_us = engine_deadline(*state) > now_us ? engine_deadline(*state) : now_us;
        engine_tick(*state, now_us);
        calls++;
    }
    assert_in_range(calls, 1, 30);
}

static void a_link_that_says_nothing_is_ended(void **state)
{
    struct action action;
    const struct addr from = {.port = 9};
    uint64_t now_us = START_US + SECOND_US;
    const uint32_t link = engine_link_accept(*state, &from, 0, now_us);
    assert_int_not_equal(link, 0);
    bool is_closed = false;
    for (int i = 0; i < 50 && !is_closed; i++) {
        now_us += SECOND_US / 10;
        engine_tick(*state, now_us);
        while (outbox_next(engine_outbox(*state), &action)) {
            is_closed = is_closed || (action.kind == ACTION_CLOSE && action.link == link);
        }
    }
    assert_true(is_closed);
}

static void garbage_on_a_link_ends_it_and_is_counted(void **state)
{
    static const uint8_t garbage[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct engine_status status;
    const struct addr from = {.port = 9};
    const uint64_t now_us = START_US + SECOND_US;
    const uint32_t link = engine_link_accept(*state, &from, 0, now_us);
    engine_link_input(*state, link, garbage, sizeof(garbage), now_us);
    engine_status(*state, now_us, &status);
    assert_int_equal(status.counters.frames_malformed, 1);
}

/* Somebody says HELLO as `id` (0: nothing), and then CLOSE for a full table. Returns how many
 * notices that gives. */
static uint32_t refuse(struct engine *e, uint32_t link, uint8_t id, uint64_t now_us)
{
    static const uint8_t close[] = {FRAME_CLOSE, FRAME_CRITICAL, 0, 0, 0, 1, CLOSE_FULL};
    char text[NOTICE_TEXT_SIZE];
    struct frame_hello hello = hello_of(id, now_us);
    hello.flags = 0;
    hello.clock_us = 0;
    if (id != 0) {
        say_this_hello(e, link, &hello, now_us);
    }
    engine_link_input(e, link, close, sizeof(close), now_us);
    return notices(e, NOTICE_REFUSED, text);
}

static void a_newcomer_that_members_refuse_is_not_ready(void **state)
{
    (void)state;
    uint64_t now_us = START_US;
    struct engine *e = make(64 << 20);
    uint32_t link = dial_candidate(e, 1001, &now_us);
    assert_int_not_equal(link, 0);
    assert_int_equal(refuse(e, link, 2, now_us), 1);
    engine_candidates_done(e, true, now_us);
    run_for(e, 500, &now_us);
    assert_int_not_equal(engine_unready(e) & READY_REFUSED, 0);
    link = dial_candidate(e, 1002, &now_us);
    assert_int_not_equal(link, 0);
    assert_int_equal(refuse(e, link, 3, now_us), 0); /* which renews it */
    run_for(e, 500, &now_us);
    assert_int_not_equal(engine_unready(e) & READY_REFUSED, 0);
    /* Nobody has refused it for a minute: the one that did is gone. */
    run_for(e, 300, &now_us);
    assert_int_equal(engine_unready(e), 0);
    /* A node that is ready stays so. */
    link = dial_candidate(e, 1003, &now_us);
    assert_int_equal(refuse(e, link, 4, now_us), 0);
    assert_int_equal(engine_unready(e), 0);
    engine_check(e);
    engine_free(e);
}

static void the_refusal_of_somebody_whom_discovery_has_not_named_is_nothing(void **state)
{
    (void)state;
    uint64_t now_us = START_US;
    struct engine *e = make(64 << 20);
    const struct addr from = {.port = 9};
    /* Anybody dials, with and without a HELLO. */
    assert_int_equal(refuse(e, engine_link_accept(e, &from, 0, now_us), 0, now_us), 0);
    assert_int_equal(refuse(e, engine_link_accept(e, &from, 0, now_us), 2, now_us), 0);
    assert_int_equal(engine_unready(e) & READY_REFUSED, 0);
    /* The same for a node that discovery names and that does not even say who it is. */
    const uint32_t link = dial_candidate(e, 1001, &now_us);
    assert_int_equal(refuse(e, link, 0, now_us), 0);
    assert_int_equal(engine_unready(e) & READY_REFUSED, 0);
    engine_check(e);
    engine_free(e);
}

/* Somebody accepted from 10.0.0.`host` says HELLO as node 2. */
static uint32_t claim_two(struct engine *e, uint8_t host, uint64_t now_us)
{
    const uint8_t ip[] = {10, 0, 0, host};
    const struct addr from = addr_v4(ip, 5555);
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = engine_link_accept(e, &from, 0, now_us);
    say_this_hello(e, link, &hello, now_us);
    return link;
}

/* Strangers say HELLO in the name of a member whose link is lost. Its own does not wait for theirs,
 * whether the first of them goes on in silence or ends. */
static void of_two_that_wait_the_one_from_the_members_address_comes_first(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = START_US + SECOND_US;
    const uint32_t link = dial_candidate(e, 1001, &now_us);
    const struct frame_hello hello = hello_of(2, now_us);
    say_this_hello(e, link, &hello, now_us);
    const struct uuid two = {{2}};
    const struct member *m = swim_find(e->swim, &two);
    assert_int_equal(m->link, link);
    engine_link_down(e, link, LINK_END_RESET, now_us);
    const uint32_t first = claim_two(e, 66, now_us);
    assert_int_equal(m->link, first);
    (void)claim_two(e, 67, now_us);
    const uint32_t own = claim_two(e, 9, now_us);
    const uint32_t late = claim_two(e, 68, now_us);
    assert_int_equal(m->link, first);
    run_for(e, 8, &now_us);
    assert_int_equal(m->link, own);
    assert_non_null(mesh_find(e->mesh, late)); /* which waits on */
    const uint32_t again = claim_two(e, 9, now_us);
    engine_link_down(e, own, LINK_END_RESET, now_us);
    engine_tick(e, now_us);
    assert_int_equal(m->link, again);
}

/* Whether a write waits for another member. */
static bool put_waits(struct engine *e, uint64_t now_us)
{
    struct put_done done;
    assert_int_equal(put(e, "key", "value", now_us), RC_OK);
    return !next_done(e, &done);
}

static void who_has_said_hello_and_no_more_does_not_count(void **state)
{
    const struct addr from = {.port = 9};
    struct put_done done = {.token = 0};
    uint64_t now_us = START_US + SECOND_US;
    const struct frame_hello hello = hello_of(2, now_us);
    for (int ends = 0; ends < 2; ends++) {
        const uint32_t link = engine_link_accept(*state, &from, 0, now_us);
        say_this_hello(*state, link, &hello, now_us);
        assert_true(put_waits(*state, now_us));
        if (ends) {
            engine_link_down(*state, link, LINK_END_EOF, now_us);
        } else {
            engine_tick(*state, now_us);
        }
        /* The quorum of the write that waits cannot be reached any more; the next has its own. */
        assert_true(next_done(*state, &done));
        assert_int_equal(done.status, PUT_PENDING);
        assert_false(put_waits(*state, now_us));
        if (!ends) {
            engine_link_down(*state, link, LINK_END_EOF, now_us);
        }
    }
}

/* All output of one side of a link goes to the other. */
static void pass(struct engine *from, uint32_t from_link, struct engine *to, uint32_t to_link,
                 struct buf *out, uint64_t now_us)
{
    buf_clear(out);
    while (engine_link_output(from, from_link, out, NULL, 65536, now_us) > 0) {
    }
    engine_link_input(to, to_link, buf_data(out), out->len, now_us);
}

static void a_newcomer_is_refused_by_who_has_no_room_and_is_not_ready(void **state)
{
    (void)state;
    struct engine *full = make(8 << 20);
    struct engine *newcomer = make_as(2, 8 << 20);
    const struct addr from = {.port = 9};
    const uint8_t close[] = {FRAME_CLOSE, FRAME_CRITICAL, 0, 0, 0, 1, CLOSE_FULL};
    struct buf out;
    struct engine_status status;
    buf_init(&out, 1 << 20);
    fill_table(full, START_US);
    uint64_t now_us = START_US;
    const uint32_t here = dial_candidate(newcomer, 1001, &now_us);
    const uint32_t there = engine_link_accept(full, &from, 0, now_us);
    pass(full, there, newcomer, here, &out, now_us);
    assert_int_equal(engine_unready(newcomer) & READY_REFUSED, 0);
    pass(newcomer, here, full, there, &out, now_us);
    pass(full, there, newcomer, here, &out, now_us);
    assert_true(out.len >= sizeof(close));
    assert_memory_equal(buf_data(&out) + out.len - sizeof(close), close, sizeof(close));
    assert_int_not_equal(engine_unready(newcomer) & READY_REFUSED, 0);
    engine_candidates_done(newcomer, true, now_us);
    engine_tick(newcomer, now_us + UINT64_C(3) * SECOND_US);
    assert_int_not_equal(engine_unready(newcomer) & READY_REFUSED, 0);
    engine_status(full, now_us, &status);
    assert_int_equal(status.counters.frames_malformed, 0);
    assert_null(swim_find(full->swim, &newcomer->config.uuid));
    buf_fini(&out);
    engine_check(full);
    engine_free(full);
    engine_check(newcomer);
    engine_free(newcomer);
}

/* What both have to send goes to the other, by datagram or on their link, which the newcomer dials.
 */
static void talk(struct engine *newcomer, struct engine *full, uint32_t *here, uint32_t *there,
                 uint64_t now_us)
{
    static const uint8_t ip[] = {10, 0, 0, 9}, own_ip[] = {10, 0, 0, 8};
    const struct addr at = addr_v4(ip, 1001), from = addr_v4(own_ip, 1001);
    struct buf out;
    struct action action;
    buf_init(&out, 1 << 20);
    while (outbox_next(engine_outbox(newcomer), &action)) {
        if (action.kind == ACTION_DATAGRAM) {
            engine_datagram(full, &from, action.data, action.len, now_us);
        } else if (action.kind == ACTION_DIAL) {
            *here = action.link;
            *there = engine_link_accept(full, &from, 0, now_us);
            engine_link_up(newcomer, *here, now_us);
            pass(full, *there, newcomer, *here, &out, now_us);
            pass(newcomer, *here, full, *there, &out, now_us);
            pass(full, *there, newcomer, *here, &out, now_us);
        }
    }
    while (outbox_next(engine_outbox(full), &action)) {
        if (action.kind == ACTION_DATAGRAM && addr_equal(&action.addr, &from)) {
            engine_datagram(newcomer, &at, action.data, action.len, now_us);
        }
    }
    buf_fini(&out);
}

static void a_newcomer_that_datagrams_reach_hears_the_refusal_too(void **state)
{
    (void)state;
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr at = addr_v4(ip, 1001);
    struct engine *full = make(8 << 20);
    struct engine *newcomer = make_as(2, 8 << 20);
    uint64_t now_us = START_US;
    uint32_t here = 0, there = 0;
    fill_table(full, START_US);
    engine_candidate(newcomer, &at, now_us);
    engine_candidates_done(newcomer, true, now_us);
    for (int i = 0; i < 500; i++) {
        now_us += SECOND_US / 100;
        engine_tick(newcomer, now_us);
        engine_tick(full, now_us);
        talk(newcomer, full, &here, &there, now_us);
    }
    assert_int_not_equal(engine_unready(newcomer) & READY_REFUSED, 0);
    engine_free(full);
    engine_free(newcomer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

static void a_refusal_is_nothing_while_another_member_lets_this_node_in(void **state)
{
    (void)state;
    uint64_t now_us = START_US;
    struct engine *e = make(64 << 20);
    struct engine *member = make_as(2, 8 << 20);
    const struct addr from = {.port = 9};
    struct buf out;
    buf_init(&out, 1 << 20);
    const uint32_t here = dial_candidate(e, 1001, &now_us);
    const uint32_t there = engine_link_accept(member, &from, 0, now_us);
    pass(member, there, e, here, &out, now_us);
    pass(e, here, member, there, &out, now_us);
    pass(member, there, e, here, &out, now_us);
    const uint32_t second = dial_candidate(e, 1002, &now_us);
    assert_int_equal(refuse(e, second, 3, now_us), 0);
    assert_int_equal(engine_unready(e) & READY_REFUSED, 0);
    buf_fini(&out);
    engine_check(e);
    engine_free(e);
    engine_free(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_its_first_discovery_a_node_takes_no_writes_and_knows_no_misses),
        TEST(a_node_that_is_alone_is_ready_and_founds_its_clock_from_the_wall),
        TEST(a_write_of_a_lone_node_has_its_quorum_at_once),
        TEST(a_record_is_gone_in_the_millisecond_of_its_expiry),
        TEST(what_expires_at_once_is_freed_in_slices_without_a_pause),
        TEST(stamps_that_run_ahead_lengthen_no_life),
        TEST(only_what_would_be_over_before_its_stamp_is_refused),
        TEST(conditions_are_judged_on_what_is_held),
        cmocka_unit_test(a_full_node_says_so_and_stores_nothing),
        TEST(a_node_that_refused_one_write_is_full_for_a_while),
        TEST(a_node_that_drains_takes_writes_until_it_leaves),
        TEST(an_idle_node_wants_no_call_but_for_its_probes),
        TEST(a_link_that_says_nothing_is_ended),
        TEST(garbage_on_a_link_ends_it_and_is_counted),
        cmocka_unit_test(a_newcomer_that_members_refuse_is_not_ready),
        cmocka_unit_test(the_refusal_of_somebody_whom_discovery_has_not_named_is_nothing),
        cmocka_unit_test(a_refusal_is_nothing_while_another_member_lets_this_node_in),
        cmocka_unit_test_setup_teardown(
            of_two_that_wait_the_one_from_the_members_address_comes_first, set_up, free_engine),
        cmocka_unit_test_setup_teardown(who_has_said_hello_and_no_more_does_not_count, set_up,
                                        free_engine),
        cmocka_unit_test(a_newcomer_that_datagrams_reach_hears_the_refusal_too),
        cmocka_unit_test(a_newcomer_is_refused_by_who_has_no_room_and_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
