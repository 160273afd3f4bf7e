/*
 * Version 1 of the protocol was never released, and nodes no longer speak it. Its packets and its
 * HELLO, as two nodes of it sent them to each other, are refused: counted, logged once a minute
 * with both versions, and nothing else.
 */
#include "gossip/engine.h"
#include "gossip/wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { START_US = 1000000, SECOND_US = 1000000, BYTES_MAX = 512 };

/* In hexadecimal. */
static const struct {
    const char *what, *bytes;
} packets[] = {
    {"PING, long, by discovery",
     "01010000dcba53310000000000000001c770e83c087fd337d6ee63377327575d449d1415"
     "3140922b000001a22976359501c35d300000000000000000000000000000000000000000"
     "00000000000000474a3c3e479de56902008801d6ee63377327575d449d14153140922b00"
     "0001a229763595e2f319cdb861ed98000000010d6e6f64652d6436656536333337076465"
     "6661756c740100047f0000011e7901d6ee63377327575d449d14153140922b000001a229"
     "763595e2f319cdb861ed98000000010d6e6f64652d64366565363333370764656661756c"
     "740100047f0000011e79"},
    {"PING, short", "01020000246a710c000000000000000c011736b67edcba53310000000000000000000000"
                    "00000000000000000000000a2a45cc2952a635"},
    {"ACK, long", "01030000246a710c0000000000000002c770e83c087fd337d1283d21b52176ff5f221800"
                  "7a52cc31000001a22976359502c35d300000000000000000000000000000000000000000"
                  "0000000a2a45cc2952a6350200cc01d1283d21b52176ff5f2218007a52cc31000001a229"
                  "763595e2f319cdb861ed98000000010d6e6f64652d64313238336432310764656661756c"
                  "740100047f0000011e7801d6ee63377327575d449d14153140922b000001a229763595e2"
                  "f319cdb861ed98000000010d6e6f64652d64366565363333370764656661756c74010004"
                  "7f0000011e7901d1283d21b52176ff5f2218007a52cc31000001a229763595e2f319cdb8"
                  "61ed98000000010d6e6f64652d64313238336432310764656661756c740100047f000001"
                  "1e78"},
    {"GOSSIP, short", "01020000dcba5331000000000000000c0602004401d1283d21b52176ff5f2218007a52cc"
                      "31000001a229763595e2f319cdb861ed98000000010d6e6f64652d643132383364323107"
                      "64656661756c740100047f0000011e78"},
    {"PULL", "01030000246a710c0000000000000001c770e83c087fd337d1283d21b52176ff5f221800"
             "7a52cc31000001a22976359507000000001e04e1b4c0cc0000000000000000479de56902"
             "004401d1283d21b52176ff5f2218007a52cc31000001a229763595e2f319cdb861ed9800"
             "0000010d6e6f64652d64313238336432310764656661756c740100047f0000011e78"},
    {"CARDS", "01030000dcba5331000000000000000bc770e83c087fd337d6ee63377327575d449d1415"
              "3140922b000001a2297635950800000000"},
};
static const char hello_and_role[] =
    "010100000079c770e83c087fd3370101000000000000000000000000000000000000a000"
    "0000000000000493e00000000005265c00047f0000011e79d1283d21b52176ff5f221800"
    "7a52cc31000001a229763595e2f319cdb861ed98000000010d6e6f64652d643132383364"
    "32310764656661756c740100047f0000011e78"
    "0901000000050100000003";

static struct engine *make(void)
{
    const struct engine_config config = {
        .uuid = {{1}},
        .host_tag = 1,
        .seed = 2,
        .table_seed = 3,
        .wall_ms = UINT64_C(1767225600000),
        .name = "node",
        .network = "private",
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

static size_t from_hex(const char *text, uint8_t ret_bytes[static BYTES_MAX])
{
    size_t len = 0;
    for (; text[2 * len] != '\0'; len++) {
        const char digits[3] = {text[2 * len], text[2 * len + 1], '\0'};
        assert_true(len < BYTES_MAX);
        ret_bytes[len] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* The actions of a step: how many notices about another version, and how many others. */
struct deeds {
    uint32_t lines, others;
    char text[NOTICE_TEXT_SIZE];
};

static struct deeds take(struct engine *e)
{
    struct deeds deeds = {0};
    struct action action;
    while (outbox_next(engine_outbox(e), &action)) {
        if (action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_VERSION) {
            deeds.lines++;
            memcpy(deeds.text, action.notice->text, sizeof(deeds.text));
        } else {
            deeds.others++;
        }
    }
    return deeds;
}

static void its_packets_are_counted_and_told_once_a_minute(void **state)
{
    (void)state;
    struct engine *e = make();
    const struct addr from = addr_v4((const uint8_t[]){127, 0, 0, 1}, 7801);
    struct engine_status status;
    uint64_t now_us = START_US;
    uint64_t sent = 0;
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t lines = 0;
        engine_tick(e, now_us);
        (void)take(e); /* what time brings by itself */
        for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
            uint8_t bytes[BYTES_MAX];
            const size_t len = from_hex(packets[i].bytes, bytes);
            engine_datagram(e, &from, bytes, len, now_us);
            const struct deeds deeds = take(e);
            lines += deeds.lines;
            assert_int_equal(deeds.others, 0);
            if (deeds.lines > 0) {
                assert_string_equal(deeds.text, "127.0.0.1:7801 speaks version 1, this node 2");
            }
            engine_status(e, now_us, &status);
            assert_int_equal(status.counters.datagrams_stranger, ++sent);
        }
        assert_int_equal(lines, 1);
        now_us += 61 * (uint64_t)SECOND_US;
    }
    engine_status(e, now_us, &status);
    assert_int_equal(status.counters.datagrams_malformed, 0);
    assert_int_equal(status.alive, 0);
    engine_check(e);
    engine_free(e);
}

/* Both the dialling and the dialled side hear the same: HELLO, then CLOSE for the version. */
static void its_hello_ends_the_link(void **state)
{
    (void)state;
    struct engine *e = make();
    const struct addr from = addr_v4((const uint8_t[]){127, 0, 0, 1}, 40000);
    uint8_t bytes[BYTES_MAX];
    struct buf out;
    struct engine_status status;
    const size_t len = from_hex(hello_and_role, bytes);
    buf_init(&out, 65536);
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t link = engine_link_accept(e, &from, 0, START_US);
        (void)engine_link_output(e, link, &out, NULL, 65536, START_US);
        buf_clear(&out);
        (void)take(e);
        engine_link_input(e, link, bytes, len, START_US);
        assert_int_equal(take(e).lines, i == 0 ? 1 : 0);
        (void)engine_link_output(e, link, &out, NULL, 65536, START_US);
        assert_int_equal(out.len, FRAME_HEADER_BYTES + 1);
        assert_int_equal(buf_data(&out)[0], FRAME_CLOSE);
        assert_int_equal(buf_data(&out)[FRAME_HEADER_BYTES], CLOSE_VERSION);
        buf_clear(&out);
    }
    engine_status(e, START_US, &status);
    assert_int_equal(status.counters.links_stranger, 3);
    assert_int_equal(status.counters.frames_malformed, 0);
    assert_int_equal(status.alive, 0);
    buf_fini(&out);
    engine_check(e);
    engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_packets_are_counted_and_told_once_a_minute),
        cmocka_unit_test(its_hello_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
