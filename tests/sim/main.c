/* repram-sim: tells stories of large clusters on virtual time, and judges them. */
#include "core/parse.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/oracle.h"
#include "tests/sim/report.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_BROKEN = 1,
    EXIT_USAGE = 64,             /* sysexits.h */
    MEMBERSHIP_ONLY_ABOVE = 128, /* a full mesh of links is the engine's, and grows as the square */
    ALL_CONTACTS_UP_TO = 64,
    CONTACTS = 16, /* that a provider names in larger clusters */
    MILLION = 1000000,
    THOUSAND = 1000,
};

struct arguments {
    struct story story;
    const char *scenario;
    uint64_t seed_first, seed_last;
    bool is_json;
    bool has_enclave_size, has_stream_loss, has_contacts, has_writes;
};

enum option_id {
    OPT_NODES = 256,
    OPT_MINUTES,
    OPT_SETTLE,
    OPT_LOSS,
    OPT_STREAM_LOSS,
    OPT_SCENARIO,
    OPT_SEED,
    OPT_SEEDS,
    OPT_DELAY,
    OPT_JITTER,
    OPT_WRITES,
    OPT_VALUE_SIZE,
    OPT_TTL,
    OPT_KEYS,
    OPT_ENCLAVE_SIZE,
    OPT_CONTACTS,
    OPT_JSON,
    OPT_HELP,
};

static const struct option options[] = {
    {"nodes", required_argument, NULL, OPT_NODES},
    {"minutes", required_argument, NULL, OPT_MINUTES},
    {"settle", required_argument, NULL, OPT_SETTLE},
    {"loss", required_argument, NULL, OPT_LOSS},
    {"stream-loss", required_argument, NULL, OPT_STREAM_LOSS},
    {"scenario", required_argument, NULL, OPT_SCENARIO},
    {"seed", required_argument, NULL, OPT_SEED},
    {"seeds", required_argument, NULL, OPT_SEEDS},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"jitter", required_argument, NULL, OPT_JITTER},
    {"writes", required_argument, NULL, OPT_WRITES},
    {"value-size", required_argument, NULL, OPT_VALUE_SIZE},
    {"ttl", required_argument, NULL, OPT_TTL},
    {"keys", required_argument, NULL, OPT_KEYS},
    {"enclave-size", required_argument, NULL, OPT_ENCLAVE_SIZE},
    {"contacts", required_argument, NULL, OPT_CONTACTS},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    printf("usage: repram-sim [--nodes N] [--minutes M] [--scenario S] [--seed X | --seeds A-B]\n"
           "\n"
           "  --nodes N          1 to %d; 16\n"
           "  --minutes M        how long faults and writes go on; 5\n"
           "  --settle D         between forming and measuring; 3s\n"
           "  --loss L           share of packets lost, 0 to 0.9; 0\n"
           "  --stream-loss L    of the segments of streams; as --loss\n"
           "  --scenario S       steady unless given, see below; several with commas\n"
           "  --seed X           1\n"
           "  --seeds A-B        one run each; the figures are over all of them\n"
           "  --delay D          one way, as 1ms; 0.5 ms\n"
           "  --jitter D         at most that much more; 0.3 ms\n"
           "  --writes R         per second in the whole cluster; 10, membership only 0\n"
           "  --value-size B     100, under \"full\" 4096\n"
           "  --ttl D            the middle of an eighth to four times it; 60s\n"
           "  --keys K           of each enclave; 64, under \"full\" 2000\n"
           "  --enclave-size E   nodes in a row that share data; 0 all, 1 is membership only,\n"
           "                     which is what clusters above %d nodes get\n"
           "  --contacts C       how many addresses discovery names; 0 all; above %d nodes %d\n"
           "  --json             one object instead of the table\n"
           "\n"
           "scenarios:\n",
           CLUSTER_NODES_MAX, MEMBERSHIP_ONLY_ABOVE, ALL_CONTACTS_UP_TO, CONTACTS);
    const char *name = NULL;
    const char *help = NULL;
    for (size_t i = 0; (name = faults_name(i, &help)) != NULL; i++) {
        printf("  %-18s %s\n", name, help);
    }
    printf("\nExit code: 0, 1 when an invariant was broken, 64 for wrong arguments.\n");
}

