#include "gossip/replication/mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct outbox *outbox;
    struct mesh *mesh;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.outbox = outbox_new();
    f.mesh = mesh_new(f.outbox);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mesh_free(f->mesh);
    outbox_free(f->outbox);
    return 0;
}

static void an_id_is_not_found_after_its_link_is_gone(void **state)
{
    struct fixture *f = *state;
    const struct addr addr = {.port = 1};
    struct link *l = mesh_add(f->mesh, LINK_HELLO, false, &addr, 0);
    const uint32_t id = l->id, slot = l->slot;
    mesh_remove(f->mesh, l);
    assert_null(mesh_find(f->mesh, id));
    l = mesh_add(f->mesh, LINK_HELLO, false, &addr, 0);
    assert_int_equal(l->slot, slot);
    assert_int_not_equal(l->id, id);
    assert_ptr_equal(mesh_find(f->mesh, l->id), l);
    for (uint32_t other = 1; other < MESH_LINKS_MAX; other++) {
        assert_null(mesh_find(f->mesh, l->id + other));
    }
}

static void links_beyond_the_maximum_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct addr addr = {.port = 1};
    for (int i = 0; i < MESH_LINKS_MAX; i++) {
        assert_non_null(mesh_add(f->mesh, LINK_HELLO, false, &addr, 0));
    }
    assert_null(mesh_add(f->mesh, LINK_HELLO, false, &addr, 0));
}

static void strangers_crowd_until_they_show_who_they_are(void **state)
{
    struct fixture *f = *state;
    const struct addr addr = {.port = 1};
    struct link *last = NULL, *oldest = NULL, *found = NULL;
    for (int i = 0; i < MESH_UNMET_MAX; i++) {
        assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_HAS_ROOM);
        assert_null(found);
        last = mesh_add(f->mesh, LINK_HELLO, false, &addr, i == 5 ? 1 : 2);
        oldest = i == 5 ? last : oldest;
    }
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_IS_FULL);
    assert_ptr_equal(found, oldest);
    struct member m = {.has_answered = true};
    last->state = LINK_OPEN;
    last->member = &m;
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_HAS_ROOM);
    last->terms.is_only_word = true;
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_IS_FULL);
    last->terms.is_only_word = false;
    m.has_answered = false;
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_IS_FULL);
    assert_ptr_equal(found, oldest);
    last->is_dialed = true; /* this node knows where it is */
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_HAS_ROOM);
}

static void one_address_crowds_before_all_do(void **state)
{
    struct fixture *f = *state;
    const struct addr one = {.ip = {1}, .port = 1}, same = {.ip = {1}, .port = 2};
    const struct addr another = {.ip = {2}, .port = 1};
    struct link *oldest = mesh_add(f->mesh, LINK_HELLO, false, &another, 1), *found = NULL;
    for (int i = 0; i < MESH_UNMET_ADDR_MAX; i++) {
        assert_int_equal(mesh_crowding(f->mesh, &same, &found), MESH_HAS_ROOM);
        (void)mesh_add(f->mesh, LINK_HELLO, false, &one, 2 + (uint64_t)i);
    }
    assert_int_equal(mesh_crowding(f->mesh, &same, &found), MESH_ADDR_IS_FULL);
    assert_int_equal(found->since_us, 2);
    assert_int_equal(mesh_crowding(f->mesh, &another, &found), MESH_HAS_ROOM);
    assert_int_equal(mesh_crowding(f->mesh, NULL, &found), MESH_HAS_ROOM); /* this host's own */
    for (int i = 1 + MESH_UNMET_ADDR_MAX; i < MESH_UNMET_MAX; i++) {
        (void)mesh_add(f->mesh, LINK_HELLO, false, &one, 100);
    }
    assert_int_equal(mesh_crowding(f->mesh, &another, &found), MESH_IS_FULL);
    assert_ptr_equal(found, oldest);
    assert_int_equal(mesh_crowding(f->mesh, &one, &found), MESH_ADDR_IS_FULL);
}

/* Whoever has one address of a /64 may have all; but hosts in one with this node are its
 * operator's. */
