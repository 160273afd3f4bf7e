#include "gossip/wiring.h"

#include "engine_rig.h"

enum {
    NOW_US = START_US + SECOND_US,
    IDLE_US = 20 * SECOND_US,
    SELF = 1,
    LARGE = OVERLAY_LARGE_UP
};

static int set_up(void **state)
{
    *state = make_alone(SELF);
    return 0;
}

static struct uuid uuid_of(uint32_t id)
{
    return (struct uuid){{(uint8_t)id}};
}

/* A link on which a mate, or a member of another enclave, has said HELLO. */
static uint32_t link_of(struct engine *e, uint32_t id, bool is_mate)
{
    struct frame_hello hello = hello_of((uint8_t)id, e->now_us);
    if (!is_mate) {
        memcpy(hello.card.enclave, "others", sizeof("others"));
    }
    const uint32_t link = link_with(e, &hello, e->now_us);
    assert_true(is_open(e, link));
    return link;
}

/* Takes the last ROLE that waits on the link; false: none does. */
static bool next_role(struct engine *e, uint32_t link, struct frame_role *ret_role)
{
    struct link *l = mesh_find(e->mesh, link);
    struct cursor c = cursor_reader(buf_data(&l->control), l->control.len);
    bool is_there = false;
    *ret_role = (struct frame_role){.flags = 0};
    while (cursor_left(&c) > 0) {
        const uint8_t type = cursor_u8(&c);
        (void)cursor_u8(&c);
        const uint32_t len = cursor_u32(&c);
        struct cursor payload = cursor_reader(cursor_bytes(&c, len), len);
        if (type == FRAME_ROLE) {
            frame_role_read(&payload, ret_role);
            assert_true(cursor_ok(&payload));
            assert_int_equal(cursor_left(&payload), 0);
            is_there = true;
        }
    }
    buf_clear(&l->control);
    return is_there;
}

static void say_role(struct engine *e, uint32_t link, uint8_t flags, uint32_t rings)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    const struct frame_role role = {.flags = flags, .rings = rings};
    frame_role_write(&c, &role);
    say_frame(e, link, FRAME_ROLE, FRAME_CRITICAL, payload, c.pos, e->now_us);
}

/* The members 2 to `last`, all linked; the link of member i at place i. */
static void link_up_to(struct engine *e, uint32_t links[], uint32_t last)
{
    for (uint32_t id = 2; id <= last; id++) {
        links[id] = link_of(e, id, true);
    }
}

static bool is_neighbour(const struct engine *e, uint32_t id)
{
    const struct uuid uuid = uuid_of(id);
    return overlay_rings(&e->overlay, &uuid) != 0;
}

static uint32_t reasons_of(const struct engine *e, uint32_t id)
{
    const struct uuid uuid = uuid_of(id);
    return mesh_reasons(e->mesh, &uuid);
}

static void a_mate_of_a_small_enclave_is_told_that_its_link_is_kept(void **state)
{
    struct engine *e = *state;
    struct frame_role role;
    const uint32_t link = link_of(e, 2, true);
    assert_true(next_role(e, link, &role));
    assert_int_equal(role.flags, ROLE_KEEPS);
    assert_int_equal(reasons_of(e, 2), MESH_ENCLAVE);
    assert_int_not_equal(role.rings, 0);
    const struct link *l = mesh_find(e->mesh, link);
    assert_true(l->role.is_told);
    assert_int_equal(l->role.flags, role.flags);
    assert_int_equal(l->role.rings, role.rings);
    assert_true(l->trees.is_tree);
    assert_int_equal(l->trees.lazy, tree_lazy(role.rings, e->overlay.ring_count));
    e->wired = UINT64_MAX;
    e->spread.is_meshed = true;
    wiring_turn(e);
    assert_false(next_role(e, link, &role)); /* it is as it was */
    assert_false(e->spread.is_meshed);       /* which is to be found out anew */
    e->spread.is_meshed = true;
    wiring_turn(e);
    assert_true(e->spread.is_meshed); /* nothing has changed since */
}

