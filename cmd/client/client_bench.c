/* `repram bench`: the load generator for users; net/load does the work, bench_report shows it. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/client/bench_report.h"
#include "cmd/client/client.h"
#include "cmd/settings/host_limits.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/load/load.h"
#include "net/out/resolve.h"
#include "net/sys/hostclock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 10000,
    DURATION_MS = 10000,
    WARM_UP_MS = 1000,
    PROGRESS_MS = 500,
    DURATION_MAX_MS = 7 * 24 * 3600 * 1000,
    CONNECTIONS = 32,
    READS_PERCENT = 50,
    KEYS = 10000,
    SIZE = 100,
    SEED = 1,               /* the same requests in every run, so that runs compare */
    OTHER_DESCRIPTORS = 32, /* besides the connections */
    PREFIX_BYTES_MAX = 500, /* three times as many when encoded; a key has room for more */
    SERVER_TEXT_SIZE = NODE_TEXT_SIZE + 16,
};

enum bench_extra {
    BENCH_READS,
    BENCH_SIZE,
    BENCH_KEYS,
    BENCH_PREFIX,
    BENCH_TTL,
    BENCH_CONNECTIONS,
    BENCH_PIPELINE,
    BENCH_BURST,
    BENCH_DURATION,
    BENCH_REQUESTS,
    BENCH_RATE,
    BENCH_WARM_UP,
    BENCH_NO_FILL,
    BENCH_EXTRA_COUNT,
};

static const struct option_def bench_extras[BENCH_EXTRA_COUNT] = {
    [BENCH_READS] = {"reads", 0, true},
    [BENCH_SIZE] = {"size", 0, true},
    [BENCH_KEYS] = {"keys", 0, true},
    [BENCH_PREFIX] = {"prefix", 0, true},
    [BENCH_TTL] = {"ttl", 0, true},
    [BENCH_CONNECTIONS] = {"connections", 'c', true},
    [BENCH_PIPELINE] = {"pipeline", 'p', true},
    [BENCH_BURST] = {"burst", 'b', true},
    [BENCH_DURATION] = {"duration", 'd', true},
    [BENCH_REQUESTS] = {"requests", 'n', true},
    [BENCH_RATE] = {"rate", 0, true},
    [BENCH_WARM_UP] = {"warm-up", 0, true},
    [BENCH_NO_FILL] = {"no-fill", 0, false},
};
_Static_assert((int)BENCH_EXTRA_COUNT <= (int)CLIENT_EXTRAS_MAX, "more options than there is room");

struct bench {
    struct client *client;
    struct load_config config;
    char prefix[LOAD_MIX_PREFIX_MAX];
    char lines[LOAD_MIX_LINES_MAX + 1]; /* the header with the token, or nothing */
    struct load_target *targets;        /* owned, client->server_count of them */
    char (*server_texts)[SERVER_TEXT_SIZE];
    const char **servers; /* the same, for the report */
};

/* ---- The command line ---- */

static int refuse_option(const struct bench *b, enum bench_extra option, const char *allowed)
{
    client_say(b->client, "--%s %.64s is not allowed; allowed: %s", bench_extras[option].name,
               b->client->extras[option], allowed);
    return EXIT_CODE_USAGE;
}

/* A whole number from `least` to `most`; *value stays when the option was not given. -1, or the
 * exit code. */
static int read_number(const struct bench *b, enum bench_extra option, uint64_t least,
                       uint64_t most, uint64_t *value)
{
    const char *text = b->client->extras[option];
    char allowed[64];
    uint64_t number = 0;
    if (text == NULL) {
        return -1;
    }
    if (parse_u64(text, strlen(text), most, &number) != RC_OK || number < least) {
        (void)snprintf(allowed, sizeof(allowed), "a whole number, %llu to %llu",
                       (unsigned long long)least, (unsigned long long)most);
        return refuse_option(b, option, allowed);
    }
    *value = number;
    return -1;
}

static int read_time(const struct bench *b, enum bench_extra option, uint64_t least_ms,
                     uint64_t *value_ms)
{
    const char *text = b->client->extras[option];
    uint64_t ms = 0;
    if (text == NULL) {
        return -1;
    }
    if (parse_duration_ms(text, strlen(text), &ms) != RC_OK || ms < least_ms ||
        ms > DURATION_MAX_MS) {
        return refuse_option(b, option, PARSE_DURATION_MS_TAKES ", up to 7d");
    }
    *value_ms = ms;
    return -1;
}

/* BYTES, or BYTES-BYTES. */
static int read_size(struct bench *b)
{
    const char *text = b->client->extras[BENCH_SIZE];
    struct load_mix_config *mix = &b->config.mix;
    uint64_t least = 0, most = 0;
    if (text == NULL) {
        return -1;
    }
    const char *dash = strchr(text, '-');
    const size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
    const char *last = dash != NULL ? dash + 1 : text;
    if (parse_size(text, len, &least) != RC_OK || parse_size(last, strlen(last), &most) != RC_OK ||
        least > most || most > LOAD_MIX_SIZE_MAX) {
        return refuse_option(b, BENCH_SIZE, "bytes, as 100 or 1KiB or 1KiB-64KiB, up to 64MiB");
    }
    mix->size_min = (size_t)least;
    mix->size_max = (size_t)most;
    return -1;
}

