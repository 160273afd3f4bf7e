#include "gossip/sealing/sealing.h"

#include "net/crypto/seal_openssl.h"
#include "tests/unit/rings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_US = 1000000 };

static struct seal_openssl *openssl;
static const struct uuid a = {{1}}, b = {{2}};
static const uint8_t ip[4] = {10, 0, 0, 1};

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

static void init(struct sealing *x, const struct uuid *self, const char *letters)
{
    const struct keyring_items items = rings_items(letters);
    const struct sealing_config config = {.ops = seal_openssl_ops(openssl),
                                          .network = "net",
                                          .self = *self,
                                          .seed = 1,
                                          .senders_max = 4};
    sealing_init(x, &config);
    assert_int_equal(sealing_set_keys(x, &items), RC_OK);
    sealing_check(x);
}

static void put(struct sealing *x, const char *letters)
{
    const struct keyring_items items = rings_items(letters);
    assert_int_equal(sealing_set_keys(x, &items), RC_OK);
    sealing_check(x);
}

/* The id of the key of a letter, which is in the ring. */
static uint16_t id_of(const char *letter)
{
    struct keyring ring;
    const struct keyring_items items = rings_items(letter);
    assert_int_equal(keyring_init(&ring, seal_openssl_ops(openssl), "net", &items), RC_OK);
    const uint16_t id = ring.keys[0].id;
    keyring_fini(&ring);
    return id;
}

/* A GOSSIP of `sender` to `to` under the first key; its length. */
static size_t sealed(struct sealing *sender, const struct uuid *to, uint64_t counter, bool is_long,
                     uint8_t data[static DATAGRAM_BYTES_MAX])
{
    const uint64_t cluster = 7;
    const struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .is_long = is_long,
        .key_id = sender->ring.keys[0].id,
        .tag = packet_tag(&sender->self, cluster),
        .counter = counter,
        .cluster = cluster,
        .uuid = sender->self,
        .kind = PACKET_GOSSIP,
    };
    struct cursor c = cursor_writer(data, DATAGRAM_BYTES_MAX);
    packet_write(&c, &p);
    const size_t len = sealing_seal(sender, to, data, c.pos, NOW_US);
    assert_int_equal(len, c.pos + SEAL_TAG_BYTES);
    return len;
}

static enum sealing_refusal opened(struct sealing *x, const struct uuid *sender,
                                   const uint8_t *data, size_t len)
{
    struct packet_head head;
    uint8_t plain[DATAGRAM_BYTES_MAX];
    const struct addr from = addr_v4(ip, 9);
    const struct sealing_from whose = {.sender = sender, .incarnation = 1, .addr = &from};
    assert_int_equal(packet_read_head(data, len, &head), RC_OK);
    const enum sealing_refusal refusal = sealing_open(x, &head, &whose, data, len, NOW_US, plain);
    if (refusal == SEALING_OPENED) {
        assert_memory_equal(plain, data, head.len);
        assert_int_equal(plain[head.len], PACKET_GOSSIP);
    }
    sealing_check(x);
    return refusal;
}

static void each_refusal_is_counted_by_its_reason(void **state)
{
    (void)state;
    struct sealing from, to;
    uint8_t data[DATAGRAM_BYTES_MAX];
    init(&from, &a, "A");
    init(&to, &b, "A");
    size_t len = sealed(&from, &b, 5, false, data);
    assert_int_equal(opened(&to, NULL, data, len), SEALING_REFUSED_SENDER);
    assert_int_equal(opened(&to, &b, data, len), SEALING_REFUSED_FORGED);
    data[len - 1] ^= 1;
    assert_int_equal(opened(&to, &a, data, len), SEALING_REFUSED_FORGED);
    data[len - 1] ^= 1;
    assert_int_equal(opened(&to, &a, data, PACKET_SHORT_BYTES + SEAL_TAG_BYTES - 1),
                     SEALING_REFUSED_FORGED);
    assert_int_equal(to.windows.count, 0); /* none of these has a place */
    assert_int_equal(opened(&to, &a, data, len), SEALING_OPENED);
    assert_int_equal(opened(&to, &a, data, len), SEALING_REFUSED_REPLAY);
    put(&to, "B");
    assert_int_equal(opened(&to, &a, data, len), SEALING_REFUSED_KEY);
    assert_false(sealing_takes_open(&to));
    static const uint64_t expected[SEALING_REFUSED_KINDS] = {
        [SEALING_REFUSED_OPEN] = 1,   [SEALING_REFUSED_KEY] = 1,    [SEALING_REFUSED_SENDER] = 1,
        [SEALING_REFUSED_REPLAY] = 1, [SEALING_REFUSED_FORGED] = 3,
    };
    assert_memory_equal(to.refused, expected, sizeof(expected));
    assert_string_equal(sealing_refusal_text(SEALING_REFUSED_OPEN), "open");
    assert_string_equal(sealing_refusal_text(SEALING_REFUSED_BUDGET), "budget");
    sealing_fini(&from);
    sealing_fini(&to);
}