static void who_is_no_mate_is_told_that_nobody_keeps_the_link(void **state)
{
    struct engine *e = *state;
    struct frame_role role;
    const uint32_t link = link_of(e, 2, false);
    assert_true(next_role(e, link, &role));
    assert_int_equal(role.flags, 0);
    assert_int_equal(role.rings, 0);
    assert_int_equal(reasons_of(e, 2), 0);
    assert_int_equal(e->overlay.count, 0);
    assert_true(mesh_find(e->mesh, link)->trees.lazy == UINT32_MAX);
}

static void what_a_mate_says_of_the_link_is_kept(void **state)
{
    struct engine *e = *state;
    const uint32_t link = link_of(e, 2, true);
    struct link *l = mesh_find(e->mesh, link);
    e->refused_until_us = NEVER;
    l->trees.is_tree = false;
    l->trees.lazy = UINT32_MAX;
    say_role(e, link, ROLE_KEEPS | ROLE_IS_LARGE, 1);
    assert_true(l->role.is_heard);
    assert_int_equal(l->role.peer_flags, ROLE_KEEPS | ROLE_IS_LARGE);
    assert_int_equal(l->role.peer_rings, 1);
    assert_true(l->trees.is_tree); /* one side is enough */
    assert_int_equal(l->trees.lazy, tree_lazy(1, e->overlay.ring_count));
    assert_int_equal(e->refused_until_us, 0); /* it has let this node in */
    assert_false(e->overlay.is_large);        /* two members are few, whatever it says */
    e->peers_at_us = NEVER;
    say_role(e, link, 0, 0);
    assert_int_equal(e->peers_at_us, e->now_us); /* it may be needless now */
    assert_int_equal(l->role.peer_flags, 0);
    assert_int_equal(l->role.peer_rings, 0);
    assert_true(l->trees.is_tree);
}

static void what_another_enclave_says_of_its_rings_is_nothing_here(void **state)
{
    struct engine *e = *state;
    const uint32_t link = link_of(e, 2, false);
    struct link *l = mesh_find(e->mesh, link);
    say_role(e, link, ROLE_KEEPS | ROLE_IS_LARGE, 1);
    assert_int_equal(l->role.peer_flags, ROLE_KEEPS);
    assert_int_equal(l->role.peer_rings, 0);
    assert_false(l->trees.is_tree);
}

static void a_role_that_is_cut_short_ends_the_link(void **state)
{
    static const uint8_t payload[4];
    struct engine *e = *state;
    const uint32_t link = link_of(e, 2, true);
    say_frame(e, link, FRAME_ROLE, FRAME_CRITICAL, payload, sizeof(payload), e->now_us);
    assert_false(is_open(e, link));
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    assert_int_equal(e->counters.frames_malformed, 1);
}

static void an_enclave_between_small_and_large_is_what_a_neighbour_says(void **state)
{
    struct engine *e = *state;
    struct frame_role role;
    uint32_t links[LARGE];
    link_up_to(e, links, OVERLAY_SMALL_DOWN);
    say_role(e, links[2], ROLE_KEEPS | ROLE_IS_LARGE, 1);
    assert_false(e->overlay.is_large);
    links[OVERLAY_SMALL_DOWN + 1] = link_of(e, OVERLAY_SMALL_DOWN + 1, true);
    const uint32_t other = link_of(e, 99, false);
    say_role(e, other, ROLE_KEEPS | ROLE_IS_LARGE, 1); /* it is in another one */
    assert_false(e->overlay.is_large);
    (void)next_role(e, links[3], &role);
    say_role(e, links[2], ROLE_KEEPS | ROLE_IS_LARGE, 1);
    assert_true(e->overlay.is_large);
    for (uint32_t id = 3; id <= OVERLAY_SMALL_DOWN + 1; id++) {
        assert_int_equal(reasons_of(e, id), is_neighbour(e, id) ? MESH_NEIGHBOUR : 0);
    }
    assert_true(next_role(e, links[3], &role));
    assert_int_equal(role.flags & ROLE_IS_LARGE, ROLE_IS_LARGE);
    assert_true(next_role(e, other, &role)); /* as it opened */
    assert_int_equal(role.flags, 0);
}

/* The place in `links` of the first who is a neighbour, or is none. */
static uint32_t first_that(const struct engine *e, bool is_next)
{
    uint32_t id = 2;
    while (id <= LARGE && is_neighbour(e, id) != is_next) {
        id++;
    }
    assert_true(id <= LARGE);
    return id;
}

