/* How nodes with keys introduce themselves, and who would keep them from it. */
#include "sealed_rig.h"

#include "gossip/membership/swim_state.h"

/* The newcomer's INTRO to node 0, which is its last word, and does not get there. */
static void record_intro(struct cluster *c, uint32_t newcomer)
{
    start_recording(c, newcomer, 0);
    c->on_datagram = record_and_drop;
    swim_candidate(c->nodes[newcomer].swim, &c->nodes[0].addr, c->now_us);
    swim_tick(c->nodes[newcomer].swim, c->now_us, c->now_us);
    drain(c, newcomer);
    assert_int_equal(recorded_count, 1);
    assert_true(is_intro(&recorded[0]));
    c->nodes[newcomer].is_up = false;
    c->on_datagram = NULL;
}

/* An INTRO to node 0 of a cluster, which is recorded and did not get there. */
static struct cluster *with_intro(void)
{
    struct cluster *c = sealed_formed(3, 2, "A");
    const uint32_t newcomer = cluster_start(c);
    record_intro(c, newcomer);
    c->on_datagram = NULL;
    run_for(c, 100);
    assert_int_equal(swim_counts(c->nodes[0].swim).alive, 1);
    c->has_refusals = false;
    c->bytes_elsewhere = c->datagrams_elsewhere = 0;
    return c;
}

static void answer_never_longer_than_intro(void **state)
{
    (void)state;
    struct cluster *c = with_intro();
    const struct addr from = addr_v4(elsewhere, 99);
    bring(c, 0, &from, recorded[0].data, recorded[0].len);
    assert_int_equal(c->datagrams_elsewhere, 1);
    assert_int_equal(c->bytes_elsewhere, recorded[0].len);
    assert_int_equal(recorded[0].len, PACKET_INTRO_BYTES + SEAL_TAG_BYTES);
    /* A shorter one that opens gets no answer. */
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = {.kind = PACKET_INTRO,
                       .version = PROTOCOL_VERSION_MIN,
                       .is_long = true,
                       .key_id = swim_sealing(c->nodes[0].swim)->ring.keys[0].id,
                       .counter = 1,
                       .cluster = swim_cluster_hash("private"),
                       .uuid = {{7}},
                       .seq = 1,
                       .nonce = elsewhere};
    static const uint8_t nonce[PACKET_NONCE_BYTES] = {1};
    p.nonce = nonce;
    p.tag = packet_tag(&p.uuid, p.cluster);
    const struct keyring_items items = rings_items("A");
    struct sealing sender;
    sealing_init(&sender, &(struct sealing_config){.ops = seal_openssl_ops(sealed_openssl),
                                                   .network = "private",
                                                   .self = p.uuid,
                                                   .senders_max = 1});
    assert_int_equal(sealing_set_keys(&sender, &items), RC_OK);
    for (uint32_t round = 0; round < 2; round++) {
        struct cursor w = cursor_writer(data, sizeof(data));
        p.size_min = round == 0 ? 0 : PACKET_INTRO_BYTES;
        packet_write(&w, &p);
        const size_t len = sealing_seal(&sender, NULL, data, w.pos, c->now_us);
        assert_int_not_equal(len, 0);
        bring(c, 0, &from, data, len);
        assert_int_equal(c->datagrams_elsewhere, 1 + round);
        p.counter++;
    }
    sealing_fini(&sender);
    cluster_free(c);
}

static void intro_replayed_creates_no_member(void **state)
{
    (void)state;
    struct cluster *c = with_intro();
    const struct addr from = addr_v4(elsewhere, 99);
    const uint64_t digest = swim_digest(c->nodes[0].swim);
    const uint32_t senders = swim_sealing(c->nodes[0].swim)->windows.count;
    for (uint32_t i = 0; i < 100; i++) {
        bring(c, 0, &from, recorded[0].data, recorded[0].len);
    }
    run_for(c, 5000);
    assert_int_equal(c->datagrams_elsewhere, 1); /* an answer to the first, and no ping */
    assert_int_equal(refused(c, 0, SEALING_REFUSED_REPLAY), 99);
    assert_int_equal(swim_digest(c->nodes[0].swim), digest);
    assert_int_equal(swim_counts(c->nodes[0].swim).named, 0);
    assert_int_equal(swim_sealing(c->nodes[0].swim)->windows.count, senders);
    cluster_free(c);
}

