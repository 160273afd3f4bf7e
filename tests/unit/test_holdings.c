/* The memory that links hold together, and which of them ends where it is too much. */
#include "gossip/repair/holdings.h"

#include "core/base/mem.h"
#include "engine_rig.h"
#include "gossip/repair/session.h"

#include <stdlib.h>

enum { STORE_BYTES = 8 << 20, COUNT = MESH_UNMET_MAX, OF_ONE = 8, LONG_BYTES = 68000 };

static int set_up(void **state)
{
    *state = make_as(5, STORE_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    engine_free(*state);
    return 0;
}

/* Some address has OF_ONE links each. */
static struct addr addr_of(uint32_t i)
{
    return (struct addr){.ip = {(uint8_t)(1 + i / OF_ONE)}, .port = 9};
}

/* The beginning of a frame that is long enough to take 128 KiB, which is never finished. */
static void begin_frame(struct engine *e, uint32_t link)
{
    uint8_t *bytes = mem_new(1, LONG_BYTES);
    struct cursor c = cursor_writer(bytes, LONG_BYTES);
    frame_header_write(&c, FRAME_RECORDS, FRAME_CRITICAL, FRAME_PAYLOAD_MAX);
    engine_link_input(e, link, bytes, LONG_BYTES, START_US);
    free(bytes);
}

static uint32_t link_count(const struct engine *e)
{
    uint32_t count = 0;
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        count++;
    }
    return count;
}

static void strangers_hold_no_more_than_so_much_and_lose_their_own_first(void **state)
{
    struct engine *e = *state;
    uint32_t links[COUNT], i = 0;
    const struct frame_hello hello = hello_of(200, START_US);
    for (; i < COUNT - 1; i++) {
        const struct addr from = addr_of(i);
        links[i] = engine_link_accept(e, &from, 0, START_US);
        assert_int_not_equal(links[i], 0);
    }
    const uint32_t member = link_with(e, &hello, START_US);
    const struct link *heaviest = mesh_find(e->mesh, links[20]);
    engine_link_unsent(e, heaviest->id, 50000);
    engine_link_unsent(e, member, 60000); /* alone at its address */
    for (i = 0; i < COUNT - 1 && e->counters.links_outgrown == 0; i++) {
        assert_true(e->holdings.bytes <= HOLDINGS_BYTES_MIN);
        begin_frame(e, links[i]);
    }
    assert_in_range(i, 120, COUNT - 1);
    assert_int_equal(e->counters.links_outgrown, 1);
    assert_null(mesh_find(e->mesh, links[20]));
    assert_non_null(mesh_find(e->mesh, member));
    assert_int_equal(link_count(e), COUNT - 1);
    assert_true(e->holdings.bytes <= HOLDINGS_BYTES_MIN);
}

static void a_large_store_leaves_links_an_eighth_of_its_size(void **state)
{
    (void)state;
    static const struct {
        uint64_t store, links;
        uint32_t cells; /* of one stream's table */
    } cases[] = {
        {0, HOLDINGS_BYTES_MIN, 16384},
        {(uint64_t)HOLDINGS_BYTES_MIN * HOLDINGS_PART, HOLDINGS_BYTES_MIN, 16384},
        {(uint64_t)HOLDINGS_BYTES_MIN * HOLDINGS_PART + HOLDINGS_PART, HOLDINGS_BYTES_MIN + 1,
         16384},
        {UINT64_C(768) << 20, UINT64_C(96) << 20, CELLS_WANTED_MAX},
        {(UINT64_C(768) << 20) - 8192, (UINT64_C(96) << 20) - 1024, CELLS_WANTED_MAX - 1},
        {UINT64_C(1) << 40, UINT64_C(1) << 37, CELLS_WANTED_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct holdings h;
        holdings_init(&h, cases[i].store);
        assert_int_equal(h.bytes_max, cases[i].links);
        assert_int_equal(holdings_cells_max(&h), cases[i].cells);
    }
}

/* Up to the byte, and what a link has held is given back when it goes. */
static void the_bound_is_kept_to_the_byte(void **state)
{
    struct engine *e = *state;
    const struct addr from = addr_of(0);
    struct link *l = mesh_find(e->mesh, engine_link_accept(e, &from, 0, START_US));
    struct holdings *h = &e->holdings;
    l->unsent_bytes = 0;
    holdings_count(h, e->mesh, l, START_US);
    const uint64_t rest = h->bytes;
    for (uint64_t more = 0; more < 3; more++) {
        l->unsent_bytes = HOLDINGS_BYTES_MIN - rest - 1 + more;
        holdings_count(h, e->mesh, l, START_US);
        assert_int_equal(h->bytes, HOLDINGS_BYTES_MIN - 1 + more);
        assert_ptr_equal(holdings_excess(h, e->mesh), more == 2 ? l : NULL);
    }
    peer_end(e, l, 0);
    assert_int_equal(h->bytes, 0);
}

/* The addresses of one network that is not this node's are one stranger's. */
static void addresses_of_one_network_hold_together(void **state)
{
    static const struct addr from[] = {{.ip = {0x20, [15] = 1}, .port = 9},
                                       {.ip = {0x20, 1}, .port = 9},
                                       {.ip = {0x20, [15] = 2}, .port = 9}};
    static const uint64_t held[] = {4 << 20, 7 << 20, 5 << 20};
    struct engine *e = *state;
    struct link *links[3];
    for (int i = 0; i < 3; i++) {
        links[i] = mesh_find(e->mesh, engine_link_accept(e, &from[i], 0, START_US));
        links[i]->unsent_bytes = held[i];
        holdings_count(&e->holdings, e->mesh, links[i], START_US);
    }
    assert_ptr_equal(holdings_excess(&e->holdings, e->mesh), links[2]);
}

/* Queues that grow without anything coming in, as of a peer that does not read. */
static void all_links_are_counted_now_and_then(void **state)
{
    struct engine *e = *state;
    const struct addr from = addr_of(0), other = addr_of(OF_ONE);
    struct link *l = mesh_find(e->mesh, engine_link_accept(e, &from, 0, START_US));
    struct link *quiet = mesh_find(e->mesh, engine_link_accept(e, &other, 0, START_US));
    holdings_count(&e->holdings, e->mesh, l, START_US);
    const uint64_t before = e->holdings.bytes;
    const struct queued_write w = {.handle = 1};
    assert_int_equal(link_enqueue(quiet, &w, false), RC_OK);
    (void)session_of(quiet);
    holdings_count(&e->holdings, e->mesh, l, START_US + HOLDINGS_ALL_US - 1);
    assert_int_equal(e->holdings.bytes, before);
    holdings_count(&e->holdings, e->mesh, l, START_US + HOLDINGS_ALL_US);
    assert_int_equal(e->holdings.bytes,
                     before + quiet->live.size * sizeof(w) + session_memory(quiet->sync));
    assert_true(quiet->live.size > 0);
    link_clear_queue(quiet, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            strangers_hold_no_more_than_so_much_and_lose_their_own_first, set_up, tear_down),
        cmocka_unit_test(a_large_store_leaves_links_an_eighth_of_its_size),
        cmocka_unit_test_setup_teardown(the_bound_is_kept_to_the_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_of_one_network_hold_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_links_are_counted_now_and_then, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
