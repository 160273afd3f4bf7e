/* What a HELLO is worth, and a link on which no question is answered (gossip/rival.c). */
#include "gossip/hello.h"

#include "engine_rig.h"

enum { NOW_US = START_US + SECOND_US };

static int set_up(void **state)
{
    *state = make_alone(5);
    return 0;
}

static void run_ms(struct engine *e, uint32_t ms, uint64_t *now_us)
{
    for (uint32_t i = 0; i < ms; i += 10) {
        *now_us += SECOND_US / 100;
        engine_tick(e, *now_us);
    }
}

static void say_packet(struct engine *e, uint32_t link, uint8_t id, enum packet_kind kind,
                       uint32_t seq, uint64_t now_us)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor w = cursor_writer(data, sizeof(data));
    struct packet p = {
        .version = PROTOCOL_VERSION_MAX,
        .kind = kind,
        .seq = seq,
        .is_long = true,
        .knows_you = true,
        .cluster = swim_cluster_hash("net"),
        .uuid = {{id}},
    };
    p.tag = packet_tag(&p.uuid, p.cluster);
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    say_frame(e, link, FRAME_PACKET, FRAME_CRITICAL, data, w.pos, now_us);
}

static void say_role(struct engine *e, uint32_t link, uint64_t now_us)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_role_write(&c, &(struct frame_role){.flags = ROLE_KEEPS});
    say_frame(e, link, FRAME_ROLE, FRAME_CRITICAL, payload, c.pos, now_us);
}

/* It answers what it is asked on the link. */
static void say_answer(struct engine *e, uint32_t link, uint8_t id, uint64_t now_us)
{
    const uint32_t seq = mesh_find(e->mesh, link)->rival.asked_seq;
    assert_int_not_equal(seq, 0);
    say_packet(e, link, id, PACKET_ACK, seq, now_us);
}

static void who_answers_nothing_after_its_hello_does_not_count_for_what_it_says(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    engine_tick(e, ++now_us);
    assert_int_equal(voters_count(e), 1);
    run_ms(e, 1100, &now_us);
    say_packet(e, link, 2, PACKET_GOSSIP, 0, now_us);
    say_packet(e, link, 2, PACKET_ACK, 77, now_us);
    assert_int_equal(voters_count(e), 1);
    say_answer(e, link, 2, now_us);
    assert_int_equal(voters_count(e), 2);
}

static void one_that_was_dialed_counts_for_two_seconds_without_an_answer(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const uint32_t link = dial_candidate(e, 1001, &now_us);
    const struct frame_hello hello = hello_of(2, now_us);
    say_this_hello(e, link, &hello, now_us);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(voters_count(e), 2);
        run_ms(e, 300, &now_us);
        say_role(e, link, now_us);
    }
    assert_int_equal(voters_count(e), 1);
    engine_link_down(e, link, LINK_END_EOF, now_us);
    assert_int_equal(voters_count(e), 1);
}

static void who_answers_at_once_counts_on(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    engine_tick(e, ++now_us);
    say_answer(e, link, 2, now_us);
    assert_false(mesh_find(e->mesh, link)->terms.is_only_word);
    assert_true(mesh_find(e->mesh, link)->rival.has_answered);
    run_ms(e, 3000, &now_us);
    assert_int_equal(voters_count(e), 2);
}

/* Somebody has a member's link and sends something on it all the time, but answers nothing. */
static void bytes_keep_a_link_from_the_member_for_two_seconds(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    const uint32_t rival = link_with(e, &hello, ++now_us);
    assert_int_equal(mesh_find(e->mesh, rival)->state, LINK_RIVAL);
    for (uint32_t ms = 0; ms < 2500; ms += 100) {
        assert_non_null(mesh_find(e->mesh, rival));
        run_ms(e, 100, &now_us);
        if (is_open(e, link)) {
            say_role(e, link, now_us);
        }
    }
    assert_false(is_open(e, link));
    assert_true(is_open(e, rival));
}

static void a_byte_after_its_hello_is_no_answer_and_keeps_no_link(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    run_ms(e, 500, &now_us);
    engine_link_input(e, link, (const uint8_t *)"", 1, now_us);
    run_ms(e, 6000, &now_us);
    assert_false(is_open(e, link));
}

static void bytes_without_an_answer_keep_a_link_for_half_a_minute(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    hello_answered(e, swim_find(e->swim, &hello.card.uuid)); /* elsewhere */
    uint32_t s = 0;
    for (; s < 60 && is_open(e, link); s++) {
        run_ms(e, 1000, &now_us);
        if (is_open(e, link)) {
            say_role(e, link, now_us);
        }
    }
    assert_in_range(s, 29, 33);
}

