/* The engine has no clock: each call says what time it is, and all that it does is as of then. */
#include "gossip/engine.h"

#include "core/base/buf.h"
#include "engine_rig.h"

static const struct addr somebody = {.port = 9};

/* The calls, on a link that was accepted before, and at that time. */

static void tick(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_tick(e, now_us);
}

static void candidate(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_candidate(e, &somebody, now_us);
}

static void candidates_done(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_candidates_done(e, true, now_us);
}

static void refused(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_refused(e, &somebody, now_us);
}

static void datagram(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_datagram(e, &somebody, (const uint8_t *)"x", 1, now_us);
}

static void accept_link(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    (void)engine_link_accept(e, &somebody, 0, now_us);
}

static void link_up(struct engine *e, uint32_t link, uint64_t now_us)
{
    engine_link_up(e, link, now_us);
}

static void input(struct engine *e, uint32_t link, uint64_t now_us)
{
    engine_link_input(e, link, (const uint8_t *)"x", 1, now_us);
}

static void output(struct engine *e, uint32_t link, uint64_t now_us)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(engine_link_output(e, link, &out, NULL, 65536, now_us) > 0);
    buf_fini(&out);
}

static void link_down(struct engine *e, uint32_t link, uint64_t now_us)
{
    engine_link_down(e, link, LINK_END_EOF, now_us);
}

static void put(struct engine *e, uint32_t link, uint64_t now_us)
{
    static const struct put put = {
        .key = (const uint8_t *)"k", .key_len = 1, .value = (const uint8_t *)"v", .value_len = 1};
    (void)link;
    assert_int_equal(engine_put(e, &put, now_us), RC_JOINING);
}

static void status(struct engine *e, uint32_t link, uint64_t now_us)
{
    struct engine_status status;
    (void)link;
    engine_status(e, now_us, &status);
}

static void leave(struct engine *e, uint32_t link, uint64_t now_us)
{
    (void)link;
    engine_leave(e, now_us);
}

static void every_call_brings_the_time(void **state)
{
    (void)state;
    static void (*const calls[])(struct engine * e, uint32_t link, uint64_t now_us) = {
        tick,  candidate, candidates_done, refused, datagram, accept_link, link_up,
        input, output,    link_down,       put,     status,   leave,
    };
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct engine *e = make_as(1, 8 << 20);
        const uint32_t link = engine_link_accept(e, &somebody, 0, START_US);
        calls[i](e, link, START_US + 1);
        if (e->now_us != START_US + 1) {
            fail_msg("call %zu", i);
        }
        engine_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_brings_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
