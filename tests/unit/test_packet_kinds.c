/* Every kind of packet that comes in, by datagram and by link: whole, cut at every length, grown,
 * and with each kind that it names just within and just past what there is. What is not right is
 * counted and changes nothing. It ends no link: a datagram could not have done so. */
#include "gossip/membership/packet_in.h"

#include "engine_rig.h"

#include "gossip/wire/packet.h"

enum { NOW_US = START_US + SECOND_US, SENDER = 2, BODY = PACKET_LONG_BYTES };

static const uint8_t ip[] = {10, 0, 0, 9};
static const uint8_t sums[12] = {1};

/* A packet of that kind as node SENDER says it, without sections. */
static struct packet packet_of(enum packet_kind kind)
{
    const struct uuid sender = {{SENDER}};
    const uint64_t cluster = swim_cluster_hash("net");
    return (struct packet){
        .version = PROTOCOL_VERSION_MIN,
        .is_long = true,
        .tag = packet_tag(&sender, cluster),
        .counter = 5,
        .cluster = cluster,
        .uuid = sender,
        .boot = 3,
        .kind = kind,
        .seq = 1000,
        .target = {{7}},
        .first = 17,
        .width = 5,
        .count = kind == PACKET_PULL ? 3 : 0,
        .sums = sums,
        .cookie = kind == PACKET_COOKIE ? 9 : 0,
    };
}

/* One entry of each kind; PAST stands in CARDS alone. */
static size_t entries_of(enum packet_kind kind, uint8_t bytes[static DATAGRAM_BYTES_MAX])
{
    uint8_t card_bytes[CARD_WIRE_MAX];
    const struct member_card card = {
        .uuid = {{7}},
        .incarnation = 2,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "n",
        .enclave = "e",
        .addr_count = 1,
        .addrs = {{SCOPE_GLOBAL, addr_v4(ip, 80)}},
    };
    struct cursor c = cursor_writer(card_bytes, sizeof(card_bytes));
    member_card_write(&c, &card);
    struct entry e = {.uuid = {{7}},
                      .incarnation = 2,
                      .by = {{8}},
                      .state = MEMBER_LEFT,
                      .card = card_bytes,
                      .card_len = c.pos};
    c = cursor_writer(bytes, DATAGRAM_BYTES_MAX);
    for (int i = ENTRY_ALIVE; i <= (kind == PACKET_CARDS ? ENTRY_PAST : ENTRY_LEFT); i++) {
        e.kind = (enum entry_kind)i;
        packet_entry_write(&c, &e);
    }
    assert_true(cursor_ok(&c));
    return c.pos;
}

/* The bytes of a packet, and where it could end as well: before each of its sections. */
struct sample {
    uint8_t bytes[DATAGRAM_BYTES_MAX];
    size_t ends[4], end_count, len;
    size_t entries; /* where the first one is */
};

static void add_end(struct sample *s, const struct packet *p)
{
    struct cursor c = cursor_writer(s->bytes, sizeof(s->bytes));
    packet_write(&c, p);
    assert_true(cursor_ok(&c));
    s->len = c.pos;
    s->ends[s->end_count++] = c.pos;
}

static struct sample sample_of(enum packet_kind kind)
{
    struct sample s = {.end_count = 0};
    uint8_t entries[DATAGRAM_BYTES_MAX];
    struct packet p = packet_of(kind);
    add_end(&s, &p);
    p.has_seen_as = true;
    p.seen_as = addr_v4(ip, 81);
    add_end(&s, &p);
    if (kind == PACKET_PING || kind == PACKET_PULL) {
        p.cookie = 9;
        add_end(&s, &p);
    }
    p.entries_len = entries_of(kind, entries);
    p.entries = entries;
    add_end(&s, &p);
    s.entries = s.len - p.entries_len;
    return s;
}

/* ---- What becomes of one ---- */

enum verdict { TAKEN, MALFORMED, STRANGER };

