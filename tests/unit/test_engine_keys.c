/* What an engine shows of its ring, and what an operator hears of a node with another. */
#include "engine_rig.h"

#include "net/crypto/seal_openssl.h"
#include "tests/unit/rings.h"

static struct seal_openssl *openssl;

static int set_up(void **state)
{
    (void)state;
    openssl = seal_openssl_new();
    return openssl != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    seal_openssl_free(openssl);
    return 0;
}

static struct addr addr_of(uint8_t id)
{
    const uint8_t ip[4] = {127, 0, 0, 1};
    return addr_v4(ip, (uint16_t)(9000 + id));
}

static struct engine *make_keyed(uint8_t id, const char *letters)
{
    const struct keyring_items items = rings_items(letters);
    struct engine_config config = {
        .uuid = {{id}},
        .host_tag = 1,
        .seed = id,
        .secret = {id},
        .wall_ms = WALL_MS,
        .network = "net",
        .enclave = "default",
        .replication_factor = 2,
        .write_timeout_ms = 1000,
        .bytes_max = 1 << 20,
        .addr_count = 1,
        .addrs = {{.scope = SCOPE_HOST, .addr = addr_of(id)}},
        .seal = seal_openssl_ops(openssl),
        .keys = &items,
    };
    (void)snprintf(config.name, sizeof(config.name), "node-%u", id);
    return engine_new(&config, START_US);
}

/* What passes between engines 1, 2, ... for a while; links do not. */
struct wire {
    struct engine *engines[3];
    uint32_t count;
    uint64_t now_us;
    uint32_t notices[NOTICE_KINDS];
    char text[NOTICE_TEXT_SIZE];
    uint32_t datagrams[3];
};

static void drain(struct wire *w, uint32_t at)
{
    struct action action;
    const struct addr from = addr_of((uint8_t)(at + 1));
    while (outbox_next(engine_outbox(w->engines[at]), &action)) {
        if (action.kind == ACTION_NOTICE) {
            w->notices[action.notice->kind]++;
        }
        if (action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_KEY_UNKNOWN) {
            (void)snprintf(w->text, sizeof(w->text), "%s", action.notice->text);
        } else if (action.kind == ACTION_DIAL) {
            engine_link_down(w->engines[at], action.link, LINK_END_REFUSED, w->now_us);
        } else if (action.kind == ACTION_DATAGRAM) {
            w->datagrams[at]++;
            const uint32_t to = action.addr.port - 9001U;
            if (to < w->count) {
                engine_datagram(w->engines[to], &from, action.data, action.len, w->now_us);
            }
        }
    }
}

static void run(struct wire *w, uint32_t ms)
{
    for (uint32_t i = 0; i < ms / 10; i++) {
        w->now_us += 10000;
        for (uint32_t at = 0; at < w->count; at++) {
            engine_tick(w->engines[at], w->now_us);
        }
        for (uint32_t round = 0; round < 6; round++) {
            for (uint32_t at = 0; at < w->count; at++) {
                drain(w, at);
            }
        }
    }
}

static void hint(struct wire *w, uint32_t at, uint32_t of)
{
    const struct addr addr = addr_of((uint8_t)(of + 1));
    engine_candidate(w->engines[at], &addr, w->now_us);
}

static struct wire wire_of(const char *first, const char *second)
{
    struct wire w = {.count = 2, .now_us = START_US};
    w.engines[0] = make_keyed(1, first);
    w.engines[1] = make_keyed(2, second);
    hint(&w, 0, 1);
    return w;
}

static void wire_free(struct wire *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        engine_check(w->engines[i]);
        engine_free(w->engines[i]);
    }
}

static uint32_t alive(struct engine *e)
{
    struct engine_status status;
    engine_status(e, e->now_us, &status);
    return status.alive;
}

