#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/blob.h"
#include "http_rig.h"
#include "net/http/http_room.h"

#define PUT(length) "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

/* Bytes of a body that take twice as much, as the next few do. */
enum { SOME = 4100, SOME_ROOM = 8 * 1024, MANY = 2 * HTTP_ROOM_ENDS_MAX + 2 };

static const char bytes[100000];

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

/* A client whose body has begun to come. */
static struct client begin(struct rig *rig, const char *head, size_t len)
{
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, head));
    assert_true(client_send(rig, &c, bytes, len));
    assert_true(rig_took_all(rig));
    return c;
}

static uint64_t outpaced(const struct rig *rig)
{
    return http_server_stats(rig->server).bodies_outpaced;
}

static void many_slow_bodies_keep_no_other_out(void **state)
{
    struct rig *rig = *state;
    static struct client slow[MANY];
    rig->config.connections_max = MANY + 2;
    rig->config.bodies_bytes_max = (uint64_t)MANY * SOME_ROOM;
    rig_start(rig);
    for (int i = 0; i < MANY; i++) {
        slow[i] = begin(rig, PUT("100000"), SOME);
    }
    rig_pass_ms(rig, HTTP_ROOM_YOUNG_MS);
    assert_int_equal(outpaced(rig), 0); /* nobody waits */
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("100000")));
    assert_true(client_send(rig, &c, bytes, 100000));
    assert_true(client_hears(rig, &c, "Content-Length: 100000\r\n"));
    assert_in_range(outpaced(rig), 100000 / SOME_ROOM, 100000 / SOME_ROOM + 4);
    client_close(&c);
    unsigned ended = 0;
    for (int i = 0; i < MANY; i++) {
        client_turn(rig, &slow[i]);
        ended += strstr(slow[i].input, "HTTP/1.1 408") != NULL &&
                 strstr(slow[i].input, "\"overloaded\"") != NULL;
        client_close(&slow[i]);
    }
    assert_int_equal(ended, outpaced(rig));
}

static void the_slowest_ends_first_and_no_more_than_is_needed(void **state)
{
    struct rig *rig = *state;
    struct client slow[3];
    rig->config.bodies_bytes_max = (uint64_t)3 * SOME_ROOM;
    rig_start(rig);
    for (int i = 0; i < 3; i++) {
        slow[i] = begin(rig, PUT("100000"), SOME + (i == 1 ? 0 : 2000));
    }
    rig_pass_ms(rig, HTTP_ROOM_YOUNG_MS);
    struct client c = begin(rig, PUT("5000"), 0);
    assert_true(client_send(rig, &c, bytes, 5000));
    assert_true(client_hears(rig, &c, "Content-Length: 5000\r\n"));
    assert_true(client_hears(rig, &slow[1], "HTTP/1.1 408"));
    assert_true(client_hears_nothing(rig, &slow[0]));
    assert_true(client_hears_nothing(rig, &slow[2]));
    assert_int_equal(outpaced(rig), 1);
    client_close(&c);
    for (int i = 0; i < 3; i++) {
        client_close(&slow[i]);
    }
}

static void a_body_that_waits_is_not_slow_for_that(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = SOME_ROOM;
    rig_start(rig);
    struct client slow = begin(rig, PUT("5000"), SOME); /* of which the rest never comes */
    struct client waits = begin(rig, PUT("20000"), 0);
    assert_true(client_send(rig, &waits, bytes, 20000));
    for (uint64_t ms = 0; ms < HTTP_ROOM_YOUNG_MS; ms += HTTP_ROOM_LOOK_MS) {
        rig_pass_ms(rig, HTTP_ROOM_LOOK_MS);
    }
    assert_true(client_hears(rig, &waits, "Content-Length: 20000\r\n"));
    assert_true(client_hears(rig, &slow, "HTTP/1.1 408"));
    assert_int_equal(outpaced(rig), 1);
    client_close(&slow);
    client_close(&waits);
}

static void a_slow_body_that_nobody_waits_for_comes_whole(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = SOME_ROOM;
    rig_start(rig);
    struct client slow = begin(rig, PUT("60000"), 0);
    for (int i = 0; i < 60; i++) {
        rig_pass_ms(rig, 900);
        assert_true(client_send(rig, &slow, bytes, 1000));
    }
    assert_true(client_hears(rig, &slow, "Content-Length: 60000\r\n"));
    assert_int_equal(outpaced(rig), 0);
    client_close(&slow);
}

