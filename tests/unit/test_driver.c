#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/replication/link.h"
#include "net/discovery/claim.h"
#include "net/http/http_server.h"
#include "net/link/driver.h"
#include "net/link/peer_link.h"
#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"
#include "own_clock.h"
#include "patience.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 2, TURN_US = 5000, NOTICE_MS = 1 };

/* Two engines on one loop, each with its driver and a front door that only upgrades. The clock is
 * the test's own: each notice takes a while, and nothing else does. */
struct rig {
    struct event_base *base;
    struct event *heartbeat; /* lets the loop look at the condition */
    struct rig_node {
        struct rig *rig;
        struct claim claim;
        struct http_server *http;
        struct engine *engine;
        struct driver *driver;
        size_t puts_done;
        struct put_done put_done;
        size_t notices;
    } nodes[NODES];
};

static struct http_route on_route(void *arg, const struct http_request *rq)
{
    (void)arg;
    (void)rq;
    return (struct http_route){.is_exempt = true};
}

static void on_handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    (void)arg;
    (void)rq;
    rs->status = 101;
    rs->kind = HTTP_BODY_UPGRADE;
    http_add(rs, "Connection", "Upgrade");
    http_add(rs, "Upgrade", "repram-gossip/1");
}

static void on_upgraded(void *arg, struct bufferevent *bev, const struct addr *from)
{
    struct rig_node *n = arg;
    driver_accept(n->driver, bev, from);
}

static void on_put_done(void *arg, const struct put_done *done, uint64_t now_us)
{
    struct rig_node *n = arg;
    (void)now_us;
    n->puts_done++;
    n->put_done = *done;
}

static void on_notice(void *arg, const struct notice *notice)
{
    struct rig_node *n = arg;
    (void)notice;
    n->notices++;
    own_clock_pass_ms(NOTICE_MS);
}

static void on_room(void *arg, bool has_room)
{
    (void)arg;
    (void)has_room;
}

static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void make_engine(struct rig_node *n, uint8_t number)
{
    static const struct addr any = {.port = 0};
    struct engine_config config = {.uuid = {{number}},
                                   .boot = 1,
                                   .host_tag = 7,
                                   .seed = number,
                                   .table_seed = number,
                                   .wall_ms = hostclock_wall_ms(),
                                   .replication_factor = 3,
                                   .write_timeout_ms = 1000 * PATIENCE_S,
                                   .bytes_max = UINT64_C(64) << 20,
                                   .value_max = UINT64_C(16) << 20,
                                   .ttl_min_ms = 1000,
                                   .ttl_max_ms = 86400000};
    (void)snprintf(config.name, NAME_SIZE, "n%u", number);
    (void)snprintf(config.network, NAME_SIZE, "test");
    (void)snprintf(config.enclave, NAME_SIZE, "default");
    config.addr_count = hostinfo_card_addrs(&any, &any, n->claim.port, NULL, 0, config.addrs);
    n->engine = engine_new(&config, hostclock_boot_us());
}

static void start_node(struct rig *r, struct rig_node *n, uint8_t number)
{
    static const struct addr any = {.port = 0};
    struct claim_failure failure;
    n->rig = r;
    assert_int_equal(claim_port(&any, 0, &n->claim, &failure), RC_OK);
    const struct http_server_config http = {.base = r->base,
                                            .listen_fd = n->claim.tcp_fd,
                                            .connections_max = 16,
                                            .bodies_bytes_max = UINT64_MAX,
                                            .idle_timeout_ms = 60000,
                                            .request_timeout_ms = 1000 * PATIENCE_S,
                                            .arg = n,
                                            .route = on_route,
                                            .handle = on_handle,
                                            .upgraded = on_upgraded};
    n->http = http_server_new(&http);
    assert_non_null(n->http);
    make_engine(n, number);
    const struct driver_config driver = {.base = r->base,
                                         .engine = n->engine,
                                         .udp_fd = n->claim.udp_fd,
                                         .arg = n,
                                         .put_done = on_put_done,
                                         .notice = on_notice,
                                         .room = on_room};
    n->driver = driver_new(&driver);
}

static void stop_node(struct rig_node *n)
{
    if (n->driver != NULL) {
        http_server_free(n->http);
        driver_free(n->driver);
        engine_free(n->engine);
        n->driver = NULL;
    }
}

static int setup(void **state)
{
    static const struct timeval turn = {.tv_usec = TURN_US};
    struct rig *r = calloc(1, sizeof(*r));
    r->base = event_base_new();
    r->heartbeat = event_new(r->base, -1, EV_PERSIST, on_heartbeat, r);
    event_add(r->heartbeat, &turn);
    for (size_t i = 0; i < NODES; i++) {
        start_node(r, &r->nodes[i], (uint8_t)(i + 1));
    }
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < NODES; i++) {
        stop_node(&r->nodes[i]);
    }
    event_free(r->heartbeat);
    event_base_free(r->base);
    free(r);
    return 0;
}

