#include "tests/sim/options.h"

#include "core/base/parse.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/oracle.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MEMBERSHIP_ONLY_ABOVE = 256, /* a write costs events on every link of every node */
    ALL_CONTACTS_UP_TO = 64,
    CONTACTS = 16, /* that a provider names in larger clusters */
    MILLION = 1000000,
    THOUSAND = 1000,
    SHARE_MAX_PPM = 900000,
    SWARM_LOSS_MAX_PPM = 250000, /* what a cluster is to bear */
    FIRST_OPTION = 256,
    SCENARIO_TEXT = 32,
};

#define MINUTE_MS UINT64_C(60000)

/* How an option's text is read. Numbers have bounds in the units of the field. */
enum option_kind {
    KIND_NUMBER,
    KIND_SHARE,    /* 0.25 as parts in a million */
    KIND_TIME,     /* 1.5ms, in microseconds */
    KIND_DURATION, /* 3s, in milliseconds */
    KIND_MINUTES,  /* in milliseconds */
    KIND_RATE,     /* a second, kept for a thousand of them */
    KIND_FLAG,
    KIND_NODES,
    KIND_SCENARIO,
    KIND_SEED,
    KIND_SEEDS,
    KIND_CONTACTS,
    KIND_SEALING,
};

enum option_id {
    OPTION_NODES,
    OPTION_MINUTES,
    OPTION_LAST,
    OPTION_SETTLE,
    OPTION_FORMED,
    OPTION_STAGGER,
    OPTION_SCENARIO,
    OPTION_SEED,
    OPTION_SEEDS,
    OPTION_LOSS,
    OPTION_STREAM_LOSS,
    OPTION_BURST_LOSS,
    OPTION_BURST_TIME,
    OPTION_DELAY,
    OPTION_JITTER,
    OPTION_WRITES,
    OPTION_VALUE_SIZE,
    OPTION_TTL,
    OPTION_KEYS,
    OPTION_ENCLAVE_SIZE,
    OPTION_CONTACTS,
    OPTION_SEALING,
    OPTION_WALK,
    OPTION_JSON,
    OPTION_HELP,
    OPTIONS,
};

#define FIELD(member) offsetof(struct options, member), sizeof(((struct options *)NULL)->member)