static void the_window_goes_by_sender_and_outlives_another_ring(void **state)
{
    (void)state;
    struct sealing from, to;
    uint8_t data[DATAGRAM_BYTES_MAX], other[DATAGRAM_BYTES_MAX];
    init(&from, &a, "A");
    init(&to, &b, "AB");
    const size_t len = sealed(&from, &b, 300, true, data);
    assert_int_equal(opened(&to, &a, data, len), SEALING_OPENED);
    put(&from, "B");
    put(&to, "BA");
    assert_int_equal(opened(&to, &a, data, len), SEALING_REFUSED_REPLAY);
    const size_t other_len = sealed(&from, &b, 44, true, other);
    assert_int_equal(opened(&to, &a, other, other_len), SEALING_REFUSED_REPLAY); /* too old */
    const size_t last_len = sealed(&from, &b, 45, true, other);
    assert_int_equal(opened(&to, &a, other, last_len), SEALING_OPENED);
    sealing_fini(&from);
    sealing_fini(&to);
}

/* A member with such a card, of which a datagram came last under the key of `last`, if any, while
 * its card had that incarnation. */
static uint16_t key_to(const char *ring, const char *card, const char *last, uint64_t incarnation)
{
    struct sealing x;
    init(&x, &a, ring);
    struct member_card c = {.uuid = b, .incarnation = 3, .name = "b", .enclave = "default"};
    struct sealing of_card;
    init(&of_card, &b, card);
    sealing_name_keys(&of_card, &c);
    sealing_fini(&of_card);
    struct member m = {.tag = 9};
    member_set_card(&m, &c);
    if (last != NULL) {
        struct windows_place *place = windows_take(&x.windows, m.tag, &m.uuid, 1);
        place->key_id = id_of(last);
        place->incarnation = incarnation;
    }
    const uint16_t id = sealing_key_to(&x, &m);
    member_fini(&m);
    sealing_fini(&x);
    return id;
}

static void a_member_gets_the_first_key_of_ours_that_it_holds(void **state)
{
    (void)state;
    static const struct {
        const char *ring, *card, *last;
        uint64_t incarnation;
        const char *expected;
    } cases[] = {
        {"A", "A", NULL, 0, "A"},   {"AB", "BA", NULL, 0, "A"}, {"AB", "B", NULL, 0, "B"},
        {"BA", "AB", NULL, 0, "B"}, {"OA", "OA", NULL, 0, "O"}, {"OA", "A", NULL, 0, "A"},
        {"AO", "O", NULL, 0, "O"},  {"AO", "", NULL, 0, "O"},   {"", "A", NULL, 0, "O"},
        {"AB", "A", "B", 3, "B"},  /* its card is old, as it uses what that does not name */
        {"AB", "A", "B", 2, "A"},  /* but not one that came after it */
        {"AB", "AB", "B", 3, "A"}, /* it holds both */
        {"AB", "A", "C", 3, "A"},  /* that we have not (any more) */
        {"AB", "C", NULL, 0, "A"}, /* nothing in common: its card may be old */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(key_to(cases[i].ring, cases[i].card, cases[i].last, cases[i].incarnation),
                         id_of(cases[i].expected));
    }
}

static void what_was_counted_of_a_key_stays_with_it(void **state)
{
    (void)state;
    struct sealing x;
    uint8_t data[DATAGRAM_BYTES_MAX];
    init(&x, &a, "AB");
    (void)sealed(&x, &b, 1, false, data);
    put(&x, "CBA");
    assert_int_equal(x.uses[0].sent, 0);
    assert_int_equal(x.uses[2].sent, 1);
    assert_int_equal(x.uses[2].used_us, NOW_US);
    put(&x, "CB");
    put(&x, "A");
    assert_int_equal(x.uses[0].sent, 0);
    sealing_fini(&x);
}

static void with_a_key_that_is_gone_nothing_is_sealed(void **state)
{
    (void)state;
    struct sealing x;
    uint8_t data[DATAGRAM_BYTES_MAX];
    init(&x, &a, "A");
    const size_t len = sealed(&x, &b, 1, false, data);
    put(&x, "B");
    assert_int_equal(sealing_seal(&x, &b, data, len - SEAL_TAG_BYTES, NOW_US), 0);
    sealing_fini(&x);
}

static void a_mixed_ring_takes_both_and_says_so(void **state)
{
    (void)state;
    struct sealing from, to;
    uint8_t data[DATAGRAM_BYTES_MAX];
    init(&from, &a, "A");
    init(&to, &b, "OA");
    assert_int_equal(to.state, SEALING_MIXED);
    assert_true(sealing_takes_open(&to));
    assert_int_equal(to.uses[0].received, 0); /* anybody's */
    assert_int_equal(to.uses[0].used_us, 0);
    const struct member m = {.tag = 9, .uuid = a};
    sealing_note_open(&to, &m, NOW_US);
    assert_int_equal(to.uses[0].received, 1);
    assert_int_equal(to.uses[0].used_us, NOW_US);
    assert_int_equal(opened(&to, &a, data, sealed(&from, &b, 1, true, data)), SEALING_OPENED);
    assert_int_equal(to.uses[1].received, 1);
    put(&to, "");
    assert_int_equal(to.state, SEALING_OPEN);
    assert_int_equal(sealing_tag_bytes(&to), 0);
    struct member_card card = {.key_count = 3};
    sealing_name_keys(&to, &card);
    assert_int_equal(card.key_count, 0);
    sealing_fini(&from);
    sealing_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_is_counted_by_its_reason),
        cmocka_unit_test(the_window_goes_by_sender_and_outlives_another_ring),
        cmocka_unit_test(a_member_gets_the_first_key_of_ours_that_it_holds),
        cmocka_unit_test(what_was_counted_of_a_key_stays_with_it),
        cmocka_unit_test(with_a_key_that_is_gone_nothing_is_sealed),
        cmocka_unit_test(a_mixed_ring_takes_both_and_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