/* "12", "0.25": a decimal number in units of 1/`unit`. */
static bool parse_decimal(const char *text, uint64_t unit, uint64_t max, uint64_t *ret_value)
{
    const char *point = strchr(text, '.');
    const size_t whole_len = point == NULL ? strlen(text) : (size_t)(point - text);
    uint64_t whole = 0;
    uint64_t part = 0;
    if (parse_u64(text, whole_len, max / unit, &whole) != RC_OK) {
        return false;
    }
    for (uint64_t digit = unit / 10; point != NULL && *++point != '\0'; digit /= 10) {
        if (*point < '0' || *point > '9') {
            return false;
        }
        part += (uint64_t)(*point - '0') * digit;
    }
    *ret_value = whole * unit + part;
    return *ret_value <= max;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    return parse_u64(text, strlen(text), max, ret_value) == RC_OK && *ret_value >= min;
}

/* "500us", "1.5ms", "2s". */
static bool parse_time_us(const char *text, uint64_t *ret_us)
{
    static const struct {
        const char *suffix;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", THOUSAND}, {"s", MILLION}};
    char number[24];
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const size_t len = strlen(text);
        const size_t suffix = strlen(units[i].suffix);
        if (len > suffix && len - suffix < sizeof(number) &&
            strcmp(text + len - suffix, units[i].suffix) == 0) {
            memcpy(number, text, len - suffix);
            number[len - suffix] = '\0';
            return parse_decimal(number, units[i].us, UINT64_C(10) * MILLION, ret_us);
        }
    }
    return false;
}

static bool parse_seeds(const char *text, struct arguments *a)
{
    const char *dash = strchr(text, '-');
    return dash != NULL &&
           parse_u64(text, (size_t)(dash - text), UINT32_MAX, &a->seed_first) == RC_OK &&
           parse_number(dash + 1, a->seed_first, UINT32_MAX, &a->seed_last);
}

/* The union of the scenarios that the list names. */
static bool find_faults(const char *list, uint64_t seed, uint32_t *ret_set)
{
    char name[32];
    *ret_set = 0;
    for (const char *at = list; at != NULL;) {
        const char *comma = strchr(at, ',');
        const size_t len = comma == NULL ? strlen(at) : (size_t)(comma - at);
        uint32_t set = 0;
        if (len >= sizeof(name)) {
            return false;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        if (!faults_find(name, seed, &set)) {
            return false;
        }
        *ret_set |= set;
        at = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

static bool take_network_option(struct arguments *a, int option, const char *text)
{
    struct story *s = &a->story;
    uint64_t value = 0;
    switch (option) {
    case OPT_LOSS:
        if (!parse_decimal(text, MILLION, UINT64_C(900000), &value)) {
            return false;
        }
        s->loss_ppm = (uint32_t)value;
        return true;
    case OPT_STREAM_LOSS:
        a->has_stream_loss = true;
        if (!parse_decimal(text, MILLION, UINT64_C(900000), &value)) {
            return false;
        }
        s->stream_loss_ppm = (uint32_t)value;
        return true;
    case OPT_DELAY:
        return parse_time_us(text, &s->delay_us);
    case OPT_JITTER:
        return parse_time_us(text, &s->jitter_us);
    case OPT_CONTACTS:
        a->has_contacts = true;
        if (!parse_number(text, 0, CLUSTER_NODES_MAX, &value)) {
            return false;
        }
        s->contacts = (uint32_t)value;
        return true;
    default:
        return false;
    }
}

static bool take_data_option(struct arguments *a, int option, const char *text)
{
    struct story *s = &a->story;
    uint64_t value = 0;
    switch (option) {
    case OPT_WRITES:
        a->has_writes = true;
        if (!parse_decimal(text, THOUSAND, UINT64_C(100000) * THOUSAND, &value)) {
            return false;
        }
        s->writes_per_1000_s = (uint32_t)value;
        return true;
    case OPT_VALUE_SIZE:
        if (!parse_number(text, ORACLE_VALUE_MIN, 10 << 20, &value)) {
            return false;
        }
        s->value_len = value;
        return true;
    case OPT_TTL:
        return parse_duration_ms(text, strlen(text), &s->ttl_ms) == RC_OK && s->ttl_ms >= 2 &&
               s->ttl_ms <= UINT64_C(6) * 3600 * 1000;
    case OPT_KEYS:
        if (!parse_number(text, 1, 100000, &value)) {
            return false;
        }
        s->key_count = (uint32_t)value;
        return true;
    case OPT_ENCLAVE_SIZE:
        a->has_enclave_size = true;
        if (!parse_number(text, 0, CLUSTER_NODES_MAX, &value)) {
            return false;
        }
        s->enclave_size = (uint32_t)value;
        return true;
    default:
        return take_network_option(a, option, text);
    }
}

static bool take_option(struct arguments *a, int option, const char *text)
{
    struct story *s = &a->story;
    uint64_t value = 0;
    switch (option) {
    case OPT_NODES:
        if (!parse_number(text, 1, CLUSTER_NODES_MAX, &value)) {
            return false;
        }
        s->nodes = (uint32_t)value;
        return true;
    case OPT_MINUTES:
        return parse_decimal(text, UINT64_C(60000), UINT64_C(60000) * 60 * 24 * 30, &s->run_ms);
    case OPT_SETTLE:
        return parse_duration_ms(text, strlen(text), &s->settle_ms) == RC_OK;
    case OPT_SCENARIO:
        a->scenario = text;
        return find_faults(text, 0, &s->faults);
    case OPT_SEED:
        if (!parse_number(text, 0, UINT32_MAX, &a->seed_first)) {
            return false;
        }
        a->seed_last = a->seed_first;
        return true;
    case OPT_SEEDS:
        return parse_seeds(text, a);
    case OPT_JSON:
        a->is_json = true;
        return true;
    default:
        return take_data_option(a, option, text);
    }
}

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
    int option = 0;
    int index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == OPT_HELP) {
            print_help();
            exit(0);
        }
        if (option == '?') {
            return false; /* getopt has said why */
        }
        if (!take_option(a, option, optarg)) {
            (void)fprintf(stderr, "repram-sim: --%s does not take \"%s\"; see --help\n",
                          options[index].name, optarg);
            return false;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "repram-sim: unexpected \"%s\"; see --help\n", argv[optind]);
        return false;
    }
    return true;
}