static void expect(const struct engine *e, bool is_link, enum verdict verdict, uint8_t kind,
                   size_t len)
{
    const struct engine_counters *n = &e->counters;
    if (n->datagrams_in != !is_link || n->datagrams_malformed != (verdict == MALFORMED) ||
        n->datagrams_stranger != (verdict == STRANGER) || n->frames_malformed != 0) {
        fail_msg("kind %d of %zu bytes by %s is not %s", kind, len, is_link ? "link" : "datagram",
                 verdict == TAKEN ? "taken" : "refused");
    }
}

static void bring(const uint8_t *bytes, size_t len, enum verdict verdict, uint8_t kind)
{
    const struct frame_hello hello = hello_of(SENDER, NOW_US);
    const struct addr from = addr_v4(ip, 9000);
    struct engine *e = make_alone(1);
    engine_datagram(e, &from, bytes, len, NOW_US);
    expect(e, false, verdict, kind, len);
    (void)free_engine((void **)&e);
    e = make_alone(1);
    const uint32_t link = link_with(e, &hello, NOW_US);
    say_frame(e, link, FRAME_PACKET, FRAME_CRITICAL, bytes, len, NOW_US);
    expect(e, true, verdict, kind, len);
    assert_true(is_open(e, link));
    (void)free_engine((void **)&e);
}

static bool is_end(const struct sample *s, size_t len)
{
    for (size_t i = 0; i < s->end_count; i++) {
        if (s->ends[i] == len) {
            return true;
        }
    }
    return false;
}

static void a_packet_cut_or_grown_by_a_byte_is_malformed(void **state)
{
    (void)state;
    for (int kind = PACKET_PING; kind <= PACKET_COOKIE; kind++) {
        const struct sample s = sample_of((enum packet_kind)kind);
        for (size_t len = 0; len <= s.len + 1; len++) {
            bring(s.bytes, len, is_end(&s, len) ? TAKEN : MALFORMED, (uint8_t)kind);
        }
    }
}

static void no_other_kind_is_taken_at_any_length(void **state)
{
    (void)state;
    for (int kind = 0; kind <= UINT8_MAX; kind++) {
        struct sample s = sample_of(PACKET_GOSSIP);
        memset(s.bytes + BODY, 0, sizeof(s.bytes) - BODY);
        s.bytes[BODY] = (uint8_t)kind;
        for (size_t len = BODY + 1;
             (kind < PACKET_PING || kind > PACKET_COOKIE) && len < BODY + PACKET_BODY_MAX + 4;
             len++) {
            bring(s.bytes, len, MALFORMED, (uint8_t)kind);
        }
    }
}

/* A byte of a packet that is something else; `at` counts from its body, or from its entries. */
struct change {
    enum packet_kind kind;
    bool is_entry;
    size_t at;
    uint8_t to;
    enum verdict verdict;
};

/* Where in the entries each of them begins: ALIVE is 1 | uuid 16 | boot 6 | tag 6 | incarnation 8 |
 * versions 2 | features 2 | "n" | "e" | count 1 | scope 1 | address 7. */
enum {
    ADDR_COUNT = 1 + 16 + 6 + 6 + 8 + 2 + 2 + 2 + 2,
    SUSPECT = ADDR_COUNT + 1 + 1 + 7,
    DEAD = SUSPECT + 1 + 16 + 8 + 16,
    LEFT = DEAD + 1 + 16 + 8 + 16,
    PAST = LEFT + 1 + 16 + 8,
    SEEN_AS = 1 + 3, /* GOSSIP's body is its kind alone */
};