static int read_ttl(struct bench *b)
{
    const char *text = b->client->extras[BENCH_TTL];
    uint64_t seconds = 0;
    if (text == NULL) {
        return -1;
    }
    if (parse_duration_s(text, strlen(text), &seconds) != RC_OK || seconds == 0) {
        return refuse_option(b, BENCH_TTL, PARSE_DURATION_S_TAKES);
    }
    b->config.mix.ttl_s = (uint32_t)seconds;
    return -1;
}

static int read_prefix(struct bench *b)
{
    const char *text = b->client->extras[BENCH_PREFIX];
    text = text != NULL ? text : "bench-";
    if (strlen(text) > PREFIX_BYTES_MAX ||
        client_encode(b->prefix, sizeof(b->prefix), text, "/") != RC_OK) {
        return refuse_option(b, BENCH_PREFIX, "up to 500 bytes");
    }
    b->config.mix.prefix = b->prefix;
    return -1;
}

/* -1, or the exit code of the first that is not -1. */
static int first_code(const int *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i] >= 0) {
            return codes[i];
        }
    }
    return -1;
}

static int read_options(struct bench *b)
{
    struct load_config *config = &b->config;
    const bool has_requests = b->client->extras[BENCH_REQUESTS] != NULL;
    uint64_t reads = READS_PERCENT, keys = KEYS, connections = CONNECTIONS, depth = 1;
    config->duration_ms = has_requests ? 0 : DURATION_MS;
    config->warm_up_ms = has_requests ? 0 : WARM_UP_MS;
    config->mix.size_min = config->mix.size_max = SIZE;
    const int codes[] = {
        read_number(b, BENCH_READS, 0, 100, &reads),
        read_number(b, BENCH_KEYS, 1, UINT32_MAX, &keys),
        read_number(b, BENCH_CONNECTIONS, 1, LOAD_CONNECTIONS_MAX, &connections),
        read_number(b, BENCH_PIPELINE, 1, LOAD_DEPTH_MAX, &depth),
        read_number(b, BENCH_BURST, 1, LOAD_DEPTH_MAX, &depth),
        read_number(b, BENCH_REQUESTS, 1, 1ULL << 53, &config->requests_max),
        read_number(b, BENCH_RATE, 1, LOAD_RATE_MAX, &config->rate),
        read_time(b, BENCH_DURATION, 1, &config->duration_ms),
        read_time(b, BENCH_WARM_UP, 0, &config->warm_up_ms),
        read_size(b),
        read_ttl(b),
        read_prefix(b),
    };
    config->mix.reads_percent = (uint32_t)reads;
    config->mix.key_count = keys;
    config->mix.seed = SEED;
    config->connections = (uint32_t)connections;
    config->depth = (uint32_t)depth;
    config->is_burst = b->client->extras[BENCH_BURST] != NULL;
    config->timeout_ms = b->client->timeout_ms;
    config->does_fill = reads > 0 && b->client->extras[BENCH_NO_FILL] == NULL;
    return first_code(codes, sizeof(codes) / sizeof(codes[0]));
}

/* What each option allows, but not together with others. */
static int check_options(const struct bench *b)
{
    const struct load_config *config = &b->config;
    if ((uint64_t)config->connections * config->depth > LOAD_UNDER_WAY_MAX) {
        client_say(b->client, "%u connections with %u requests under way on each are more than %d",
                   config->connections, config->depth, LOAD_UNDER_WAY_MAX);
        return EXIT_CODE_USAGE;
    }
    if (config->is_burst && b->client->extras[BENCH_PIPELINE] != NULL) {
        client_say(b->client, "--burst does not go with --pipeline: both say how many requests are "
                              "under way on each connection");
        return EXIT_CODE_USAGE;
    }
    return -1;
}

/* All servers may be sent the token, or the command had not begun. */
static void add_token(struct bench *b)
{
    const char *token = b->client->credentials.authorization;
    if (token != NULL) {
        (void)snprintf(b->lines, sizeof(b->lines), "Authorization: %s\r\n", token);
    }
    b->config.mix.lines = b->lines;
}

/* ---- The servers ---- */

/* Of the local range, the first node. Of servers that are named, all of them: each must answer now,
 * so that a wrong name does not show in the middle of a measurement. */
static bool find_servers(struct client *c)
{
    const struct client_request request = {.method = "GET", .target = "/health", .is_probe = true};
    struct client_answer answer;
    bool is_there = true;
    if (c->is_local) {
        client_ask_any(c, &request, &answer, &c->servers[0]);
        c->server_count = 1;
        is_there = answer.rc == RC_OK;
        client_answer_fini(&answer);
        return is_there;
    }
    for (size_t i = 0; i < c->server_count && is_there; i++) {
        char where[SERVER_TEXT_SIZE];
        client_ask(c, &c->servers[i], &request, c->timeout_ms, &answer);
        is_there = answer.rc == RC_OK;
        if (!is_there) {
            client_say(c, "%s does not answer: %s",
                       client_server_text(&c->servers[i], where, sizeof(where)), answer.error);
        }
        client_answer_fini(&answer);
    }
    return is_there;
}