static void an_answer_with_another_nonce_is_none(void **state)
{
    (void)state;
    struct cluster *c = sealed_new(4, 2, "A");
    struct swim *s = c->nodes[0].swim;
    swim_candidate(s, &c->nodes[1].addr, c->now_us);
    struct candidate_ask ask;
    assert_int_equal(candidates_due(&s->candidates, c->now_us, &ask), CANDIDATE_ASK);
    uint8_t nonce[PACKET_NONCE_BYTES];
    memcpy(nonce, ask.nonce, sizeof(nonce));
    nonce[15] ^= 1;
    const struct uuid uuid = {{9}};
    assert_false(candidates_introduced(&s->candidates, ask.seq, nonce, &uuid, 5, 77, c->now_us));
    assert_int_equal(candidates_due(&s->candidates, c->now_us, &ask), CANDIDATE_WAIT);
    assert_true(candidates_introduced(&s->candidates, ask.seq, ask.nonce, &uuid, 5, 77, c->now_us));
    assert_int_equal(candidates_due(&s->candidates, c->now_us, &ask), CANDIDATE_ASK);
    assert_true(uuid_equal(&ask.uuid, &uuid));
    assert_int_equal(ask.key_id, 5);
    assert_int_equal(ask.cookie, 77);
    cluster_free(c);
}

static uint32_t in_clear;

static bool count_clear(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    in_clear += from == 0 && f->data[KEY_AT] == 0 && f->data[KEY_AT + 1] == 0;
    return true;
}

static void a_candidate_of_before_hears_nothing_in_clear_once_open_is_gone(void **state)
{
    (void)state;
    struct cluster *c = sealed_new(4, 2, "OA");
    struct swim *s = c->nodes[0].swim;
    struct candidate_ask ask;
    swim_candidate(s, &c->nodes[1].addr, c->now_us);
    assert_int_equal(candidates_due(&s->candidates, c->now_us, &ask), CANDIDATE_ASK);
    assert_true(candidates_cookie(&s->candidates, ask.seq, 77, c->now_us));
    set_ring(c, 0, "A");
    assert_int_equal(swim_sealing(s)->state, SEALING_SEALED);
    drain(c, 0);
    in_clear = 0;
    c->on_datagram = count_clear;
    run_for(c, 1000);
    assert_int_equal(in_clear, 0);
    cluster_free(c);
}

static void a_nodes_own_intro_tells_it_which_address_is_its_own(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(5);
    c->seal = seal_openssl_ops(sealed_openssl);
    c->ring = "A";
    c->is_many_hosts = true;
    (void)cluster_start(c);
    assert_false(swim_is_own(c->nodes[0].swim, &c->nodes[0].addr));
    hint(c, 0, &c->nodes[0].addr);
    run_for(c, 100);
    assert_true(swim_is_own(c->nodes[0].swim, &c->nodes[0].addr));
    cluster_free(c);
}

static void intro_flood_10k_s_keeps_probes_alive(void **state)
{
    (void)state;
    enum { MS_LONG = 5000, IN_A_MS = 10 };
    struct cluster *c = sealed_formed(6, 4, "A");
    const uint32_t newcomer = cluster_start(c);
    record_intro(c, newcomer);
    run_for(c, 1000);
    c->has_refusals = false;
    c->datagrams_elsewhere = 0;
    struct flight forged = recorded[0];
    for (uint32_t ms = 0; ms < MS_LONG; ms++) {
        for (uint32_t i = 0; i < IN_A_MS; i++) {
            const uint64_t random = rng_next(&c->rng);
            const uint8_t ip[4] = {11, (uint8_t)(random >> 16), (uint8_t)(random >> 8),
                                   (uint8_t)random};
            const struct addr from = addr_v4(ip, 9);
            forged.data[70] = (uint8_t)(random >> 24);
            forged.data[71] = (uint8_t)(random >> 32);
            bring(c, 0, &from, forged.data, forged.len);
        }
        run_for(c, 1);
    }
    assert_true(is_full(c));
    assert_int_equal(c->false_deaths, 0);
    assert_int_equal(c->nodes[0].counters.suspicions, 0);
    assert_int_equal(c->nodes[0].counters.probes_failed, 0);
    const uint64_t opened = refused(c, 0, SEALING_REFUSED_FORGED);
    assert_in_range(opened, BUDGET_FAILED, (uint64_t)BUDGET_FAILED * (MS_LONG / 1000 + 2));
    assert_in_range(opened + refused(c, 0, SEALING_REFUSED_BUDGET), MS_LONG * IN_A_MS - 10,
                    MS_LONG * IN_A_MS);
    assert_int_equal(c->datagrams_elsewhere, 0); /* silence */
    cluster_free(c);
}

/* Somebody who forges any address repeats what he has recorded, all of which opens. */
static void repeat_intros(struct cluster *c, uint32_t count)
{
    static uint32_t next;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t random = rng_next(&c->rng);
        const uint8_t ip[4] = {11, (uint8_t)(random >> 16), (uint8_t)(random >> 8), 1};
        const struct addr from = addr_v4(ip, 9);
        const struct flight *f = &recorded[next++ % recorded_count];
        bring(c, 0, &from, f->data, f->len);
    }
}

