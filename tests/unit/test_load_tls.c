/* net/load over TLS: with the authority that signed the server, and with another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/load/load.h"
#include "net/out/tls_client.h"
#include "own_clock.h"
#include "tls_server.h"

enum { REQUESTS = 200 };

struct run {
    struct tls_server server;
    struct tls_client *tls;
    struct load_target target;
    struct load_config config;
    struct load_result result;
};

static void run_init(struct run *run)
{
    memset(run, 0, sizeof(*run));
    tls_server_init(&run->server);
}

/* Trusts this authority, shows that certificate (NULL: none), and runs. */
static enum rc run_with(struct run *run, const char *ca, const char *cert, uint32_t timeout_ms)
{
    char why[128];
    const struct tls_client_files files = {.ca = ca, .cert = cert};
    run->tls = tls_client_new(&files, why, sizeof(why));
    assert_non_null(run->tls);
    run->target =
        (struct load_target){.addrs = {addr_v4((const uint8_t[]){127, 0, 0, 1}, run->server.port)},
                             .addr_count = 1,
                             .host = "localhost",
                             .tls_name = "localhost"};
    run->config = (struct load_config){
        .base = run->server.base,
        .targets = &run->target,
        .target_count = 1,
        .tls = run->tls,
        .mix = {.prefix = "k-", .key_count = 4, .reads_percent = 50, .size_max = 20000, .seed = 1},
        .connections = 2,
        .depth = 8,
        .requests_max = REQUESTS,
        .timeout_ms = timeout_ms,
    };
    return load_run(&run->config, &run->result);
}

static void run_fini(struct run *run)
{
    load_result_fini(&run->result);
    tls_client_free(run->tls);
    tls_server_fini(&run->server);
}

static void requests_of_all_sizes_are_answered_over_tls(void **state)
{
    struct run run;
    (void)state;
    run_init(&run);
    tls_server_be(&run.server, &run.server.good, true);
    assert_int_equal(run_with(&run, run.server.authority.file, run.server.client.file, 30000),
                     RC_OK);
    assert_string_equal(run.result.error, "");
    assert_int_equal(run.result.kinds[LOAD_GET].answered + run.result.kinds[LOAD_PUT].answered,
                     REQUESTS);
    assert_true(run.result.kinds[LOAD_PUT].answered > 0);
    assert_int_equal(run.server.answered, REQUESTS);
    assert_int_equal(run.server.conn_count, 2);
    assert_string_equal(run.server.peer, "client");
    run_fini(&run);
}

static void a_server_that_is_not_who_it_should_be_is_asked_nothing(void **state)
{
    struct run run;
    (void)state;
    run_init(&run);
    assert_int_equal(run_with(&run, run.server.other_authority.file, NULL, 200), RC_REFUSED);
    assert_non_null(strstr(run.result.error, "localhost: certificate refused: "));
    assert_in_range(run.result.faults[LOAD_FAULT_CONNECT], 1, UINT64_MAX);
    assert_int_equal(run.server.answered, 0);
    run_fini(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_all_sizes_are_answered_over_tls),
        cmocka_unit_test(a_server_that_is_not_who_it_should_be_is_asked_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
