#include "tests/sim/report.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR_US 3600e6
#define SECOND_US 1e6

enum { MEDIAN = 500, P90 = 900, P99 = 990, MOST = 1000, PPM_PER_PERCENT = 10000 };

/* Every measured time: its name in the table and in JSON, its field and the table's unit. */
#define TIMES(X)                                                                   \
    X("all started to all see all", "forming", forming, SECOND_US, "s")            \
    X("crash to an observer", "crash_each", silent_each, SECOND_US, "s")           \
    X("crash to the last observer", "crash_all", silent_all, SECOND_US, "s")       \
    X("kill to an observer", "kill_each", killed_each, SECOND_US, "s")             \
    X("kill to the last observer", "kill_all", killed_all, SECOND_US, "s")         \
    X("write to another member", "delivery", deliveries, 1000, "ms")               \
    X("write to the last member", "last_copy", last_copies, 1000, "ms")            \
    X("partition healed to equal views", "heal_views", heal_views, SECOND_US, "s") \
    X("and to equal digests", "heal_digests", heal_digests, SECOND_US, "s")        \
    X("last fault to equal views", "rest_views", rest_views, SECOND_US, "s")       \
    X("last fault to rest, digests equal", "rest", convergences, SECOND_US, "s")

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double per_node_second(const struct figures *f, uint64_t amount)
{
    return ratio((double)amount, (double)f->node_us / SECOND_US);
}

static double last_per_node_second(const struct figures *f)
{
    return ratio((double)f->last_bytes, (double)f->last_node_us / SECOND_US);
}

static double false_death_rate(const struct figures *f)
{
    return ratio((double)f->false_deaths, (double)f->node_us / HOUR_US);
}

static double percent(uint32_t ppm)
{
    return (double)ppm / (double)PPM_PER_PERCENT;
}

/* ---- For people ---- */

/* Of too few values a high percentile is the maximum, which has its own column. */
static void print_percentile(const struct sample *s, uint32_t permille, double unit_us)
{
    if (sample_resolves(s, permille)) {
        printf(" %9.2f", (double)sample_percentile(s, permille) / unit_us);
    } else {
        printf(" %9s", "-");
    }
}

static void print_times(const char *name, const struct sample *s, double unit_us, const char *unit)
{
    if (s->count == 0) {
        return;
    }
    printf("%-36s %9.2f", name, (double)sample_percentile(s, MEDIAN) / unit_us);
    print_percentile(s, P90, unit_us);
    print_percentile(s, P99, unit_us);
    printf(" %9.2f %-3s (%" PRIu64 ")\n", (double)s->max / unit_us, unit, s->count);
}

static void print_head(const struct options *o, const struct figures *f)
{
    static const char *const orders[] = {[CONTACTS_ALL] = "all",
                                         [CONTACTS_RANDOM] = "random",
                                         [CONTACTS_CHAIN] = "chain",
                                         [CONTACTS_RING] = "ring",
                                         [CONTACTS_ONE] = "one"};
    const struct story *s = &o->story;
    printf("\n%u", o->nodes_min);
    if (o->nodes_max > o->nodes_min) {
        printf(" to %u", o->nodes_max);
    }
    printf(" nodes, %.1f min, %s, one way %.1f ms and up to %.1f more, lost: %.1f %% of "
           "datagrams, %.1f %% of segments",
           (double)s->run_ms / 60000, o->scenario, (double)s->delay_us / 1000,
           (double)s->jitter_us / 1000, percent(s->loss_ppm), percent(s->stream_loss_ppm));
    if (s->burst_ppm > 0) {
        printf(", %.1f %% in bursts of %.0f ms", percent(s->burst_ppm), (double)s->burst_us / 1000);
    }
    if (s->enclave_size == 1) {
        printf(", membership only");
    } else if (s->enclave_size > 0) {
        printf(", enclaves of %u", s->enclave_size);
    }
    printf(", contacts %s", orders[s->order]);
    if (s->order == CONTACTS_RANDOM) {
        printf(":%u", s->contacts);
    }
    if (s->is_formed != 0) {
        printf(", all told of all");
    }
    printf(", seeds %" PRIu64 "-%" PRIu64 "\n\n", o->seed_last + 1 - f->seeds, o->seed_last);
}

