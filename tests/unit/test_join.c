#include "gossip/repair/join.h"

#include "core/base/mem.h"
#include "gossip/repair/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINKS = 5, SECOND_US = 1000 * 1000 };

/* A node that joins, and the links it has. */
struct scene {
    struct outbox *outbox;
    struct mesh *mesh;
    struct join join;
    struct join_env env;
    struct link *links[LINKS];
    struct member members[LINKS];
    uint64_t now_us;
};

static int set_up(void **state)
{
    struct scene *s = mem_new(1, sizeof(*s));
    s->outbox = outbox_new();
    s->mesh = mesh_new(s->outbox);
    s->env = (struct join_env){.mesh = s->mesh, .outbox = s->outbox};
    s->now_us = SECOND_US;
    join_begin(&s->join, s->now_us);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < LINKS; i++) {
        member_fini(&s->members[i]);
    }
    mesh_free(s->mesh);
    outbox_free(s->outbox);
    free(s);
    return 0;
}

static void add_link(struct scene *s, int i, uint8_t flags, const char *enclave)
{
    const struct addr addr = {.port = (uint16_t)(i + 1)};
    struct member_card card = {.uuid = {{(uint8_t)(i + 1)}}, .name = "n"};
    (void)snprintf(card.enclave, sizeof(card.enclave), "%s", enclave);
    member_set_card(&s->members[i], &card);
    s->members[i].flags = flags;
    s->members[i].is_mate = strcmp(enclave, "default") == 0;
    s->links[i] = mesh_add(s->mesh, LINK_OPEN, true, &addr, s->now_us);
    s->links[i]->member = &s->members[i];
    s->members[i].link = s->links[i]->id;
}

static void turn_after(struct scene *s, uint64_t us)
{
    s->now_us += us;
    join_turn(&s->join, &s->env, s->now_us);
}

/* The parts that the node asked a link's member for; forgets them. */
static int asked_parts(struct scene *s, int i)
{
    const size_t one = FRAME_HEADER_BYTES + 2;
    const size_t len = s->links[i]->control.len;
    assert_int_equal(len % one, 0);
    for (size_t at = 0; at < len; at += one) {
        assert_int_equal(buf_data(&s->links[i]->control)[at], FRAME_JOIN);
    }
    buf_clear(&s->links[i]->control);
    return (int)(len / one);
}

static enum rc part_done(struct scene *s, int i, uint8_t part, uint8_t of)
{
    uint8_t payload[10];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, part);
    cursor_put_u8(&c, of);
    cursor_put_u64(&c, 7);
    struct cursor r = cursor_reader(payload, c.pos);
    return join_part_done(&s->join, s->links[i]->id, &r);
}

static void lose_link(struct scene *s, int i)
{
    join_link_gone(&s->join, s->links[i]->id);
    mesh_remove(s->mesh, s->links[i]);
    s->links[i] = NULL;
}

static int notices(struct scene *s, enum notice_kind kind)
{
    struct action action;
    int count = 0;
    while (outbox_next(s->outbox, &action)) {
        count += action.kind == ACTION_NOTICE && action.notice->kind == kind;
    }
    return count;
}

static void three_of_many_ready_members_are_asked_for_a_part_each(void **state)
{
    struct scene *s = *state;
    int asked = 0;
    for (int i = 0; i < LINKS; i++) {
        add_link(s, i, MEMBER_IS_CAUGHT_UP, "default");
    }
    turn_after(s, 0);
    for (int i = 0; i < LINKS; i++) {
        const int parts = asked_parts(s, i);
        assert_in_range(parts, 0, 1);
        asked += parts;
    }
    assert_int_equal(asked, JOIN_PARTS_MAX);
    assert_int_equal(s->join.part_count, JOIN_PARTS_MAX);
}