static const struct {
    const char *name, *argument;
    const char *takes; /* completes "--x takes ..." */
    const char *help;
    enum option_kind kind;
    uint64_t min, max;
    size_t offset, size; /* of the field */
} table[OPTIONS] = {
    [OPTION_NODES] = {"nodes", "N", "1 to 16000, or a range of them as 8-64",
                      "how many; of a range A-B each seed draws its own; 16", KIND_NODES, 1,
                      CLUSTER_NODES_MAX, 0, 0},
    [OPTION_MINUTES] = {"minutes", "M", "0 to 43200, as 0.5", "how long faults and writes go on; 5",
                        KIND_MINUTES, 0, 43200 * MINUTE_MS, FIELD(story.run_ms)},
    [OPTION_LAST] = {"last", "M", "minutes, as 0.5",
                     "the end of it, to measure bytes over apart; 5", KIND_MINUTES, 1,
                     43200 * MINUTE_MS, FIELD(story.last_ms)},
    [OPTION_SETTLE] = {"settle", "D", "a time up to 24h, as 3s",
                       "between forming and measuring; 3s", KIND_DURATION, 0, 1440 * MINUTE_MS,
                       FIELD(story.settle_ms)},
    [OPTION_FORMED] = {"formed", NULL, NULL,
                       "all know all from the start: nothing is told of forming", KIND_FLAG, 0, 1,
                       FIELD(story.is_formed)},
    [OPTION_STAGGER] = {"stagger", "D", "a time up to 1h, as 3s",
                        "from the first node's start to the last's; 0s, all at once", KIND_DURATION,
                        0, 60 * MINUTE_MS, FIELD(story.stagger_ms)},
    [OPTION_SCENARIO] = {"scenario", "S", "names from --help, with commas",
                         "see below, several with commas; steady", KIND_SCENARIO, 0, 0, 0, 0},
    [OPTION_SEED] = {"seed", "X", "0 to 4294967295", "which history; 1", KIND_SEED, 0, UINT32_MAX,
                     0, 0},
    [OPTION_SEEDS] = {"seeds", "A-B", "two numbers, A not above B",
                      "one run each; the figures are over all of them", KIND_SEEDS, 0, UINT32_MAX,
                      0, 0},
    [OPTION_LOSS] = {"loss", "L", "0 to 0.9", "share of packets lost; 0", KIND_SHARE, 0,
                     SHARE_MAX_PPM, FIELD(story.loss_ppm)},
    [OPTION_STREAM_LOSS] = {"stream-loss", "L", "0 to 0.9", "of the segments of streams; as --loss",
                            KIND_SHARE, 0, SHARE_MAX_PPM, FIELD(story.stream_loss_ppm)},
    [OPTION_BURST_LOSS] = {"burst-loss", "L", "0 to 0.9",
                           "share of packets lost in bursts, besides; 0", KIND_SHARE, 0,
                           BURST_SHARE_MAX_PPM, FIELD(story.burst_ppm)},
    [OPTION_BURST_TIME] = {"burst-time", "D", "1ms to 10s", "how long a burst is on average; 200ms",
                           KIND_TIME, THOUSAND, UINT64_C(10) * MILLION, FIELD(story.burst_us)},
    [OPTION_DELAY] = {"delay", "D", "0us to 10s, as 1.5ms", "one way; 0.5ms", KIND_TIME, 0,
                      UINT64_C(10) * MILLION, FIELD(story.delay_us)},
    [OPTION_JITTER] = {"jitter", "D", "0us to 10s, as 1.5ms", "at most that much more; 0.3ms",
                       KIND_TIME, 0, UINT64_C(10) * MILLION, FIELD(story.jitter_us)},
    [OPTION_WRITES] = {"writes", "R", "0 to 100000, as 0.5",
                       "per second in the whole cluster; 10, membership only 0", KIND_RATE, 0,
                       UINT64_C(100000) * THOUSAND, FIELD(story.writes_per_1000_s)},
    [OPTION_VALUE_SIZE] = {"value-size", "B", "8 to 10485760 bytes", "100, under \"full\" 4096",
                           KIND_NUMBER, ORACLE_VALUE_MIN, 10 << 20, FIELD(story.value_len)},
    [OPTION_TTL] = {"ttl", "D", "2ms to 6h", "the middle of an eighth to four times it; 60s",
                    KIND_DURATION, 2, 360 * MINUTE_MS, FIELD(story.ttl_ms)},
    [OPTION_KEYS] = {"keys", "K", "1 to 100000", "of each enclave; 64, under \"full\" 2000",
                     KIND_NUMBER, 1, 100000, FIELD(story.key_count)},
    [OPTION_ENCLAVE_SIZE] = {"enclave-size", "E", "0 to 16000",
                             "nodes in a row that share data; 0 all, 1 is membership only,\n"
                             "                      which is what clusters above 256 nodes get",
                             KIND_NUMBER, 0, CLUSTER_NODES_MAX, FIELD(story.enclave_size)},
    [OPTION_CONTACTS] = {"contacts", "C", "all, one, chain, ring, random:N or a number N",
                         "addresses that discovery names: all, that of the first node,\n"
                         "                      of the one before, of the one after, or N drawn; "
                         "all up to 64\n"
                         "                      nodes, random:16 above",
                         KIND_CONTACTS, 1, CLUSTER_NODES_MAX, 0, 0},
    [OPTION_SEALING] =
        {"sealing", "W", "open, sealed, mixed, rotate or any",
         "keys of the nodes: none, one, none yet on some, or as the scenario rotate;\n"
         "                      any: one of the last three by the seed; open",
         KIND_SEALING, 0, 0, 0, 0},
    [OPTION_WALK] = {"walk", "N", "0 to 1000000",
                     "walk all structures of a node after each Nth of its events; 0 never;\n"
                     "                      1 up to 64 nodes, 0 above",
                     KIND_NUMBER, 0, MILLION, FIELD(story.walk_every)},
    [OPTION_JSON] = {"json", NULL, NULL, "one object instead of the table", KIND_FLAG, 0, 1,
                     FIELD(is_json)},
    [OPTION_HELP] = {"help", NULL, NULL, "this", KIND_FLAG, 0, 1, FIELD(is_help)},
};

void options_help(void)
{
    const char *name = NULL;
    const char *help = NULL;
    printf(
        "usage: repram-sim [--nodes N] [--minutes M] [--scenario S] [--seed X | --seeds A-B]\n\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        printf("  --%-12s %-4s %s\n", table[i].name,
               table[i].argument == NULL ? "" : table[i].argument, table[i].help);
    }
    printf("\nscenarios:\n");
    for (size_t i = 0; (name = faults_name(i, &help)) != NULL; i++) {
        printf("  %-18s %s\n", name, help);
    }
    printf("\nExit code: 0, 1 when an invariant was broken, 64 for wrong arguments.\n");
}

/* ---- Reading values ---- */

/* "12", "0.25": a decimal number in units of 1/`unit`. */
static bool parse_decimal(const char *text, uint64_t unit, uint64_t *ret_value)
{
    const char *point = strchr(text, '.');
    const size_t whole_len = point == NULL ? strlen(text) : (size_t)(point - text);
    uint64_t whole = 0;
    uint64_t part = 0;
    if (parse_u64(text, whole_len, UINT32_MAX, &whole) != RC_OK ||
        (point != NULL && point[1] == '\0')) {
        return false;
    }
    for (uint64_t digit = unit / 10; point != NULL && *++point != '\0'; digit /= 10) {
        if (*point < '0' || *point > '9') {
            return false;
        }
        part += (uint64_t)(*point - '0') * digit;
    }
    *ret_value = whole * unit + part;
    return true;
}

