/* Which keys links are made with, and what becomes of links when the keys change. (How a handshake
 * proves a key: test_psk.c.) */
#include "gossip/sealing/keyring.h"

#include "engine_rig.h"
#include "net/crypto/seal_openssl.h"

enum { NOW_US = START_US + SECOND_US };

static struct seal_openssl *openssl;

static int make_ops(void **state)
{
    (void)state;
    openssl = seal_openssl_new();
    return openssl == NULL ? -1 : 0;
}

static int free_ops(void **state)
{
    (void)state;
    seal_openssl_free(openssl);
    return 0;
}

/* A letter is a key, `-` is `open`. */
static struct keyring_items items_of(const char *letters)
{
    struct keyring_items items = {.count = (uint32_t)strlen(letters)};
    for (uint32_t i = 0; i < items.count; i++) {
        items.items[i].is_open = letters[i] == '-';
        memset(items.items[i].key, letters[i] == '-' ? 0 : letters[i], SEAL_KEY_BYTES);
    }
    return items;
}

static uint16_t id_of(const char *letter)
{
    struct keyring ring;
    const struct keyring_items items = items_of(letter);
    assert_int_equal(keyring_init(&ring, seal_openssl_ops(openssl), "net", &items), RC_OK);
    const uint16_t id = ring.keys[0].id;
    keyring_fini(&ring);
    return id;
}

/* A node that is alone and has those keys. */
static struct engine *make_keyed(const char *letters)
{
    const struct keyring_items items = items_of(letters);
    const struct engine_config config = {
        .uuid = {{5}},
        .host_tag = 1,
        .seed = 2,
        .table_seed = 3,
        .wall_ms = WALL_MS,
        .name = "node",
        .network = "net",
        .enclave = "default",
        .replication_factor = 3,
        .write_timeout_ms = 1000,
        .bytes_max = 8 << 20,
        .value_max = 1 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = UINT64_C(86400) * 1000,
        .seal = seal_openssl_ops(openssl),
        .keys = &items,
    };
    struct engine *e = engine_new(&config, START_US);
    engine_candidates_done(e, true, START_US);
    engine_tick(e, NOW_US);
    return e;
}

static enum rc set_keys(struct engine *e, const char *letters, uint64_t now_us)
{
    const struct keyring_items items = items_of(letters);
    return engine_set_keys(e, &items, now_us);
}

/* The link of a member, accepted with that key. */
static uint32_t link_of(struct engine *e, uint8_t member, uint16_t key_id, uint64_t now_us)
{
    const struct addr from = {.ip = {member}, .port = 9};
    const struct frame_hello hello = hello_of(member, now_us);
    const uint32_t link = engine_link_accept(e, &from, key_id, now_us);
    assert_int_not_equal(link, 0);
    say_this_hello(e, link, &hello, now_us);
    assert_true(is_open(e, link));
    return link;
}

/* Takes what the engine wants done: the key of the last dial, with its link; -1 without one. */
static int dialed_key(struct engine *e, uint32_t *ret_link)
{
    struct action action;
    int key_id = -1;
    while (outbox_next(engine_outbox(e), &action)) {
        if (action.kind == ACTION_DIAL) {
            key_id = action.key_id;
            *ret_link = action.link;
        }
    }
    return key_id;
}

/* ---- Who may link ---- */

static void sealed_refuses_open_link(void **state)
{
    (void)state;
    const struct addr from = {.ip = {2}, .port = 9};
    struct engine *e = make_keyed("AB");
    assert_int_equal(engine_link_accept(e, &from, KEYRING_ID_OPEN, NOW_US), 0);
    assert_int_equal(engine_link_accept(e, &from, id_of("C"), NOW_US), 0);
    assert_int_not_equal(engine_link_accept(e, &from, id_of("A"), NOW_US), 0);
    assert_int_not_equal(engine_link_accept(e, &from, id_of("B"), NOW_US), 0);
    engine_free(e);
    e = make_keyed("A-");
    assert_int_not_equal(engine_link_accept(e, &from, KEYRING_ID_OPEN, NOW_US), 0);
    engine_free(e);
}

/* Whoever has a key passes by the limits that keep strangers few, also where these are at them. */
static void stranger_links_obey_limits(void **state)
{
    (void)state;
    const struct addr from = {.ip = {2}, .port = 9};
    struct engine *e = make_keyed("A-");
    for (int i = 0; i < MESH_UNMET_ADDR_MAX; i++) {
        assert_int_not_equal(engine_link_accept(e, &from, id_of("A"), NOW_US), 0);
        assert_int_not_equal(engine_link_accept(e, &from, KEYRING_ID_OPEN, NOW_US), 0);
    }
    assert_int_equal(engine_link_accept(e, &from, KEYRING_ID_OPEN, NOW_US), 0);
    assert_int_equal(e->counters.links_refused_addr, 1);
    for (int i = 0; i < 2 * MESH_UNMET_MAX; i++) {
        assert_int_not_equal(engine_link_accept(e, &from, id_of("A"), NOW_US), 0);
    }
    assert_int_equal(e->counters.links_refused_addr, 1);
    engine_check(e);
    engine_free(e);
}