/* How long a newcomer takes to know both nodes of a cluster, beside so many INTROs a millisecond.
 */
static uint64_t joined_ms(uint32_t in_a_ms)
{
    struct cluster *c = sealed_formed(7, 2, "A");
    const uint32_t mute = cluster_start(c);
    start_recording(c, mute, 0);
    c->on_datagram = record_and_drop;
    hint(c, mute, &c->nodes[0].addr);
    run_for(c, 2000);
    assert_in_range(recorded_count, 3, RECORDED_MAX - 1);
    c->nodes[mute].is_up = false;
    c->on_datagram = NULL;
    c->has_refusals = false;
    for (uint32_t ms = 0; ms < 500; ms++) {
        repeat_intros(c, in_a_ms);
        run_for(c, 1);
    }
    const uint32_t newcomer = cluster_start(c);
    uint64_t ms = 0;
    hint(c, newcomer, &c->nodes[0].addr);
    for (; swim_counts(c->nodes[newcomer].swim).alive < 2 && ms < 5000; ms++) {
        repeat_intros(c, in_a_ms);
        run_for(c, 1);
    }
    cluster_free(c);
    return ms;
}

static void intros_repeated_40k_s_delay_no_newcomer(void **state)
{
    (void)state;
    const uint64_t quiet_ms = joined_ms(0);
    assert_in_range(joined_ms(40), 1, quiet_ms + quiet_ms / 5 + 25);
}

/* Who sees a newcomer's INTROs, and whose copy of each is there first, from where he likes. */
static uint32_t overtaken, overtaken_from;

static bool overtake(struct cluster *c, uint32_t from, const struct flight *f)
{
    if (from == overtaken_from && is_intro(f)) {
        const struct addr other = addr_v4(elsewhere, 99);
        overtaken++;
        bring(c, f->to, &other, f->data, f->len);
    }
    return true;
}

/* No link comes about, so it is by datagrams that they meet. */
static void a_copy_that_overtakes_an_intro_keeps_no_newcomer_out(void **state)
{
    (void)state;
    struct cluster *c = sealed_new(8, 1, "A");
    overtaken_from = cluster_start(c);
    overtaken = 0;
    c->has_refusals = false;
    c->tcp_cut[0][1] = c->tcp_cut[1][0] = true;
    c->on_datagram = overtake;
    hint(c, overtaken_from, &c->nodes[0].addr);
    run_for(c, 1000);
    assert_true(overtaken > 0);
    assert_int_equal(swim_counts(c->nodes[0].swim).alive, 1);
    assert_int_equal(swim_counts(c->nodes[1].swim).alive, 1);
    cluster_free(c);
}

/* The same INTRO from `count` addresses, of as many nets or of one; how many of them are answered.
 */
static uint32_t answered_elsewhere(uint32_t count, bool is_one_net)
{
    struct cluster *c = with_intro();
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t ip[4] = {11, (uint8_t)(is_one_net ? 0 : i >> 8),
                               (uint8_t)(is_one_net ? 0 : i), (uint8_t)i};
        const struct addr from = addr_v4(ip, 9);
        bring(c, 0, &from, recorded[0].data, recorded[0].len);
    }
    const uint32_t answered = c->datagrams_elsewhere;
    assert_int_equal(c->bytes_elsewhere, answered * recorded[0].len);
    assert_int_equal(refused(c, 0, SEALING_REFUSED_REPLAY), count - answered);
    cluster_free(c);
    return answered;
}

static void copies_from_elsewhere_are_opened_within_a_budget(void **state)
{
    (void)state;
    assert_int_equal(answered_elsewhere(250, true), 1 + BUDGET_NET_FAILED);
    assert_int_equal(answered_elsewhere(10000, false), 1 + BUDGET_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_never_longer_than_intro),
        cmocka_unit_test(intro_replayed_creates_no_member),
        cmocka_unit_test(an_answer_with_another_nonce_is_none),
        cmocka_unit_test(a_candidate_of_before_hears_nothing_in_clear_once_open_is_gone),
        cmocka_unit_test(a_nodes_own_intro_tells_it_which_address_is_its_own),
        cmocka_unit_test(intro_flood_10k_s_keeps_probes_alive),
        cmocka_unit_test(intros_repeated_40k_s_delay_no_newcomer),
        cmocka_unit_test(copies_from_elsewhere_are_opened_within_a_budget),
        cmocka_unit_test(a_copy_that_overtakes_an_intro_keeps_no_newcomer_out),
    };
    return cmocka_run_group_tests(tests, sealed_set_up, sealed_tear_down);
}
