#include "net/load/load_mix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 20000 };

static struct load_mix_config config_of(uint32_t reads_percent)
{
    return (struct load_mix_config){.prefix = "bench-",
                                    .key_count = 1000,
                                    .reads_percent = reads_percent,
                                    .size_min = 100,
                                    .size_max = 100,
                                    .seed = 1};
}

static void assert_head(struct load_mix *m, const struct load_ask *ask, const char *expected)
{
    char head[LOAD_MIX_HEAD_MAX];
    const size_t len = load_mix_head(m, ask, "h:81", 4, head);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(head, expected, len);
}

static void the_mix_is_what_was_asked_for(void **state)
{
    (void)state;
    static const uint32_t percents[] = {0, 1, 50, 90, 100};
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        const struct load_mix_config config = config_of(percents[i]);
        struct load_mix m;
        uint32_t reads = 0;
        load_mix_init(&m, &config);
        for (int n = 0; n < ROUNDS; n++) {
            const struct load_ask ask = load_mix_next(&m);
            reads += ask.is_put ? 0 : 1;
            assert_int_equal(ask.value_len, ask.is_put ? 100 : 0);
        }
        assert_true(abs((int)reads - (int)percents[i] * ROUNDS / 100) <= ROUNDS / 50);
        assert_true((percents[i] > 0 || reads == 0) && (percents[i] < 100 || reads == ROUNDS));
        load_mix_fini(&m);
    }
}

static void every_key_and_every_size_comes_and_none_beyond(void **state)
{
    (void)state;
    struct load_mix_config config = config_of(0);
    config.key_count = 50;
    config.size_min = 3;
    config.size_max = 9;
    bool keys[50] = {false}, sizes[10] = {false};
    struct load_mix m;
    load_mix_init(&m, &config);
    for (int n = 0; n < ROUNDS; n++) {
        const struct load_ask ask = load_mix_next(&m);
        assert_true(ask.key < 50 && ask.value_len >= 3 && ask.value_len <= 9);
        keys[ask.key] = true;
        sizes[ask.value_len] = true;
    }
    for (size_t i = 0; i < 50; i++) {
        assert_true(keys[i]);
    }
    for (size_t i = 3; i <= 9; i++) {
        assert_true(sizes[i]);
    }
    load_mix_fini(&m);
}

static void requests_are_written_out_in_full(void **state)
{
    (void)state;
    struct load_mix_config config = config_of(50);
    struct load_mix m;
    load_mix_init(&m, &config);
    const struct load_ask get = {.key = 42};
    const struct load_ask put = {.is_put = true, .key = 999, .value_len = 100};
    assert_head(&m, &get, "GET /v1/data/bench-000042 HTTP/1.1\r\nHost: h:81\r\n\r\n");
    assert_head(&m, &put,
                "PUT /v1/data/bench-000999 HTTP/1.1\r\nHost: h:81\r\nContent-Length: 100\r\n\r\n");
    load_mix_fini(&m);
    config.ttl_s = 600;
    config.key_count = 10000001;
    load_mix_init(&m, &config);
    const struct load_ask empty = {.is_put = true, .key = 10000000};
    assert_head(&m, &get, "GET /v1/data/bench-00000042 HTTP/1.1\r\nHost: h:81\r\n\r\n");
    assert_head(&m, &empty,
                "PUT /v1/data/bench-10000000?ttl=600 HTTP/1.1\r\nHost: h:81\r\n"
                "Content-Length: 0\r\n\r\n");
    load_mix_fini(&m);
}

static void headers_of_ones_own_stand_in_each_request(void **state)
{
    (void)state;
    struct load_mix_config config = config_of(0);
    config.lines = "A: 1\r\nB: 2\r\n";
    struct load_mix m;
    load_mix_init(&m, &config);
    const struct load_ask get = {.key = 7};
    const struct load_ask put = {.is_put = true, .key = 7, .value_len = 3};
    assert_head(&m, &get,
                "GET /v1/data/bench-000007 HTTP/1.1\r\nHost: h:81\r\nA: 1\r\nB: 2\r\n\r\n");
    assert_head(&m, &put,
                "PUT /v1/data/bench-000007 HTTP/1.1\r\nHost: h:81\r\nContent-Length: 3\r\n"
                "A: 1\r\nB: 2\r\n\r\n");
    load_mix_fini(&m);
}

static void the_longest_parts_fit_a_head(void **state)
{
    (void)state;
    char prefix[LOAD_MIX_PREFIX_MAX], host[LOAD_MIX_HOST_MAX], head[LOAD_MIX_HEAD_MAX];
    char lines[LOAD_MIX_LINES_MAX + 1];
    memset(lines, 'l', sizeof(lines) - 1);
    lines[sizeof(lines) - 1] = '\0';
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    memset(host, 'h', sizeof(host));
    struct load_mix_config config = config_of(0);
    config.prefix = prefix;
    config.lines = lines;
    config.key_count = UINT64_MAX;
    config.ttl_s = UINT32_MAX;
    struct load_mix m;
    load_mix_init(&m, &config);
    const struct load_ask put = {.is_put = true, .key = UINT64_MAX - 1, .value_len = SIZE_MAX};
    assert_true(load_mix_head(&m, &put, host, sizeof(host), head) <= sizeof(head));
    load_mix_fini(&m);
}

static void values_of_two_keys_differ_and_stay_within_the_block(void **state)
{
    (void)state;
    struct load_mix_config config = config_of(0);
    struct load_mix m;
    uint8_t copy[100];
    load_mix_init(&m, &config);
    const struct load_ask one = {.is_put = true, .key = 254, .value_len = 100};
    const struct load_ask other = {.is_put = true, .key = 255, .value_len = 100};
    memcpy(copy, load_mix_value(&m, &other), sizeof(copy));
    assert_memory_not_equal(copy, load_mix_value(&m, &one), sizeof(copy));
    load_mix_fini(&m);
}

static void one_seed_makes_one_sequence(void **state)
{
    (void)state;
    struct load_mix_config config = config_of(50);
    struct load_mix a, b;
    config.size_max = 5000;
    load_mix_init(&a, &config);
    load_mix_init(&b, &config);
    for (int n = 0; n < 100; n++) {
        const struct load_ask x = load_mix_next(&a);
        const struct load_ask y = load_mix_next(&b);
        assert_true(x.is_put == y.is_put && x.key == y.key && x.value_len == y.value_len);
    }
    load_mix_fini(&a);
    load_mix_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mix_is_what_was_asked_for),
        cmocka_unit_test(every_key_and_every_size_comes_and_none_beyond),
        cmocka_unit_test(requests_are_written_out_in_full),
        cmocka_unit_test(headers_of_ones_own_stand_in_each_request),
        cmocka_unit_test(the_longest_parts_fit_a_head),
        cmocka_unit_test(values_of_two_keys_differ_and_stay_within_the_block),
        cmocka_unit_test(one_seed_makes_one_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