/* A proxy that leads a node's dial back to it passes every handshake, as it has its own key. */
static void own_hello_reflected(void **state)
{
    (void)state;
    const struct addr from = {.ip = {2}, .port = 9};
    struct engine *e = make_keyed("A");
    const uint32_t link = engine_link_accept(e, &from, id_of("A"), NOW_US);
    const struct frame_hello hello = hello_of(5, NOW_US);
    say_this_hello(e, link, &hello, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_SELF);
    assert_false(is_open(e, link));
    engine_free(e);
}

static void who_has_a_key_and_says_no_hello_is_gone_after_3_s(void **state)
{
    (void)state;
    const struct addr from = {.ip = {2}, .port = 9};
    struct engine *e = make_keyed("A");
    const uint32_t link = engine_link_accept(e, &from, id_of("A"), NOW_US);
    engine_tick(e, NOW_US + LINK_HELLO_TIMEOUT_US);
    assert_non_null(mesh_find(e->mesh, link));
    engine_tick(e, NOW_US + LINK_HELLO_TIMEOUT_US + 1);
    assert_null(mesh_find(e->mesh, link));
    engine_free(e);
}

/* ---- Dialing ---- */

/* The link of a dial that is under way, of an engine with those keys. */
static struct engine *make_dialing(const char *letters, uint32_t *ret_link, int *ret_key)
{
    const struct addr to = {.ip = {2}, .port = 9};
    struct engine *e = make_keyed(letters);
    (void)dialed_key(e, ret_link);
    assert_non_null(mesh_dial(e->mesh, &to, NOW_US));
    *ret_key = dialed_key(e, ret_link);
    return e;
}

static void a_dial_goes_on_with_the_next_key_until_there_is_none(void **state)
{
    (void)state;
    uint32_t link = 0, again = 0;
    int key = 0;
    struct engine *e = make_dialing("AB-", &link, &key);
    assert_int_equal(key, id_of("A"));
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US);
    assert_int_equal(dialed_key(e, &again), id_of("B"));
    assert_int_equal(again, link);
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US);
    assert_int_equal(dialed_key(e, &again), KEYRING_ID_OPEN);
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US);
    assert_int_equal(dialed_key(e, &again), -1);
    assert_null(mesh_find(e->mesh, link));
    engine_free(e);
}

/* In a ring that begins with `open` the plain upgrade comes first, which a sealed node refuses. */
static void a_refused_upgrade_goes_on_with_a_key(void **state)
{
    (void)state;
    uint32_t link = 0;
    int key = 0;
    struct engine *e = make_dialing("-A", &link, &key);
    assert_int_equal(key, KEYRING_ID_OPEN);
    engine_link_down(e, link, LINK_END_REJECTED, NOW_US);
    assert_int_equal(dialed_key(e, &link), id_of("A"));
    engine_link_up(e, link, NOW_US);
    assert_int_equal(mesh_find(e->mesh, link)->key_id, id_of("A"));
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    engine_free(e);
}

/* Another key does not help where nobody listens, or where the peer has taken this one. */
static void a_dial_that_ends_otherwise_has_failed(void **state)
{
    (void)state;
    static const enum link_end ends[] = {LINK_END_REFUSED, LINK_END_TIMEOUT, LINK_END_RESET,
                                         LINK_END_REJECTED, LINK_END_EOF};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        uint32_t link = 0;
        int key = 0;
        struct engine *e = make_dialing("AB", &link, &key);
        engine_link_down(e, link, ends[i], NOW_US);
        assert_int_equal(dialed_key(e, &link), -1);
        engine_free(e);
    }
    uint32_t link = 0;
    int key = 0;
    struct engine *e = make_dialing("AB", &link, &key);
    engine_link_up(e, link, NOW_US);
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US);
    assert_int_equal(dialed_key(e, &link), -1);
    engine_free(e);
}

/* ---- Other keys ---- */