static void print_traffic(const struct options *o, const struct figures *f)
{
    printf("%-36s %9.3f (and %.3f by reconciliation; %" PRIu64 " not delivered in their time)\n",
           "copies per write and node", ratio((double)f->copies, (double)f->copies_wanted),
           ratio((double)f->sync_copies, (double)f->copies_wanted), f->undelivered);
    printf("%-36s %9.0f (%.0f datagrams, %.0f streams, %.0f their headers, estimated)\n",
           "bytes sent per node and second",
           per_node_second(f, f->datagram_bytes + f->stream_bytes + f->stream_headers),
           per_node_second(f, f->datagram_bytes), per_node_second(f, f->stream_bytes),
           per_node_second(f, f->stream_headers));
    printf("%-36s %9.0f (the last %.1f min)\n", "the same, at the end", last_per_node_second(f),
           (double)(o->story.last_ms < o->story.run_ms ? o->story.last_ms : o->story.run_ms) /
               60000);
}

static void print_count(const char *text, uint64_t count)
{
    if (count > 0) {
        printf("  %-62s %12" PRIu64 "\n", text, count);
    }
}

static void print_counts(const struct figures *f)
{
    printf("\nwhat the network and the faults did\n");
#define PRINT_EFFECT(name, help) print_count(help, f->effects.name);
    SIM_EFFECTS(PRINT_EFFECT)
#undef PRINT_EFFECT
    printf("\nwhat the nodes counted meanwhile\n");
#define PRINT_COUNTER(name, help) print_count(help, f->counters.name);
    ENGINE_COUNTERS(PRINT_COUNTER)
#undef PRINT_COUNTER
    if (f->broken > 0) {
        printf("\nwhat was broken\n");
    }
    for (uint32_t i = 0; i < INVARIANTS; i++) {
        print_count(invariant_text((enum invariant)i), f->broken_by[i]);
    }
}

void report_table(const struct options *o, const struct figures *f)
{
    print_head(o, f);
    printf("%-36s %9s %9s %9s %9s\n", "time", "median", "p90", "p99", "max");
#define PRINT_TIMES(text, name, field, unit_us, unit) print_times(text, &f->field, unit_us, unit);
    TIMES(PRINT_TIMES)
#undef PRINT_TIMES
    printf("\n");
    printf("%-36s %9.2f (%" PRIu64 " in %.1f node-hours; %" PRIu64 " excused)\n",
           "false deaths per node-hour", false_death_rate(f), f->false_deaths,
           (double)f->node_us / HOUR_US, f->excused_deaths);
    printf("%-36s %9" PRIu64 "\n", "suspicions of living nodes", f->suspicions);
    printf("%-36s %9" PRIu64 " (%" PRIu64 " refused, %" PRIu64 " answered 201, %" PRIu64
           " answered 202)\n",
           "writes", f->writes, f->refused, f->quorums, f->pendings);
    print_traffic(o, f);
    printf("%-36s %9" PRIu64 " (%" PRIu64 " finished)\n", "reconciliation sessions",
           f->counters.syncs_started, f->counters.syncs_finished);
    printf("%-36s %9" PRIu64 " (in %" PRIu64 " reads)\n", "resurrections", f->resurrections,
           f->reads);
    printf("%-36s %9" PRIu64 " (%" PRIu64 " walks of all structures of a node)\n",
           "broken invariants", f->broken, f->walks);
    printf("%-36s %9" PRIu64 "\n", "events", f->events);
    printf("%-36s %016" PRIx64 "\n", "history", f->hash);
    print_counts(f);
}

/* ---- For programs ---- */

static void json_times(const char *name, const struct sample *s)
{
    printf("\"%s_us\":{\"count\":%" PRIu64 ",\"median\":%" PRIu64 ",\"p90\":%" PRIu64
           ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "},",
           name, s->count, sample_percentile(s, MEDIAN), sample_percentile(s, P90),
           sample_percentile(s, P99), sample_percentile(s, MOST));
}