/* Somebody says HELLO under one uuid after the other, and keeps all links. Who has had time to
 * answer makes way then, the oldest first. */
static void of_members_that_only_said_hello_so_many_have_links_at_a_time(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct addr from = {.port = 9};
    uint32_t links[MESH_UNMET_MAX];
    for (uint32_t i = 0; i < MESH_UNMET_MAX; i++) {
        const struct frame_hello hello = hello_of((uint8_t)(10 + i), now_us++);
        links[i] = link_with(e, &hello, now_us);
        assert_true(is_open(e, links[i]));
    }
    run_ms(e, 490, &now_us);
    assert_int_equal(e->counters.links_refused_all, 0);
    assert_int_equal(engine_link_accept(e, &from, 0, now_us), 0);
    assert_int_equal(e->counters.links_refused_all, 1);
    run_ms(e, 10, &now_us);
    say_answer(e, links[1], 11, now_us);
    assert_int_not_equal(engine_link_accept(e, &from, 0, now_us), 0);
    assert_true(is_open(e, links[0])); /* the answer has made a place */
    for (uint32_t i = 2; i < MESH_UNMET_MAX; i++) {
        const struct addr other = {.ip = {(uint8_t)i}, .port = 9};
        assert_int_not_equal(engine_link_accept(e, &other, 0, now_us), 0);
    }
    for (uint32_t i = 0; i < MESH_UNMET_MAX; i++) {
        assert_int_equal(is_open(e, links[i]), i == 1 || i == MESH_UNMET_MAX - 1);
    }
    assert_int_equal(e->counters.links_displaced, MESH_UNMET_MAX - 2);
}

/* Of one address fewer, and others keep theirs; this host's own have no such limit. */
static void of_one_address_fewer_have_links_at_a_time(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    static const uint8_t here[] = {127, 0, 0, 1}, there[] = {10, 0, 0, 1};
    const struct addr own = addr_v4(here, 9), from = addr_v4(there, 9);
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t other = link_with(e, &hello, now_us);
    uint32_t first = 0;
    for (uint32_t i = 0; i < MESH_UNMET_ADDR_MAX; i++) {
        const uint32_t link = engine_link_accept(e, &from, 0, ++now_us);
        assert_int_not_equal(link, 0);
        first = first == 0 ? link : first;
        assert_int_not_equal(engine_link_accept(e, &own, 0, now_us), 0);
    }
    char text[NOTICE_TEXT_SIZE];
    assert_int_equal(notices(e, NOTICE_LINKS_CROWDED, text), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(engine_link_accept(e, &from, 0, now_us), 0);
    }
    assert_int_equal(e->counters.links_refused_addr, 2);
    assert_int_equal(notices(e, NOTICE_LINKS_CROWDED, text), 1);
    assert_string_equal(text, "16 from the address of 10.0.0.1:9");
    assert_int_not_equal(engine_link_accept(e, &own, 0, now_us), 0);
    run_ms(e, 500, &now_us);
    assert_int_not_equal(engine_link_accept(e, &from, 0, now_us), 0);
    assert_null(mesh_find(e->mesh, first));
    assert_true(is_open(e, other)); /* though it is older */
    assert_int_equal(e->counters.links_refused_addr, 2);
    assert_int_equal(e->counters.links_displaced, 1);
}

/* Again after a minute, while it lasts. */
static void a_crowd_of_all_is_told_of_once_a_minute(void **state)
{
    enum { MINUTE_US = 60 * SECOND_US };
    static const int64_t after_us[] = {0, MINUTE_US - 1, 1};
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    uint64_t now_us = NOW_US;
    for (size_t i = 0; i < 3; i++) {
        now_us += (uint64_t)after_us[i];
        struct addr from = {.port = 9};
        for (uint32_t j = 0; j <= MESH_UNMET_MAX; j++) {
            from.ip[0] = (uint8_t)j;
            (void)engine_link_accept(e, &from, 0, now_us);
        }
        assert_int_equal(notices(e, NOTICE_LINKS_CROWDED, text), i != 1);
        assert_true(i == 1 || strncmp(text, "128, the last from ", 19) == 0);
    }
}

/* More than is kept of a rival until its turn comes: what it has said is not whole any more, so it
 * ends like the silent link whose place it would have had. */