/* They end at once; what the other end does not read of it is not waited for. */
static void removed_key_ends_links_within_5s(void **state)
{
    (void)state;
    uint32_t dialed = 0;
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = make_keyed("AB");
    const uint32_t old = link_of(e, 2, id_of("A"), NOW_US);
    const uint32_t kept = link_of(e, 3, id_of("B"), NOW_US);
    const struct addr from = {.ip = {4}, .port = 9};
    const uint32_t unmet = engine_link_accept(e, &from, id_of("A"), NOW_US);
    (void)dialed_key(e, &dialed);
    assert_int_equal(set_keys(e, "B", NOW_US), RC_OK);
    assert_false(is_open(e, old));
    assert_int_equal(close_reason(e, old), CLOSE_KEY);
    assert_null(mesh_find(e->mesh, unmet));
    assert_true(is_open(e, kept));
    assert_int_equal(notices(e, NOTICE_LINK_DOWN, text), 1);
    assert_string_equal(text, "its key was removed");
    run_for(e, 30, &(uint64_t){NOW_US});
    assert_null(mesh_find(e->mesh, old)); /* also where the other end does not read */
    engine_check(e);
    engine_free(e);
}

static void its_member_is_dialed_anew_at_once(void **state)
{
    (void)state;
    uint32_t link = 0;
    struct engine *e = make_keyed("A-");
    struct frame_hello hello = hello_of(7, NOW_US);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, {.ip = {7}, .port = 9}};
    const uint32_t plain = link_with(e, &hello, NOW_US);
    assert_true(is_open(e, plain));
    (void)dialed_key(e, &link);
    assert_int_equal(set_keys(e, "A", NOW_US + SECOND_US), RC_OK);
    assert_int_equal(dialed_key(e, &link), id_of("A"));
    engine_free(e);
}

/* A member gets the first key of our ring that it has, and the others only if it does not take
 * that. */
static void a_member_is_dialed_with_a_key_that_its_card_names(void **state)
{
    (void)state;
    uint32_t link = 0;
    struct engine *e = make_keyed("-AB");
    struct frame_hello hello = hello_of(7, NOW_US);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, {.ip = {7}, .port = 9}};
    hello.card.key_count = 1;
    hello.card.keys[0] = id_of("B");
    const uint32_t plain = link_with(e, &hello, NOW_US);
    (void)dialed_key(e, &link);
    assert_int_equal(set_keys(e, "AB", NOW_US + SECOND_US), RC_OK);
    assert_false(is_open(e, plain));
    assert_int_equal(dialed_key(e, &link), id_of("B"));
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US + SECOND_US);
    assert_int_equal(dialed_key(e, &link), id_of("A"));
    engine_link_down(e, link, LINK_END_UNSEALED, NOW_US + SECOND_US);
    assert_int_equal(dialed_key(e, &link), -1);
    engine_free(e);
}

static void the_other_end_dials_anew_when_it_hears_of_it(void **state)
{
    (void)state;
    static const uint8_t reason = CLOSE_KEY;
    uint32_t link = 0;
    struct engine *e = make_keyed("BA");
    struct frame_hello hello = hello_of(7, NOW_US);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, {.ip = {7}, .port = 9}};
    const struct addr from = {.ip = {7}, .port = 9};
    const uint32_t old = engine_link_accept(e, &from, id_of("A"), NOW_US);
    say_this_hello(e, old, &hello, NOW_US);
    (void)dialed_key(e, &link);
    say_frame(e, old, FRAME_CLOSE, FRAME_CRITICAL, &reason, 1, NOW_US);
    assert_int_equal(dialed_key(e, &link), id_of("B"));
    engine_free(e);
}

static void keys_that_cannot_be_set_change_nothing(void **state)
{
    (void)state;
    struct engine *e = make_keyed("A");
    const uint32_t link = link_of(e, 2, id_of("A"), NOW_US);
    assert_int_equal(set_keys(e, "BB", NOW_US), RC_EXISTS);
    assert_true(is_open(e, link));
    assert_non_null(keyring_find(engine_keyring(e), id_of("A")));
    assert_int_equal(set_keys(e, "BA", NOW_US), RC_OK);
    assert_true(is_open(e, link));
    assert_int_equal(engine_keyring(e)->keys[0].id, id_of("B"));
    engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_refuses_open_link),
        cmocka_unit_test(stranger_links_obey_limits),
        cmocka_unit_test(own_hello_reflected),
        cmocka_unit_test(who_has_a_key_and_says_no_hello_is_gone_after_3_s),
        cmocka_unit_test(a_dial_goes_on_with_the_next_key_until_there_is_none),
        cmocka_unit_test(a_refused_upgrade_goes_on_with_a_key),
        cmocka_unit_test(a_dial_that_ends_otherwise_has_failed),
        cmocka_unit_test(removed_key_ends_links_within_5s),
        cmocka_unit_test(its_member_is_dialed_anew_at_once),
        cmocka_unit_test(a_member_is_dialed_with_a_key_that_its_card_names),
        cmocka_unit_test(the_other_end_dials_anew_when_it_hears_of_it),
        cmocka_unit_test(keys_that_cannot_be_set_change_nothing),
    };
    return cmocka_run_group_tests(tests, make_ops, free_ops);
}