static void json_head(const struct options *o, const struct figures *f)
{
    const struct story *s = &o->story;
    printf("{\"nodes\":%u,\"nodes_min\":%u,\"run_ms\":%" PRIu64 ",\"last_ms\":%" PRIu64
           ",\"scenario\":\"%s\",\"loss_ppm\":%u,\"stream_loss_ppm\":%u,\"burst_ppm\":%u,"
           "\"burst_us\":%" PRIu64 ",\"delay_us\":%" PRIu64 ",\"jitter_us\":%" PRIu64
           ",\"enclave_size\":%u,\"formed\":%u,\"contact_order\":%u,\"contacts\":%u,\"stagger_ms\":"
           "%" PRIu64 ",\"writes_per_1000_s\":%u,\"seed_first\":%" PRIu64 ",\"seed_last\":%" PRIu64
           ",",
           o->nodes_max, o->nodes_min, s->run_ms, s->last_ms, o->scenario, s->loss_ppm,
           s->stream_loss_ppm, s->burst_ppm, s->burst_us, s->delay_us, s->jitter_us,
           s->enclave_size, s->is_formed, (unsigned)s->order, s->contacts, s->stagger_ms,
           s->writes_per_1000_s, o->seed_last + 1 - f->seeds, o->seed_last);
}

static void json_counts(const struct figures *f)
{
    const char *comma = "";
#define JSON_COUNT(name, help)                                   \
    printf("%s\"" #name "\":%" PRIu64, comma, COUNTED(f)->name); \
    comma = ",";
    printf("\"effects\":{");
#define COUNTED(figures) (&(figures)->effects)
    SIM_EFFECTS(JSON_COUNT)
#undef COUNTED
    comma = "";
    printf("},\"counters\":{");
#define COUNTED(figures) (&(figures)->counters)
    ENGINE_COUNTERS(JSON_COUNT)
#undef COUNTED
#undef JSON_COUNT
    comma = "";
    printf("},\"broken_by\":{");
#define JSON_BROKEN(name, help)                                                \
    printf("%s\"" #name "\":%" PRIu64, comma, f->broken_by[INVARIANT_##name]); \
    comma = ",";
    SIM_INVARIANTS(JSON_BROKEN)
#undef JSON_BROKEN
    printf("}");
}

void report_json(const struct options *o, const struct figures *f)
{
    json_head(o, f);
#define JSON_TIMES(text, name, field, unit_us, unit) json_times(name, &f->field);
    TIMES(JSON_TIMES)
#undef JSON_TIMES
    printf("\"node_hours\":%.4f,\"false_deaths\":%" PRIu64 ",\"false_deaths_per_node_hour\":%.4f,"
           "\"excused_deaths\":%" PRIu64 ",\"suspicions\":%" PRIu64 ",",
           (double)f->node_us / HOUR_US, f->false_deaths, false_death_rate(f), f->excused_deaths,
           f->suspicions);
    printf("\"writes\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"answered_201\":%" PRIu64
           ",\"answered_202\":%" PRIu64 ",\"undelivered\":%" PRIu64
           ",\"copies_per_write_and_node\":%.4f,"
           "\"sync_copies_per_write_and_node\":%.4f,",
           f->writes, f->refused, f->quorums, f->pendings, f->undelivered,
           ratio((double)f->copies, (double)f->copies_wanted),
           ratio((double)f->sync_copies, (double)f->copies_wanted));
    printf("\"datagram_bytes_per_node_s\":%.1f,\"stream_bytes_per_node_s\":%.1f,"
           "\"stream_header_bytes_per_node_s\":%.1f,\"last_bytes_per_node_s\":%.1f,",
           per_node_second(f, f->datagram_bytes), per_node_second(f, f->stream_bytes),
           per_node_second(f, f->stream_headers), last_per_node_second(f));
    json_counts(f);
    printf(",\"reads\":%" PRIu64 ",\"walks\":%" PRIu64 ",\"resurrections\":%" PRIu64
           ",\"broken\":%" PRIu64 ",\"events\":%" PRIu64 ",\"history\":\"%016" PRIx64 "\"}\n",
           f->reads, f->walks, f->resurrections, f->broken, f->events, f->hash);
}