static const struct change changes[] = {
    {PACKET_RELAYED, false, 21, 1, TAKEN},
    {PACKET_RELAYED, false, 21, 2, MALFORMED},
    {PACKET_PULL, false, 9, 30, TAKEN}, /* three ranges of so many tags are not yet all there are */
    {PACKET_PULL, false, 9, 31, MALFORMED},
    {PACKET_PULL, false, 9, PULL_WIDTH_MAX + 1, MALFORMED},
    {PACKET_PULL, false, 10, 0, MALFORMED},
    {PACKET_PULL, false, 10, 4, MALFORMED},
    {PACKET_COOKIE, false, 12, 0, MALFORMED},
    /* SEEN_AS: the section, its length, the family of the address, its port. */
    {PACKET_GOSSIP, false, 1, 0, TAKEN}, /* unknown, and skipped */
    {PACKET_GOSSIP, false, 1, 127, TAKEN},
    {PACKET_GOSSIP, false, 1, 128, MALFORMED},
    {PACKET_GOSSIP, false, SEEN_AS, 0, MALFORMED},
    {PACKET_GOSSIP, false, SEEN_AS, 3, MALFORMED},
    {PACKET_GOSSIP, false, SEEN_AS, 5, MALFORMED},
    {PACKET_GOSSIP, false, SEEN_AS, 6, MALFORMED}, /* of which there are not bytes enough */
    {PACKET_GOSSIP, false, SEEN_AS, 7, MALFORMED},
    {PACKET_GOSSIP, false, SEEN_AS + 6, 0, MALFORMED},
    /* ALIVE: its kind, how many addresses, their scope and family. */
    {PACKET_GOSSIP, true, 0, ENTRY_ALIVE - 1, MALFORMED},
    {PACKET_GOSSIP, true, ADDR_COUNT, 0, MALFORMED},
    {PACKET_GOSSIP, true, ADDR_COUNT, MEMBER_ADDRS_MAX + 1, MALFORMED},
    {PACKET_GOSSIP, true, ADDR_COUNT + 1, SCOPE_HOST, TAKEN},
    {PACKET_GOSSIP, true, ADDR_COUNT + 1, SCOPE_GLOBAL + 1, MALFORMED},
    {PACKET_GOSSIP, true, ADDR_COUNT + 2, 5, MALFORMED},
    /* The others have their kind and whom they are about; DEAD and SUSPECT are as long. */
    {PACKET_GOSSIP, true, SUSPECT, ENTRY_DEAD, TAKEN},
    {PACKET_GOSSIP, true, LEFT, ENTRY_PAST, MALFORMED},
    {PACKET_GOSSIP, true, LEFT, ENTRY_PAST + 1, MALFORMED},
    {PACKET_GOSSIP, true, LEFT + 1, 0, MALFORMED},
    {PACKET_CARDS, true, PAST, ENTRY_PAST + 1, MALFORMED},
    {PACKET_CARDS, true, PAST + 25, MEMBER_ALIVE, MALFORMED},
    {PACKET_CARDS, true, PAST + 25, MEMBER_SUSPECT, MALFORMED},
    {PACKET_CARDS, true, PAST + 25, MEMBER_DEAD, TAKEN},
    {PACKET_CARDS, true, PAST + 25, MEMBER_NAMED, MALFORMED},
};

static void each_kind_that_a_packet_names_is_taken_up_to_the_last_and_refused_past_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const struct change *change = &changes[i];
        struct sample s = sample_of(change->kind);
        const size_t at = (change->is_entry ? s.entries : (size_t)BODY) + change->at;
        if (s.bytes[at] == change->to) {
            fail_msg("change %zu changes nothing", i);
        }
        s.bytes[at] = change->to;
        bring(s.bytes, s.len, change->verdict, (uint8_t)change->kind);
    }
}

static void bring_entries(enum packet_kind kind, const uint8_t *entries, size_t len,
                          enum verdict verdict)
{
    struct sample s = {.end_count = 0};
    struct packet p = packet_of(kind);
    p.entries = entries;
    p.entries_len = len;
    add_end(&s, &p);
    bring(s.bytes, s.len, verdict, (uint8_t)kind);
}

