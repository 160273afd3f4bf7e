/*
 * Frames of a peer link: a whole engine takes a valid HELLO and then the input, in pieces whose
 * size the input's first byte chooses. Whatever the bytes are, the engine's invariants hold
 * afterwards.
 */
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/membership/swim.h"
#include "gossip/wire/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { START_US = 1000000 };

#define WALL_MS UINT64_C(1767225600000)

static struct engine *new_engine(void)
{
    struct engine_config config = {
        .uuid = {{1}},
        .host_tag = 1,
        .seed = 2,
        .table_seed = 3,
        .wall_ms = WALL_MS,
        .name = "node",
        .network = "sim",
        .enclave = "default",
        .replication_factor = 3,
        .write_timeout_ms = 1000,
        .bytes_max = 8 << 20,
        .value_max = 1 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = DAY_MS,
    };
    return engine_new(&config, START_US);
}

static void say_hello(struct engine *e, uint32_t link, uint64_t now_us)
{
    const uint8_t ip[4] = {10, 0, 0, 1};
    struct frame_hello hello = {
        .cluster = swim_cluster_hash("sim"),
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .token = hello_token(e, mesh_find(e->mesh, link)),
        .flags = MEMBER_HAS_CLOCK, /* records of a clock that is not known are refused */
        .clock_us = WALL_MS * 1000,
        .value_max = 1 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = DAY_MS,
        .seen_as = addr_v4(ip, 8081),
        .card = {.uuid = {{2}}, .incarnation = 1, .name = "peer", .enclave = "default"},
    };
    uint8_t frame[FRAME_HEADER_BYTES + 512];
    struct cursor c = cursor_writer(frame + FRAME_HEADER_BYTES, sizeof(frame) - FRAME_HEADER_BYTES);
    frame_hello_write(&c, &hello);
    struct cursor header = cursor_writer(frame, FRAME_HEADER_BYTES);
    frame_header_write(&header, FRAME_HELLO, FRAME_CRITICAL, c.pos);
    engine_link_input(e, link, frame, FRAME_HEADER_BYTES + c.pos, now_us);
}

static void drain(struct engine *e, uint32_t link, uint64_t now_us)
{
    struct action action;
    struct buf out;
    buf_init(&out, 16 << 20);
    while (outbox_next(engine_outbox(e), &action)) {
    }
    while (engine_link_output(e, link, &out, NULL, 65536, now_us) > 0 && out.len < 8 << 20) {
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t ip[4] = {10, 0, 0, 2};
    const struct addr from = addr_v4(ip, 40000);
    uint64_t now_us = START_US;
    struct engine *e = new_engine();
    engine_candidates_done(e, true, now_us); /* alone, so it founds its clock and takes records */
    const uint32_t link = engine_link_accept(e, &from, 0, now_us);
    say_hello(e, link, now_us);
    const size_t piece = size > 0 ? (size_t)data[0] + 1 : 1;
    for (size_t at = size > 0 ? 1 : 0; at < size; at += piece) {
        const size_t left = size - at;
        now_us += 1000;
        engine_link_input(e, link, data + at, left < piece ? left : piece, now_us);
    }
    for (int i = 0; i < 5; i++) {
        now_us += 300000;
        engine_tick(e, now_us);
        drain(e, link, now_us);
    }
    engine_check(e);
    engine_free(e);
    return 0;
}