/* Runs the loop until the condition holds; false when that takes too long. */
static bool run_until(struct rig *r, bool (*is_so)(const struct rig *r))
{
    const uint64_t until = patience_begins();
    while (!is_so(r) && patience_now_ms() < until) {
        event_base_loop(r->base, EVLOOP_ONCE);
    }
    return is_so(r);
}

static bool is_linked(const struct rig_node *n)
{
    struct engine_link_view view;
    uint32_t slot = 0;
    return engine_next_link(n->engine, &slot, &view);
}

static bool are_linked_and_ready(const struct rig *r)
{
    for (size_t i = 0; i < NODES; i++) {
        if (!is_linked(&r->nodes[i]) || engine_unready(r->nodes[i].engine) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_put_done(const struct rig *r)
{
    return r->nodes[0].puts_done > 0;
}

static bool is_first_alone(const struct rig *r)
{
    return !is_linked(&r->nodes[0]);
}

static bool are_flushed(const struct rig *r)
{
    return driver_is_flushed(r->nodes[0].driver) && driver_is_flushed(r->nodes[1].driver);
}

static void meet(struct rig *r)
{
    struct rig_node *a = &r->nodes[0], *b = &r->nodes[1];
    const struct addr at_b = addr_v4((const uint8_t[]){127, 0, 0, 1}, b->claim.port);
    engine_candidate(a->engine, &at_b, driver_turn(a->driver));
    engine_candidates_done(a->engine, true, driver_turn(a->driver));
    engine_candidates_done(b->engine, true, driver_turn(b->driver));
    assert_true(run_until(r, are_linked_and_ready));
}

static void candidate_becomes_a_linked_member_of_both(void **state)
{
    struct rig *r = *state;
    meet(r);
    for (size_t i = 0; i < NODES; i++) {
        const struct driver_stats stats = driver_stats(r->nodes[i].driver);
        assert_true(stats.udp_out_bytes > 0 && stats.udp_in_bytes > 0);
        assert_true(stats.link_out_bytes > 0 && stats.link_in_bytes > 0);
        assert_true(r->nodes[i].notices > 0);
    }
    assert_true(driver_take_stall_max_us(r->nodes[0].driver) >= UINT64_C(1000) * NOTICE_MS);
    assert_int_equal(driver_take_stall_max_us(r->nodes[0].driver), 0);
}

static void put_at(struct rig *r, const char *key, uint64_t token, size_t value_len)
{
    struct rig_node *a = &r->nodes[0];
    struct blob *blob = NULL;
    uint8_t *value = calloc(1, value_len);
    if (value_len > VALUE_INLINE_MAX) {
        blob = blob_new(NULL, value_len);
        assert_int_equal(blob_append(blob, value, value_len), RC_OK);
    }
    const struct put put = {.token = token,
                            .key = (const uint8_t *)key,
                            .key_len = strlen(key),
                            .value = blob == NULL ? value : NULL,
                            .blob = blob,
                            .value_len = value_len,
                            .ttl_ms = 60000};
    assert_int_equal(engine_put(a->engine, &put, driver_turn(a->driver)), RC_OK);
    blob_release(blob);
    free(value);
}

static void put(struct rig *r, uint64_t token, size_t value_len)
{
    put_at(r, "key", token, value_len);
}

static void write_reaches_the_quorum_over_the_link(void **state)
{
    struct rig *r = *state;
    meet(r);
    put(r, 42, 100);
    assert_int_equal(r->nodes[0].puts_done, 0); /* never from within the call */
    assert_true(run_until(r, is_put_done));
    assert_int_equal(r->nodes[0].put_done.token, 42);
    assert_int_equal(r->nodes[0].put_done.status, PUT_QUORUM);
    assert_int_equal(r->nodes[0].put_done.have, 2);
    struct record record;
    assert_int_equal(
        engine_get(r->nodes[1].engine, (const uint8_t *)"key", 3, hostclock_boot_us(), &record),
        RC_OK);
    assert_int_equal(record.value_len, 100);
}

static void write_larger_than_any_buffer_arrives_whole(void **state)
{
    struct rig *r = *state;
    enum { LARGE = 10 << 20 };
    meet(r);
    put(r, 43, LARGE);
    assert_true(run_until(r, is_put_done));
    assert_int_equal(r->nodes[0].put_done.status, PUT_QUORUM);
    struct record record;
    assert_int_equal(
        engine_get(r->nodes[1].engine, (const uint8_t *)"key", 3, hostclock_boot_us(), &record),
        RC_OK);
    assert_int_equal(record.value_len, LARGE);
    assert_true(driver_stats(r->nodes[1].driver).link_in_bytes > LARGE);
    assert_true(run_until(r, are_flushed));
}

static void link_of_a_node_that_is_gone_ends(void **state)
{
    struct rig *r = *state;
    meet(r);
    stop_node(&r->nodes[1]);
    assert_true(run_until(r, is_first_alone));
}

static bool is_leave_known(const struct rig *r)
{
    struct engine_status status;
    engine_status(r->nodes[0].engine, driver_turn(r->nodes[0].driver), &status);
    return status.left == 1;
}

/* Its link stays until it leaves, for the writes that it has yet to hand over. */
/* So many writes find no memory for what is to go out. */
static unsigned writes_to_fail;

/* A kernel, and a peer behind it, that take everything at once. */
static bool is_swallowing;
static size_t swallowed;
static size_t swallows; /* calls that did */

enum rc __real_peer_link_write(struct peer_link *l, const void *data, size_t len,
                               const struct blobrefs *refs);
enum rc __wrap_peer_link_write(struct peer_link *l, const void *data, size_t len,
                               const struct blobrefs *refs);

enum rc __wrap_peer_link_write(struct peer_link *l, const void *data, size_t len,
                               const struct blobrefs *refs)
{
    const size_t all = len + (refs == NULL ? 0 : refs->bytes);
    if (is_swallowing) {
        swallowed += all;
        swallows++;
        return RC_OK;
    }
    if (writes_to_fail == 0) {
        return __real_peer_link_write(l, data, len, refs);
    }
    writes_to_fail--;
    return RC_NO_MEMORY;
}

static bool is_loss_seen_by_both(const struct rig *r)
{
    for (size_t i = 0; i < NODES; i++) {
        struct engine_status status;
        engine_status(r->nodes[i].engine, driver_turn(r->nodes[i].driver), &status);
        if (status.counters.links_lost == 0) {
            return false;
        }
    }
    return true;
}

/* A stream that lost bytes could not be understood any more. */
static void link_that_cannot_take_what_is_to_go_out_ends_for_both(void **state)
{
    struct rig *r = *state;
    meet(r);
    writes_to_fail = 1;
    put(r, 44, 100);
    assert_true(run_until(r, is_loss_seen_by_both));
    assert_int_equal(writes_to_fail, 0);
}

/* A link was filled until its kernel took no more: all 40 MiB in one turn. */
static void peer_that_reads_as_fast_as_we_write_keeps_no_turn(void **state)
{
    struct rig *r = *state;
    enum { VALUES = 4, LARGE = 10 << 20, PIECE = LINK_REFS_BYTES + FRAME_LARGE_DATA_MAX };
    size_t most = 0;
    size_t turns = 0;
    meet(r);
    swallowed = 0;
    swallows = 0;
    is_swallowing = true;
    for (int i = 0; i < VALUES; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key-%d", i);
        put_at(r, key, (uint64_t)i, LARGE);
    }
    const uint64_t until = patience_begins();
    for (; swallowed < (size_t)VALUES * LARGE && patience_now_ms() < until; turns++) {
        const size_t before = swallowed;
        event_base_loop(r->base, EVLOOP_ONCE);
        most = swallowed - before > most ? swallowed - before : most;
    }
    is_swallowing = false;
    assert_true(swallowed >= (size_t)VALUES * LARGE);
    assert_in_range(most, 1, DRIVER_TURN_BYTES + PIECE);
    assert_in_range(swallows, 1, (size_t)VALUES * LARGE / LINK_REFS_BYTES + VALUES);
    assert_true(turns >= (size_t)VALUES * LARGE / (DRIVER_TURN_BYTES + PIECE));
}

static void node_that_leaves_says_so(void **state)
{
    struct rig *r = *state;
    meet(r);
    engine_leave(r->nodes[1].engine, driver_turn(r->nodes[1].driver));
    assert_true(run_until(r, is_leave_known));
    stop_node(&r->nodes[1]);
    assert_true(run_until(r, is_first_alone));
    struct engine_status status;
    engine_status(r->nodes[0].engine, driver_turn(r->nodes[0].driver), &status);
    assert_int_equal(status.left, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(candidate_becomes_a_linked_member_of_both, setup, teardown),
        cmocka_unit_test_setup_teardown(write_reaches_the_quorum_over_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(write_larger_than_any_buffer_arrives_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(link_of_a_node_that_is_gone_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(link_that_cannot_take_what_is_to_go_out_ends_for_both,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(peer_that_reads_as_fast_as_we_write_keeps_no_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(node_that_leaves_says_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