static void of_an_ipv6_network_only_this_nodes_own_has_several_places(void **state)
{
    struct fixture *f = *state;
    struct addr there = {.ip = {0x20, 1}, .port = 1}, here = {.ip = {0xfd}, .port = 1};
    const struct member_card card = {.uuid = {{1}},
                                     .name = "n",
                                     .enclave = "default",
                                     .addr_count = 1,
                                     .addrs = {{.addr = {.ip = {0xfd, [15] = 1}, .port = 1}}}};
    struct member self = {.has_answered = true};
    struct link *found = NULL;
    member_set_card(&self, &card);
    mesh_know_self(f->mesh, &self);
    for (int i = 0; i < MESH_UNMET_ADDR_MAX; i++) {
        there.ip[15] = here.ip[15] = (uint8_t)(i + 2);
        assert_int_equal(mesh_crowding(f->mesh, &there, &found), MESH_HAS_ROOM);
        (void)mesh_add(f->mesh, LINK_HELLO, false, &there, 2);
        (void)mesh_add(f->mesh, LINK_HELLO, false, &here, 2);
    }
    there.ip[15] = here.ip[15] = 1;
    assert_int_equal(mesh_crowding(f->mesh, &there, &found), MESH_ADDR_IS_FULL);
    assert_int_equal(mesh_crowding(f->mesh, &here, &found), MESH_HAS_ROOM);
    there.ip[7] = 1; /* the next network */
    assert_int_equal(mesh_crowding(f->mesh, &there, &found), MESH_HAS_ROOM);
    member_fini(&self);
}

static void an_address_is_dialed_once_at_a_time(void **state)
{
    struct fixture *f = *state;
    const struct addr addr = {.port = 1};
    struct action action;
    struct link *l = mesh_dial(f->mesh, &addr, 0);
    assert_non_null(l);
    assert_null(mesh_dial(f->mesh, &addr, 0));
    assert_true(outbox_next(f->outbox, &action));
    assert_int_equal(action.kind, ACTION_DIAL);
    assert_int_equal(action.link, l->id);
    assert_false(outbox_next(f->outbox, &action));
    mesh_remove(f->mesh, l);
    assert_non_null(mesh_dial(f->mesh, &addr, 0));
}

static void links_may_go_while_they_are_walked(void **state)
{
    struct fixture *f = *state;
    const struct addr addr = {.port = 1};
    uint32_t count = 0, id = 0;
    for (int i = 0; i < 40; i++) {
        assert_non_null(mesh_add(f->mesh, LINK_HELLO, false, &addr, 0));
    }
    for (struct link *l = mesh_first(f->mesh); l != NULL; l = mesh_after(f->mesh, id)) {
        id = l->id;
        mesh_remove(f->mesh, l);
        count++;
    }
    assert_int_equal(count, 40);
}

static void a_want_stays_until_its_last_reason_is_gone(void **state)
{
    struct fixture *f = *state;
    const struct uuid self = {{1}};
    const struct member member = {.uuid = {{2}}};
    uint32_t at = 0, reasons = 0;
    mesh_want(f->mesh, &self, &member, MESH_NEIGHBOUR, 5);
    mesh_want(f->mesh, &self, &member, MESH_DEMAND, 6);
    assert_int_equal(mesh_reasons(f->mesh, &member.uuid), MESH_NEIGHBOUR | MESH_DEMAND);
    assert_int_equal(mesh_deadline(f->mesh), 5);
    mesh_unwant(f->mesh, &member.uuid, MESH_NEIGHBOUR);
    assert_non_null(mesh_next_wanted(f->mesh, &at, &reasons));
    assert_int_equal(reasons, MESH_DEMAND);
    mesh_succeeded(f->mesh, &member);
    assert_int_equal(mesh_reasons(f->mesh, &member.uuid), 0);
    assert_null(mesh_next_wanted(f->mesh, &at, &reasons));
}

static void the_larger_id_gives_the_smaller_time_to_dial(void **state)
{
    struct fixture *f = *state;
    const struct uuid self = {{3}};
    const struct member member = {.uuid = {{2}}};
    mesh_want(f->mesh, &self, &member, MESH_ENCLAVE, 5);
    assert_int_equal(mesh_deadline(f->mesh), 5 + DIAL_GRACE_US);
}

static void wants_are_bounded(void **state)
{
    struct fixture *f = *state;
    const struct uuid self = {{1}};
    for (uint32_t i = 0; i <= MESH_WANTS_MAX; i++) {
        const struct member member = {.uuid = {{2, (uint8_t)(i >> 8), (uint8_t)i}}};
        mesh_want(f->mesh, &self, &member, MESH_DEMAND, 0);
        assert_int_equal(mesh_reasons(f->mesh, &member.uuid), i < MESH_WANTS_MAX ? MESH_DEMAND : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_want_stays_until_its_last_reason_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_larger_id_gives_the_smaller_time_to_dial, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(wants_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_is_not_found_after_its_link_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(links_beyond_the_maximum_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_address_crowds_before_all_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_an_ipv6_network_only_this_nodes_own_has_several_places,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_crowd_until_they_show_who_they_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_address_is_dialed_once_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_may_go_while_they_are_walked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