static void of_a_large_enclave_only_neighbours_are_wanted(void **state)
{
    struct engine *e = *state;
    struct frame_role role;
    uint32_t links[LARGE + 1];
    uint32_t others = 0;
    link_up_to(e, links, LARGE);
    assert_true(e->overlay.is_large);
    for (uint32_t id = 2; id <= LARGE; id++) {
        const struct uuid uuid = uuid_of(id);
        assert_true(next_role(e, links[id], &role));
        assert_int_equal(role.flags, ROLE_IS_LARGE | (is_neighbour(e, id) ? ROLE_KEEPS : 0));
        assert_int_equal(role.rings, overlay_rings(&e->overlay, &uuid));
        assert_int_equal(reasons_of(e, id), is_neighbour(e, id) ? MESH_NEIGHBOUR : 0);
        others += !is_neighbour(e, id);
    }
    const uint32_t id = first_that(e, false);
    const struct uuid no_more = uuid_of(id);
    mesh_want(e->mesh, &e->config.uuid, mesh_find(e->mesh, links[id])->member, MESH_NEIGHBOUR,
              e->now_us);
    e->wired = UINT64_MAX;
    wiring_turn(e);
    assert_int_equal(mesh_reasons(e->mesh, &no_more), 0);
    assert_int_not_equal(others, 0);
    assert_int_not_equal(others, LARGE - 1);
}

/* The members that a write is for are this node and its neighbours. */
static void a_node_has_the_neighbours_that_its_replication_factor_asks_for(void **state)
{
    enum { FACTOR = 10 };
    (void)state;
    struct engine *e = make_with(SELF, 8 << 20, FACTOR);
    uint32_t links[LARGE + 1];
    uint32_t ends = 0;
    engine_candidates_done(e, true, START_US);
    link_up_to(e, links, LARGE);
    assert_true(e->overlay.is_large);
    for (uint32_t walk = 0; overlay_next(&e->overlay, &walk) != NULL;) {
        ends++; /* two a ring: nine neighbours take five rings */
    }
    assert_int_equal(ends, FACTOR);
    engine_free(e);
}

/* A tick at the engine's own deadline is not for nothing. */
static void a_member_is_dialed_when_its_grace_is_over(void **state)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr at = addr_v4(ip, 1001);
    const struct uuid uuid = {{0, 7}}; /* before this node's, so it is left time to dial */
    struct engine *e = *state;
    struct frame_hello hello = hello_of(0, NOW_US);
    struct member *m = NULL;
    hello.card.uuid = uuid;
    assert_int_equal(swim_meet(e->swim, &hello.card, &at, NOW_US, &m), RC_OK);
    engine_settle(e);
    assert_int_equal(mesh_reasons(e->mesh, &uuid), MESH_ENCLAVE);
    engine_advance(e, NOW_US + DIAL_GRACE_US - 1);
    engine_settle(e);
    assert_null(mesh_first(e->mesh));
    assert_int_equal(mesh_deadline(e->mesh), NOW_US + DIAL_GRACE_US);
    engine_advance(e, NOW_US + DIAL_GRACE_US);
    engine_settle(e);
    const struct link *l = mesh_first(e->mesh);
    assert_non_null(l);
    assert_true(l->is_dialed && addr_equal(&l->addr, &at));
    assert_true(mesh_deadline(e->mesh) > e->now_us);
}

static void it_is_up_when_the_links_of_all_neighbours_are_open(void **state)
{
    struct engine *e = *state;
    uint32_t links[LARGE + 1];
    assert_true(wiring_is_up(e)); /* nobody is there */
    link_up_to(e, links, LARGE);
    assert_true(wiring_is_up(e));
    struct link *l = mesh_find(e->mesh, links[first_that(e, true)]);
    l->clock.is_conflict = true;
    assert_false(wiring_is_up(e));
    l->clock.is_conflict = false;
    l->state = LINK_RIVAL;
    assert_false(wiring_is_up(e));
    l->state = LINK_OPEN;
    assert_true(wiring_is_up(e));
    engine_link_down(e, links[first_that(e, false)], LINK_END_RESET, e->now_us);
    assert_true(wiring_is_up(e)); /* it was needless */
    engine_link_down(e, l->id, LINK_END_RESET, e->now_us);
    assert_false(wiring_is_up(e));
}