static void what_is_past_stands_in_pages_of_cards_alone(void **state)
{
    (void)state;
    uint8_t entries[DATAGRAM_BYTES_MAX];
    const size_t len = entries_of(PACKET_CARDS, entries);
    for (int kind = PACKET_PING; kind <= PACKET_COOKIE; kind++) {
        bring_entries((enum packet_kind)kind, entries, len,
                      kind == PACKET_CARDS ? TAKEN : MALFORMED);
    }
}

static void a_card_has_as_many_addresses_as_it_may_and_no_more(void **state)
{
    (void)state;
    static const uint8_t addr[] = {SCOPE_GLOBAL, 4, 10, 0, 0, 9, 0, 80};
    uint8_t entries[DATAGRAM_BYTES_MAX];
    for (size_t count = 0; count <= MEMBER_ADDRS_MAX + 1; count++) {
        (void)entries_of(PACKET_GOSSIP, entries);
        entries[ADDR_COUNT] = (uint8_t)count;
        for (size_t i = 0; i < count; i++) {
            memcpy(entries + ADDR_COUNT + 1 + i * sizeof(addr), addr, sizeof(addr));
        }
        bring_entries(PACKET_GOSSIP, entries, ADDR_COUNT + 1 + count * sizeof(addr),
                      count <= MEMBER_ADDRS_MAX ? TAKEN : MALFORMED);
    }
}

static void other_versions_and_clusters_are_strangers_and_other_flags_malformed(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, to;
        enum verdict verdict;
    } heads[] = {
        {0, PROTOCOL_VERSION_MIN - 1, STRANGER},
        {0, PROTOCOL_VERSION_MAX + 1, STRANGER},
        {1, 3, TAKEN},      /* it has our card */
        {1, 5, MALFORMED},  /* an INTRO is another kind */
        {1, 8, MALFORMED},  /* a flag that is not known */
        {1, 0, MALFORMED},  /* a short header, and the rest of a long one is no body */
        {7, 0, MALFORMED},  /* the tag of another */
        {23, 0, MALFORMED}, /* another cluster's sender has another tag */
        {47, 9, TAKEN},     /* another life */
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct sample s = sample_of(PACKET_GOSSIP);
        assert_int_not_equal(s.bytes[heads[i].at], heads[i].to);
        s.bytes[heads[i].at] = heads[i].to;
        bring(s.bytes, s.len, heads[i].verdict, PACKET_GOSSIP);
    }
    struct sample s = {.end_count = 0};
    struct packet p = packet_of(PACKET_GOSSIP);
    p.cluster++;
    p.tag = packet_tag(&p.uuid, p.cluster);
    add_end(&s, &p);
    bring(s.bytes, s.len, STRANGER, PACKET_GOSSIP);
}

static void the_longest_datagram_is_read_and_no_longer_one(void **state)
{
    (void)state;
    static uint8_t bytes[DATAGRAM_BYTES_MAX + 1];
    for (size_t len = DATAGRAM_BYTES_MAX - 1; len <= DATAGRAM_BYTES_MAX + 1; len++) {
        const struct packet p = packet_of(PACKET_GOSSIP);
        struct cursor c = cursor_writer(bytes, sizeof(bytes));
        packet_write(&c, &p);
        cursor_put_u8(&c, 4); /* padding */
        cursor_put_u16(&c, (uint16_t)(len - c.pos - 2));
        bring(bytes, len, len <= DATAGRAM_BYTES_MAX ? TAKEN : MALFORMED, PACKET_GOSSIP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_cut_or_grown_by_a_byte_is_malformed),
        cmocka_unit_test(no_other_kind_is_taken_at_any_length),
        cmocka_unit_test(each_kind_that_a_packet_names_is_taken_up_to_the_last_and_refused_past_it),
        cmocka_unit_test(what_is_past_stands_in_pages_of_cards_alone),
        cmocka_unit_test(a_card_has_as_many_addresses_as_it_may_and_no_more),
        cmocka_unit_test(other_versions_and_clusters_are_strangers_and_other_flags_malformed),
        cmocka_unit_test(the_longest_datagram_is_read_and_no_longer_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