enum { NOW_MS = 1000000, TIMEOUT_MS = 30000 };

/* A body that arrives, and one that waits. */
struct pair {
    struct http_shared shared;
    struct http_conn body, waits;
};

static void add(struct pair *pair, struct http_conn *c, enum http_phase phase)
{
    *c = (struct http_conn){.shared = &pair->shared, .listed = (uint8_t)phase};
    c->parse = http_parse_new(NULL);
    (void)http_parse_feed(c->parse, PUT("20000000"), sizeof(PUT("20000000")) - 1);
    http_parse_accept(c->parse, 20000000);
    c->stream = stream_plain(-1);
    c->input.kept = evbuffer_new();
    c->body_bytes = SOME_ROOM;
    TAILQ_INSERT_TAIL(&pair->shared.phases[phase], c, entry);
}

static unsigned roomy_count;

static void note_roomy(struct http_shared *shared)
{
    (void)shared;
    roomy_count++;
}

static void pair_init(struct pair *pair, size_t bytes_here)
{
    pair->shared = (struct http_shared){.config.request_timeout_ms = TIMEOUT_MS};
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        TAILQ_INIT(&pair->shared.phases[phase]);
    }
    add(pair, &pair->body, HTTP_PHASE_BODY);
    add(pair, &pair->waits, HTTP_PHASE_HELD);
    pair->body.input.fresh_len = bytes_here;
}

static void pair_fini(struct pair *pair)
{
    struct http_conn *const both[] = {&pair->body, &pair->waits};
    for (int i = 0; i < 2; i++) {
        http_parse_free(both[i]->parse);
        evbuffer_free(both[i]->input.kept);
    }
}

/* Those that fit pass it, up to as much as there is room in all; then the next that waits. */
static void nobody_waits_for_a_body_that_waits_no_more(void **state)
{
    struct pair pair;
    (void)state;
    pair_init(&pair, SOME);
    pair.shared.config.bodies_bytes_max = 2 * (uint64_t)SOME_ROOM;
    pair.shared.first_body = &pair.waits; /* in place of somebody else */
    pair.shared.roomy = note_roomy;
    pair.waits.id = 1;
    for (int i = 0; i < 2; i++) {
        pair.shared.bodies_bytes = 0;
        pair.body.body_bytes = 0; /* which is another one each time */
        assert_true(http_room_has(&pair.body, SOME));
        http_room_take(&pair.body, SOME);
        assert_int_equal(pair.body.body_bytes, SOME_ROOM);
    }
    pair.shared.bodies_bytes = 0;
    pair.body.body_bytes = 0;
    assert_false(http_room_has(&pair.body, SOME));
    pair.waits.id = 2;
    assert_true(http_room_has(&pair.body, SOME));
    http_room_take(&pair.body, SOME);
    http_room_give_back(&pair.body);
    assert_int_equal(pair.shared.bodies_bytes, 0);
    assert_int_equal(roomy_count, 1);
    pair_fini(&pair);
}

static void the_longer_one_waits_the_quicker_others_have_to_be(void **state)
{
    static const struct {
        uint64_t age_ms, waited_ms;
        size_t bytes, count;
    } cases[] = {
        {1000, 0, 5000, 0},        {1000, 1, 513, 0},     {1000, 1, 511, 1},
        {1000, 1, 512, 0},         {1000, 100, 51200, 0}, {1000, 100, 51199, 1},
        {899, 100, 5000, 0},       {900, 100, 5000, 1}, /* young, and no more */
        {99, 10000, 5000, 0},      {100, 10000, 5000, 1}, {1000, 10000, 5120000, 0},
        {1000, 10000, 5119999, 1},
    };
    (void)state;
    struct http_room_look look;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;
        pair_init(&pair, cases[i].bytes);
        pair.body.body_began_ms = NOW_MS - cases[i].age_ms;
        pair.waits.deadline_ms = NOW_MS + TIMEOUT_MS - cases[i].waited_ms;
        pair.waits.body_began_ms = NOW_MS;
        http_room_look(&pair.shared, NOW_MS, &look);
        assert_int_equal(look.count, cases[i].count);
        assert_true(look.count == 0 || look.slowest[0].conn == &pair.body);
        pair_fini(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_slow_bodies_keep_no_other_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_slowest_ends_first_and_no_more_than_is_needed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_body_that_waits_is_not_slow_for_that, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_body_that_nobody_waits_for_comes_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_for_a_body_that_waits_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_longer_one_waits_the_quicker_others_have_to_be, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