static bool make_targets(struct bench *b)
{
    const size_t count = b->client->server_count;
    b->targets = mem_new(count, sizeof(*b->targets));
    b->server_texts = mem_new(count, sizeof(*b->server_texts));
    b->servers = mem_new(count, sizeof(*b->servers));
    for (size_t i = 0; i < count; i++) {
        const struct node_peer *at = &b->client->servers[i].at;
        struct load_target *target = &b->targets[i];
        const char *error = NULL;
        b->servers[i] =
            client_server_text(&b->client->servers[i], b->server_texts[i], SERVER_TEXT_SIZE);
        target->host = b->servers[i];
        target->tls_name = b->client->servers[i].is_tls ? at->host : NULL;
        if (resolve_wait(at->host, at->port, target->addrs, LOAD_ADDRS_MAX, &target->addr_count,
                         &error) != RC_OK) {
            client_say(b->client, "%s does not resolve: %s", at->host, error);
            return false;
        }
    }
    b->config.tls = b->client->tls;
    b->config.targets = b->targets;
    b->config.target_count = count;
    return true;
}

static bool has_descriptors(const struct bench *b)
{
    const uint64_t limit = host_limits_descriptors();
    if (b->config.connections + OTHER_DESCRIPTORS <= limit) {
        return true;
    }
    client_say(b->client, "%u connections need more descriptors than the %llu allowed (ulimit -n)",
               b->config.connections, (unsigned long long)limit);
    return false;
}

/* ---- The run ---- */

static void on_progress(void *arg, const struct load_progress *p)
{
    bench_report_progress(stderr, arg, p);
}

static double cpu_seconds(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int show(const struct bench *b, enum rc rc, const struct load_result *result, double busy)
{
    const struct bench_report report = {
        .config = &b->config, .result = result, .servers = b->servers, .busy = busy};
    const uint64_t failed = bench_report_failed(result);
    if (result->elapsed_ns > 0 && b->client->is_json) {
        bench_report_json(&report, stdout);
    } else if (result->elapsed_ns > 0) {
        bench_report_text(&report, stdout);
    }
    if (rc != RC_OK) {
        client_say(b->client, "given up: %s",
                   result->error[0] != '\0' ? result->error : rc_text(rc));
    } else if (result->error[0] != '\0') {
        client_say(b->client, "the first fault: %s", result->error);
    } else if (result->elapsed_ns == 0) {
        client_say(b->client, "interrupted before anything was measured");
    } else if (failed + result->fill_errors > 0) {
        client_say(b->client, "%" PRIu64 " requests were refused", failed + result->fill_errors);
    }
    if (rc != RC_OK || failed + result->fill_errors > 0) {
        return EXIT_CODE_FAILED;
    }
    return result->is_interrupted ? EXIT_CODE_INTERRUPTED : EXIT_CODE_OK;
}

static int measure(struct bench *b)
{
    struct load_result result;
    const bool is_watched = isatty(STDERR_FILENO) == 1;
    if (is_watched) {
        b->config.progress = on_progress;
        b->config.progress_ms = PROGRESS_MS;
        b->config.arg = &b->config;
    }
    const uint64_t began_ms = hostclock_boot_ms();
    const double began_cpu = cpu_seconds();
    const enum rc rc = load_run(&b->config, &result);
    const double seconds = (double)(hostclock_boot_ms() - began_ms) / 1000;
    const double busy = seconds > 0 ? (cpu_seconds() - began_cpu) / seconds : 0;
    if (is_watched) {
        bench_report_progress_end(stderr);
    }
    const int code = show(b, rc, &result, busy);
    load_result_fini(&result);
    return code;
}

static int bench(struct client *c)
{
    struct bench b = {.client = c};
    int code = read_options(&b);
    code = code < 0 ? check_options(&b) : code;
    if (code >= 0) {
        return code;
    }
    if (!find_servers(c)) {
        return EXIT_CODE_FAILED;
    }
    if (b.config.connections < c->server_count) {
        client_say(c, "%u connections are fewer than the %zu servers", b.config.connections,
                   c->server_count);
        return EXIT_CODE_USAGE;
    }
    add_token(&b);
    code = has_descriptors(&b) && make_targets(&b) ? measure(&b) : EXIT_CODE_FAILED;
    mem_wipe(b.lines, sizeof(b.lines));
    free(b.targets);
    free(b.server_texts);
    free(b.servers);
    return code;
}

int command_bench(int argc, char **argv)
{
    const struct client_usage usage = {.extras = bench_extras,
                                       .extra_count = BENCH_EXTRA_COUNT,
                                       .timeout_ms = TIMEOUT_MS,
                                       .is_data = true};
    return client_run(argc, argv, &usage, bench);
}