static void fill_defaults(struct arguments *a)
{
    struct story *s = &a->story;
    if (!a->has_enclave_size && s->nodes > MEMBERSHIP_ONLY_ABOVE) {
        s->enclave_size = 1;
    }
    if (!a->has_stream_loss) {
        s->stream_loss_ppm = s->loss_ppm;
    }
    if (!a->has_contacts && s->nodes > ALL_CONTACTS_UP_TO) {
        s->contacts = CONTACTS;
    }
    if (!a->has_writes && s->enclave_size == 1) {
        s->writes_per_1000_s = 0;
    }
    /* So much that a node under "full" is over its memory after a minute. */
    const bool is_full = strstr(a->scenario, "full") != NULL;
    if (s->value_len == 0) {
        s->value_len = is_full ? 4096 : 100;
    }
    if (s->key_count == 0) {
        s->key_count = is_full ? 2000 : 64;
    }
}

/* ---- What the terminal sees meanwhile, and what an assertion leaves behind ---- */

static volatile uint64_t virtual_us; /* of the story under way */
static volatile uint64_t seed_now;
static struct timespec told_at;

/* At most ten times a second of real time. */
static void show_progress(const struct story *s, uint64_t done_ms)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t since_ms = (int64_t)(now.tv_sec - told_at.tv_sec) * THOUSAND +
                             (now.tv_nsec - told_at.tv_nsec) / MILLION;
    if (since_ms >= 100) {
        told_at = now;
        (void)fprintf(stderr, "\rseed %" PRIu64 ": %5.1f of %.1f min \033[K", s->seed,
                      (double)done_ms / 60000, (double)s->run_ms / 60000);
    }
}

/* An assertion of the engine is a broken invariant too: it must name its seed. */
static void tell_abort(int number)
{
    char line[128];
    (void)number;
    const int len = snprintf(line, sizeof(line),
                             "broken: seed %" PRIu64 " after %" PRIu64 " ms: an assertion failed\n",
                             seed_now, virtual_us / THOUSAND);
    (void)!write(STDOUT_FILENO, line, (size_t)len);
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .story = {.nodes = 16,
                  .run_ms = UINT64_C(5) * 60000,
                  .settle_ms = 3000,
                  .delay_us = 500,
                  .jitter_us = 300,
                  .writes_per_1000_s = 10 * THOUSAND,
                  .ttl_ms = 60000},
        .scenario = "steady",
        .seed_first = 1,
        .seed_last = 1,
    };
    if (!parse_arguments(argc, argv, &a)) {
        return EXIT_USAGE;
    }
    fill_defaults(&a);
    const bool is_terminal = isatty(STDERR_FILENO) == 1;
    a.story.progress = is_terminal ? show_progress : NULL;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGABRT, tell_abort);
    struct figures figures = {.seeds = 0};
    for (uint64_t seed = a.seed_first; seed <= a.seed_last; seed++) {
        a.story.seed = seed;
        seed_now = seed;
        (void)find_faults(a.scenario, seed, &a.story.faults);
        story_run(&a.story, &figures, &virtual_us);
    }
    if (is_terminal) {
        (void)fprintf(stderr, "\r\033[K");
    }
    (a.is_json ? report_json : report_table)(&a.story, a.scenario, a.seed_last, &figures);
    const bool is_broken = figures.broken > 0;
    figures_fini(&figures);
    return is_broken ? EXIT_BROKEN : 0;
}