/* "500us", "1.5ms", "2s". */
static bool parse_time_us(const char *text, uint64_t *ret_us)
{
    static const struct {
        const char *suffix;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", THOUSAND}, {"s", MILLION}};
    char number[24];
    const size_t len = strlen(text);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const size_t suffix = strlen(units[i].suffix);
        if (len > suffix && len - suffix < sizeof(number) &&
            strcmp(text + len - suffix, units[i].suffix) == 0) {
            memcpy(number, text, len - suffix);
            number[len - suffix] = '\0';
            return parse_decimal(number, units[i].us, ret_us);
        }
    }
    return false;
}

/* "8-64", or "8" for both. */
static bool parse_range(const char *text, uint64_t min, uint64_t max, uint64_t *ret_first,
                        uint64_t *ret_last)
{
    const char *dash = strchr(text, '-');
    const size_t len = dash == NULL ? strlen(text) : (size_t)(dash - text);
    const char *last = dash == NULL ? text : dash + 1;
    return parse_u64(text, len, max, ret_first) == RC_OK &&
           parse_u64(last, strlen(last), max, ret_last) == RC_OK && min <= *ret_first &&
           *ret_first <= *ret_last;
}

static bool parse_contacts(const char *text, struct options *o)
{
    static const char *const names[] = {[CONTACTS_ALL] = "all",
                                        [CONTACTS_RANDOM] = "random:",
                                        [CONTACTS_CHAIN] = "chain",
                                        [CONTACTS_RING] = "ring",
                                        [CONTACTS_ONE] = "one"};
    static const size_t random_len = sizeof("random:") - 1;
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (i != CONTACTS_RANDOM && strcmp(text, names[i]) == 0) {
            o->story.order = (enum contact_order)i;
            return true;
        }
    }
    const char *number =
        strncmp(text, names[CONTACTS_RANDOM], random_len) == 0 ? text + random_len : text;
    if (parse_u64(number, strlen(number), CLUSTER_NODES_MAX, &count) != RC_OK || count == 0) {
        return false;
    }
    o->story.order = CONTACTS_RANDOM;
    o->story.contacts = (uint32_t)count;
    return true;
}

static bool parse_sealing(const char *text, struct options *o)
{
    static const char *const names[] = {[RINGS_OPEN] = "open",
                                        [RINGS_SEALED] = "sealed",
                                        [RINGS_MIXED] = "mixed",
                                        [RINGS_ROTATE] = "rotate"};
    o->is_any_sealing = strcmp(text, "any") == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            o->story.sealing = (enum rings_plan)i;
            return true;
        }
    }
    return o->is_any_sealing;
}