/* So much time passes for the links alone: nobody is probed, as nobody here would answer. */
static void let_idle(struct engine *e, uint64_t us)
{
    e->peers_at_us = e->now_us + us;
    engine_advance(e, e->now_us + us);
    peer_turn(e);
}

static void drop_output(struct engine *e, const uint32_t links[])
{
    for (uint32_t id = 2; id <= LARGE; id++) {
        struct link *l = mesh_find(e->mesh, links[id]);
        buf_clear(&l->control);
        l->repair.reasons = 0;
        l->rival.has_answered = true; /* or each would be asked once */
    }
}

static void a_link_that_neither_side_keeps_leaves_the_trees_and_ends_when_it_is_idle(void **state)
{
    struct engine *e = *state;
    uint32_t links[LARGE + 1];
    link_up_to(e, links, LARGE);
    const uint32_t id = first_that(e, false);
    struct link *l = mesh_find(e->mesh, links[id]);
    struct link *kept = mesh_find(e->mesh, links[first_that(e, true)]);
    drop_output(e, links);
    let_idle(e, 1);
    assert_false(l->trees.is_left); /* until its ROLE comes the peer keeps it */
    say_role(e, links[id], ROLE_IS_LARGE, 0);
    kept->clock.is_conflict = true;
    let_idle(e, 1);
    assert_false(l->trees.is_left); /* it takes the place of one that is not there */
    kept->clock.is_conflict = false;
    let_idle(e, 1);
    assert_true(l->trees.is_left);
    assert_true(is_open(e, links[id]));
    drop_output(e, links);
    const uint64_t used_us = l->used_us;
    let_idle(e, used_us + IDLE_US - 1 - e->now_us);
    assert_true(is_open(e, links[id]));
    l->sent_count++; /* a record that is not acknowledged */
    let_idle(e, 1);
    assert_true(is_open(e, links[id]));
    l->sent_count--;
    const uint8_t byte = 0;
    assert_int_equal(link_control(l, FRAME_STATE, 0, &byte, 1), RC_OK);
    let_idle(e, 1);
    assert_true(is_open(e, links[id]));
    buf_clear(&l->control);
    let_idle(e, 1);
    assert_false(is_open(e, links[id]));
    assert_int_equal(close_reason(e, links[id]), CLOSE_IDLE);
    assert_true(is_open(e, kept->id));
}

static void a_suspect_is_of_the_enclave_and_who_is_gone_is_not(void **state)
{
    struct engine *e = *state;
    struct member *m = mesh_find(e->mesh, link_of(e, 2, true))->member;
    m->state = MEMBER_SUSPECT;
    wiring_member(e, m);
    const uint32_t suspects = e->overlay.count;
    m->state = MEMBER_LEFT;
    wiring_member(e, m);
    const uint32_t gone = e->overlay.count;
    mesh_unwant(e->mesh, &m->uuid, MESH_ENCLAVE); /* as the mesh wants nobody who is gone */
    wiring_turn(e);
    const uint32_t reasons = reasons_of(e, 2);
    m->state = MEMBER_ALIVE;
    wiring_member(e, m);
    wiring_turn(e);
    assert_int_equal(suspects, 1);
    assert_int_equal(gone, 0);
    assert_int_equal(reasons, 0);
    assert_int_equal(e->overlay.count, 1);
    assert_int_equal(reasons_of(e, 2), MESH_ENCLAVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)
        TEST(a_mate_of_a_small_enclave_is_told_that_its_link_is_kept),
        TEST(who_is_no_mate_is_told_that_nobody_keeps_the_link),
        TEST(what_a_mate_says_of_the_link_is_kept),
        TEST(what_another_enclave_says_of_its_rings_is_nothing_here),
        TEST(a_role_that_is_cut_short_ends_the_link),
        TEST(an_enclave_between_small_and_large_is_what_a_neighbour_says),
        TEST(of_a_large_enclave_only_neighbours_are_wanted),
        cmocka_unit_test(a_node_has_the_neighbours_that_its_replication_factor_asks_for),
        TEST(a_member_is_dialed_when_its_grace_is_over),
        TEST(it_is_up_when_the_links_of_all_neighbours_are_open),
        TEST(a_link_that_neither_side_keeps_leaves_the_trees_and_ends_when_it_is_idle),
        TEST(a_suspect_is_of_the_enclave_and_who_is_gone_is_not),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