static void wrong_key_is_silence_and_one_log_line(void **state)
{
    (void)state;
    struct wire w = wire_of("A", "B");
    run(&w, 3000);
    assert_int_equal(alive(w.engines[0]), 0);
    assert_int_equal(alive(w.engines[1]), 0);
    assert_true(w.datagrams[0] > 0);
    assert_int_equal(w.datagrams[1], 0); /* silence */
    assert_int_equal(w.notices[NOTICE_KEY_UNKNOWN], 1);
    char text[NOTICE_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "%04x, from 127.0.0.1:9001",
                   engine_keyring(w.engines[0])->keys[0].id);
    assert_string_equal(w.text, text);
    struct sealing_status status;
    engine_sealing(w.engines[1], &status);
    assert_int_equal(status.refused[SEALING_REFUSED_KEY], w.datagrams[0]);
    /* And not before a minute is over. */
    hint(&w, 0, 1);
    run(&w, 3000);
    assert_int_equal(w.notices[NOTICE_KEY_UNKNOWN], 1);
    run(&w, 56000);
    hint(&w, 0, 1);
    run(&w, 3000);
    assert_int_equal(w.notices[NOTICE_KEY_UNKNOWN], 2);
    wire_free(&w);
}

static void sealed_refuses_open_datagram(void **state)
{
    (void)state;
    struct wire w = wire_of("", "B");
    run(&w, 3000);
    assert_int_equal(alive(w.engines[0]) + alive(w.engines[1]), 0);
    assert_int_equal(w.datagrams[1], 0);
    assert_int_equal(w.notices[NOTICE_KEY_UNKNOWN], 0);
    struct sealing_status status;
    engine_sealing(w.engines[1], &status);
    assert_int_equal(status.refused[SEALING_REFUSED_OPEN], w.datagrams[0]);
    assert_int_equal(status.state, SEALING_SEALED);
    /* With the key, and `open` first, it is let in by what `open` alone would never open. */
    const struct keyring_items both = rings_items("OB");
    assert_int_equal(engine_set_keys(w.engines[0], &both, w.now_us), RC_OK);
    hint(&w, 0, 1);
    run(&w, 3000);
    assert_int_equal(alive(w.engines[0]), 1);
    assert_int_equal(alive(w.engines[1]), 1);
    wire_free(&w);
}

static void the_status_tells_when_the_next_step_is_safe(void **state)
{
    (void)state;
    struct wire w = wire_of("A", "A");
    run(&w, 3000);
    struct sealing_status status;
    engine_sealing(w.engines[0], &status);
    assert_int_equal(status.state, SEALING_SEALED);
    assert_int_equal(status.key_count, 1);
    assert_int_equal(status.keys[0].id, engine_keyring(w.engines[0])->keys[0].id);
    assert_int_equal(status.keys[0].members_holding, 1);
    assert_int_equal(status.keys[0].members_sending, 1);
    assert_int_equal(status.keys[0].sent, w.datagrams[0]);
    assert_int_equal(status.keys[0].received, w.datagrams[1]);
    assert_true(status.keys[0].used_us > w.now_us - SECOND_US);
    assert_int_equal(status.lacking_first.count, 0);
    /* B first, which the other has not: it goes on with A, and is named. */
    const struct keyring_items next = rings_items("BA");
    assert_int_equal(engine_set_keys(w.engines[0], &next, w.now_us), RC_OK);
    run(&w, 1000);
    engine_sealing(w.engines[0], &status);
    assert_int_equal(status.lacking_first.count, 1);
    assert_string_equal(status.lacking_first.names[0], "node-2");
    assert_int_equal(status.cut_off.count, 0);
    assert_int_equal(status.keys[0].members_holding, 0);
    assert_int_equal(status.keys[0].lacking.count, 1);
    assert_string_equal(status.keys[0].lacking.names[0], "node-2");
    assert_int_equal(status.keys[0].senders.count, 0);
    assert_int_equal(status.keys[1].lacking.count, 0);
    assert_int_equal(status.keys[1].members_sending, 1);
    assert_int_equal(status.keys[1].senders.count, 1);
    assert_string_equal(status.keys[1].senders.names[0], "node-2");
    assert_true(status.keys[1].sent > 0);
    assert_int_equal(status.with_others.count, 0);
    /* And the other, to whom all is as it was, knows that it has missed a step. */
    engine_sealing(w.engines[1], &status);
    assert_int_equal(status.lacking_first.count, 0);
    assert_int_equal(status.with_others.count, 1);
    assert_string_equal(status.with_others.names[0], "node-1");
    /* Now it has B too, and then everybody sends with it. */
    assert_int_equal(engine_set_keys(w.engines[1], &next, w.now_us), RC_OK);
    run(&w, 2000);
    engine_sealing(w.engines[0], &status);
    assert_int_equal(status.lacking_first.count, 0);
    assert_int_equal(status.keys[0].members_sending, 1);
    assert_int_equal(alive(w.engines[0]), 1);
    wire_free(&w);
}