/* The faults of the scenarios that a list like "loss,churn" names; false when one is unknown. */
static bool find_faults(const char *list, uint64_t seed, uint32_t *ret_set)
{
    char name[SCENARIO_TEXT];
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

static bool parse_value(enum option_kind kind, const char *text, uint64_t *ret_value)
{
    switch (kind) {
    case KIND_NUMBER:
        return parse_u64(text, strlen(text), UINT32_MAX, ret_value) == RC_OK;
    case KIND_SHARE:
        return parse_decimal(text, MILLION, ret_value);
    case KIND_TIME:
        return parse_time_us(text, ret_value);
    case KIND_DURATION:
        return parse_duration_ms(text, strlen(text), ret_value) == RC_OK;
    case KIND_MINUTES:
        return parse_decimal(text, MINUTE_MS, ret_value);
    case KIND_RATE:
        return parse_decimal(text, THOUSAND, ret_value);
    case KIND_FLAG:
        *ret_value = 1;
        return true;
    case KIND_NODES:
    case KIND_SCENARIO:
    case KIND_SEED:
    case KIND_SEEDS:
    case KIND_CONTACTS:
    case KIND_SEALING:
        break;
    }
    return false;
}

static bool take(struct options *o, size_t id, const char *text)
{
    uint64_t value = 0;
    uint64_t last = 0;
    switch (table[id].kind) {
    case KIND_NODES:
        if (!parse_range(text, table[id].min, table[id].max, &value, &last)) {
            return false;
        }
        o->nodes_min = (uint32_t)value;
        o->nodes_max = (uint32_t)last;
        return true;
    case KIND_SCENARIO:
        o->scenario = text;
        return find_faults(text, 0, &o->story.faults);
    case KIND_SEED:
    case KIND_SEEDS:
        return (table[id].kind == KIND_SEEDS || strchr(text, '-') == NULL) &&
               parse_range(text, 0, UINT32_MAX, &o->seed_first, &o->seed_last);
    case KIND_CONTACTS:
        return parse_contacts(text, o);
    case KIND_SEALING:
        return parse_sealing(text, o);
    case KIND_NUMBER:
    case KIND_SHARE:
    case KIND_TIME:
    case KIND_DURATION:
    case KIND_MINUTES:
    case KIND_RATE:
    case KIND_FLAG:
        break;
    }
    if (!parse_value(table[id].kind, text, &value) || value < table[id].min ||
        value > table[id].max) {
        return false;
    }
    const uint32_t narrow = (uint32_t)value;
    unsigned char *field = (unsigned char *)o + table[id].offset;
    if (table[id].size == sizeof(narrow)) {
        memcpy(field, &narrow, sizeof(narrow));
    } else {
        memcpy(field, &value, sizeof(value));
    }
    return true;
}

/* ---- Defaults ---- */

/* `said` is the set of 1 << enum option_id. */
static void fill_defaults(struct options *o, uint32_t said)
{
    struct story *s = &o->story;
    s->nodes = o->nodes_max;
    o->has_loss = (said & (1U << OPTION_LOSS | 1U << OPTION_STREAM_LOSS)) != 0;
    if ((said & 1U << OPTION_ENCLAVE_SIZE) == 0 && s->nodes > MEMBERSHIP_ONLY_ABOVE) {
        s->enclave_size = 1;
    }
    if ((said & 1U << OPTION_STREAM_LOSS) == 0) {
        s->stream_loss_ppm = s->loss_ppm;
    }
    if ((said & 1U << OPTION_CONTACTS) == 0 && s->nodes > ALL_CONTACTS_UP_TO) {
        s->order = CONTACTS_RANDOM;
        s->contacts = CONTACTS;
    }
    if ((said & 1U << OPTION_WRITES) == 0 && s->enclave_size == 1) {
        s->writes_per_1000_s = 0;
    }
    if ((said & 1U << OPTION_WALK) == 0) {
        s->walk_every = story_walk_every(s->nodes);
    }
}

void options_story(const struct options *o, uint64_t seed, struct story *ret_story)
{
    struct rng rng;
    rng_init(&rng, ~seed); /* the faults of a swarm are drawn from the seed itself */
    *ret_story = o->story;
    ret_story->seed = seed;
    ret_story->nodes = o->nodes_min + (uint32_t)rng_below(&rng, o->nodes_max - o->nodes_min + 1);
    (void)find_faults(o->scenario, seed, &ret_story->faults);
    if (strstr(o->scenario, "swarm") != NULL && !o->has_loss && rng_below(&rng, 2) == 0) {
        ret_story->loss_ppm = (uint32_t)rng_below(&rng, SWARM_LOSS_MAX_PPM + 1);
        ret_story->stream_loss_ppm = (uint32_t)rng_below(&rng, SWARM_LOSS_MAX_PPM + 1);
    }
    if (o->is_any_sealing) {
        ret_story->sealing = (enum rings_plan)(RINGS_SEALED + rng_below(&rng, RINGS_ROTATE));
    }
    if (ret_story->sealing == RINGS_ROTATE) {
        ret_story->faults |= 1U << FAULT_ROTATE;
    }
}

bool options_parse(struct options *o, int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {{.name = NULL}};
    uint32_t said = 0;
    int option = 0;
    *o = (struct options){.nodes_min = 16,
                          .nodes_max = 16,
                          .story = {.run_ms = 5 * MINUTE_MS,
                                    .last_ms = 5 * MINUTE_MS,
                                    .settle_ms = 3000,
                                    .burst_us = BURST_MEAN_US,
                                    .delay_us = 500,
                                    .jitter_us = 300,
                                    .writes_per_1000_s = 10 * THOUSAND,
                                    .ttl_ms = MINUTE_MS},
                          .scenario = "steady",
                          .seed_first = 1,
                          .seed_last = 1};
    for (int i = 0; i < OPTIONS; i++) {
        longs[i] =
            (struct option){.name = table[i].name,
                            .has_arg = table[i].kind == KIND_FLAG ? no_argument : required_argument,
                            .val = FIRST_OPTION + i};
    }
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option < FIRST_OPTION) {
            return false; /* getopt has said why */
        }
        const size_t id = (size_t)option - FIRST_OPTION;
        if (!take(o, id, optarg)) {
            (void)fprintf(stderr, "repram-sim: --%s takes %s, not \"%s\"\n", table[id].name,
                          table[id].takes, optarg);
            return false;
        }
        said |= 1U << id;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "repram-sim: unexpected \"%s\"; see --help\n", argv[optind]);
        return false;
    }
    fill_defaults(o, said);
    return true;
}