static void a_rival_that_says_too_much_before_its_turn_ends_with_the_silent_link(void **state)
{
    struct engine *e = *state;
    static const uint8_t bytes[2 * FRAME_PAYLOAD_MAX];
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    const uint32_t rival = link_with(e, &hello, ++now_us);
    assert_int_equal(mesh_find(e->mesh, rival)->state, LINK_RIVAL);
    engine_link_input(e, rival, bytes, sizeof(bytes), now_us);
    assert_true(mesh_find(e->mesh, rival)->rival.is_cut);
    run_ms(e, 400, &now_us);
    assert_true(is_open(e, link));
    assert_int_equal(mesh_find(e->mesh, rival)->state, LINK_RIVAL);
    run_ms(e, 400, &now_us);
    assert_int_equal(close_reason(e, link), CLOSE_DUPLICATE);
    assert_int_equal(close_reason(e, rival), CLOSE_DUPLICATE);
}

/* What comes after it could not be understood without. */
static void a_rival_for_whose_hello_there_is_no_memory_ends_with_the_silent_link(void **state)
{
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    const uint32_t rival = engine_link_accept(e, &from, 0, ++now_us);
    struct link *l = mesh_find(e->mesh, rival);
    const size_t max = l->in.max;
    l->in.max = 0;
    say_this_hello(e, rival, &hello, now_us);
    assert_int_equal(l->state, LINK_RIVAL);
    l->in.max = max;
    say_role(e, rival, now_us);
    run_ms(e, 800, &now_us);
    assert_int_equal(close_reason(e, link), CLOSE_DUPLICATE);
    assert_int_equal(close_reason(e, rival), CLOSE_DUPLICATE);
    assert_int_equal(e->counters.frames_malformed, 0);
}

/* Neither was open when the other began, so nobody is asked. */
static void of_two_links_at_once_the_one_that_the_smaller_id_has_dialed_stays(void **state)
{
    (void)state;
    static const uint8_t ids[] = {2, 9};
    for (size_t i = 0; i < sizeof(ids); i++) {
        struct engine *e = make_alone(5);
        const struct addr from = {.port = 9};
        uint64_t now_us = NOW_US;
        const uint32_t accepted = engine_link_accept(e, &from, 0, now_us);
        const uint32_t dialed = dial_candidate(e, 1001, &now_us);
        const struct frame_hello hello = hello_of(ids[i], now_us);
        const uint32_t stays = ids[i] < 5 ? accepted : dialed;
        assert_true(accepted != 0 && dialed != 0);
        say_this_hello(e, accepted, &hello, now_us);
        say_this_hello(e, dialed, &hello, now_us);
        assert_true(is_open(e, stays));
        assert_int_equal(close_reason(e, accepted + dialed - stays), CLOSE_DUPLICATE);
        assert_int_equal(e->counters.frames_malformed, 0);
        engine_free(e);
    }
}

static void one_whose_member_is_known_to_receive_is_asked_a_second_after_its_hello(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    hello_answered(e, swim_find(e->swim, &hello.card.uuid)); /* elsewhere */
    engine_tick(e, now_us + SECOND_US - 1);
    assert_int_equal(mesh_find(e->mesh, link)->rival.asked_seq, 0);
    engine_tick(e, now_us + SECOND_US);
    assert_int_not_equal(mesh_find(e->mesh, link)->rival.asked_seq, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_answers_nothing_after_its_hello_does_not_count_for_what_it_says),
        TEST(one_that_was_dialed_counts_for_two_seconds_without_an_answer),
        TEST(who_answers_at_once_counts_on),
        TEST(bytes_keep_a_link_from_the_member_for_two_seconds),
        TEST(a_byte_after_its_hello_is_no_answer_and_keeps_no_link),
        TEST(bytes_without_an_answer_keep_a_link_for_half_a_minute),
        TEST(of_members_that_only_said_hello_so_many_have_links_at_a_time),
        TEST(of_one_address_fewer_have_links_at_a_time),
        TEST(a_crowd_of_all_is_told_of_once_a_minute),
        TEST(a_rival_that_says_too_much_before_its_turn_ends_with_the_silent_link),
        TEST(a_rival_for_whose_hello_there_is_no_memory_ends_with_the_silent_link),
        cmocka_unit_test(of_two_links_at_once_the_one_that_the_smaller_id_has_dialed_stays),
        TEST(one_whose_member_is_known_to_receive_is_asked_a_second_after_its_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