static void few_members_are_waited_for_and_then_asked_for_all(void **state)
{
    struct scene *s = *state;
    add_link(s, 0, MEMBER_IS_CAUGHT_UP, "default");
    turn_after(s, 10000);
    assert_int_equal(asked_parts(s, 0), 0);
    turn_after(s, SECOND_US);
    assert_int_equal(asked_parts(s, 0), 1);
    assert_int_equal(part_done(s, 0, 0, 1), RC_OK);
    turn_after(s, 1);
    assert_false(join_is_active(&s->join));
    assert_int_equal(s->join.records, 7);
    assert_int_equal(notices(s, NOTICE_JOIN_DONE), 1);
}

static void members_that_are_new_themselves_or_of_another_enclave_are_no_donors(void **state)
{
    struct scene *s = *state;
    add_link(s, 0, 0, "default");
    add_link(s, 1, MEMBER_IS_CAUGHT_UP, "other");
    s->env.awaits_donor = true;
    turn_after(s, SECOND_US);
    assert_int_equal(asked_parts(s, 0) + asked_parts(s, 1), 0);
    s->env.awaits_donor = false; /* no better donor will come */
    turn_after(s, SECOND_US);
    assert_int_equal(asked_parts(s, 0), 1);
    assert_int_equal(asked_parts(s, 1), 0);
}

static void a_part_whose_donor_is_lost_is_asked_of_another(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 3; i++) {
        add_link(s, i, MEMBER_IS_CAUGHT_UP, "default");
    }
    turn_after(s, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(asked_parts(s, i), 1);
    }
    lose_link(s, 1);
    turn_after(s, 1);
    assert_int_equal(asked_parts(s, 0) + asked_parts(s, 2), 1);
    assert_true(join_is_active(&s->join));
}

static void a_donor_that_sends_nothing_any_more_is_given_up(void **state)
{
    struct scene *s = *state;
    add_link(s, 0, MEMBER_IS_CAUGHT_UP, "default");
    turn_after(s, SECOND_US);
    assert_int_equal(asked_parts(s, 0), 1);
    for (int i = 0; i < 30; i++) {
        s->links[0]->progress++; /* records come */
        turn_after(s, SECOND_US);
    }
    assert_int_equal(asked_parts(s, 0), 0);
    turn_after(s, SYNC_STALL_US + SECOND_US);
    assert_int_equal(asked_parts(s, 0), 1); /* there is no other one */
}

static void without_anybody_it_goes_on(void **state)
{
    struct scene *s = *state;
    for (int minutes = 0; minutes < 10; minutes++) {
        turn_after(s, UINT64_C(60) * SECOND_US);
    }
    assert_true(join_is_active(&s->join));
    add_link(s, 0, MEMBER_IS_CAUGHT_UP, "default");
    turn_after(s, SECOND_US);
    assert_int_equal(asked_parts(s, 0), 1);
}

static void answers_that_nobody_asked_for_change_nothing(void **state)
{
    struct scene *s = *state;
    add_link(s, 0, MEMBER_IS_CAUGHT_UP, "default");
    add_link(s, 1, MEMBER_IS_DRAINING, "default");
    turn_after(s, SECOND_US);
    assert_int_equal(part_done(s, 1, 0, 1), RC_OK); /* of the wrong member */
    assert_int_equal(part_done(s, 0, 0, 2), RC_OK); /* of another division */
    assert_int_equal(part_done(s, 0, 1, 1), RC_MALFORMED);
    turn_after(s, SECOND_US);
    assert_true(join_is_active(&s->join));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(three_of_many_ready_members_are_asked_for_a_part_each),
        TEST(few_members_are_waited_for_and_then_asked_for_all),
        TEST(members_that_are_new_themselves_or_of_another_enclave_are_no_donors),
        TEST(a_part_whose_donor_is_lost_is_asked_of_another),
        TEST(a_donor_that_sends_nothing_any_more_is_given_up),
        TEST(without_anybody_it_goes_on),
        TEST(answers_that_nobody_asked_for_change_nothing),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