static void a_ring_that_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct wire w = wire_of("A", "A");
    const struct keyring_items twice = rings_items("BB");
    const uint16_t id = engine_keyring(w.engines[0])->keys[0].id;
    assert_int_equal(engine_set_keys(w.engines[0], &twice, w.now_us), RC_EXISTS);
    assert_int_equal(engine_keyring(w.engines[0])->keys[0].id, id);
    run(&w, 3000);
    assert_int_equal(alive(w.engines[0]), 1);
    wire_free(&w);
}

/* One node takes its ring, the other one's later, and no link brings a card. Each of the pairs has
 * something in common at the end. */
static void a_step_that_was_skipped_only_delays_also_without_links(void **state)
{
    (void)state;
    static const struct {
        const char *from, *first, *second;
    } ways[] = {
        {"A", "O", "O"},   {"O", "A", "A"},   {"A", "B", "B"},   {"AO", "O", "O"},

        {"O", "OA", "A"},  {"O", "AO", "A"},  {"O", "A", "OA"},  {"O", "A", "AO"},
        {"A", "AB", "B"},  {"A", "BA", "B"},  {"A", "B", "BA"},  {"A", "B", "AB"},
        {"AO", "O", "OA"}, {"AO", "A", "OA"}, {"OA", "A", "AO"},
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        for (uint32_t apart_ms = 0; apart_ms <= 60000; apart_ms += 20000) {
            struct wire w = wire_of(ways[i].from, ways[i].from);
            run(&w, 3000);
            const struct keyring_items first = rings_items(ways[i].first);
            assert_int_equal(engine_set_keys(w.engines[0], &first, w.now_us), RC_OK);
            run(&w, apart_ms);
            const struct keyring_items second = rings_items(ways[i].second);
            assert_int_equal(engine_set_keys(w.engines[1], &second, w.now_us), RC_OK);
            run(&w, 60000);
            if (alive(w.engines[0]) != 1 || alive(w.engines[1]) != 1) {
                fail_msg("%s to %s and %s, %u ms apart", ways[i].from, ways[i].first,
                         ways[i].second, apart_ms);
            }
            wire_free(&w);
        }
    }
}

static void who_shares_no_key_is_named_as_cut_off(void **state)
{
    (void)state;
    struct wire w = wire_of("A", "A");
    run(&w, 3000);
    const struct keyring_items other = rings_items("B");
    assert_int_equal(engine_set_keys(w.engines[0], &other, w.now_us), RC_OK);
    struct sealing_status status;
    engine_sealing(w.engines[0], &status);
    assert_int_equal(status.cut_off.count, 1);
    assert_string_equal(status.cut_off.names[0], "node-2");
    wire_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_key_is_silence_and_one_log_line),
        cmocka_unit_test(sealed_refuses_open_datagram),
        cmocka_unit_test(the_status_tells_when_the_next_step_is_safe),
        cmocka_unit_test(a_ring_that_is_refused_changes_nothing),
        cmocka_unit_test(a_step_that_was_skipped_only_delays_also_without_links),
        cmocka_unit_test(who_shares_no_key_is_named_as_cut_off),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
