#include "tests/sim/report.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR_US 3600e6
#define SECOND_US 1e6

enum { MEDIAN = 500, P99 = 990, MOST = 1000, PPM_PER_PERCENT = 10000 };

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double per_node_second(const struct figures *f, uint64_t amount)
{
    return ratio((double)amount, (double)f->node_us / SECOND_US);
}

static double false_death_rate(const struct figures *f)
{
    return ratio((double)f->false_deaths, (double)f->node_us / HOUR_US);
}

static void print_times(const char *name, struct sample *s, double unit_us, const char *unit)
{
    if (s->count == 0) {
        return;
    }
    printf("%-34s %9.2f %9.2f %9.2f %-3s (%zu)\n", name,
           (double)sample_percentile(s, MEDIAN) / unit_us,
           (double)sample_percentile(s, P99) / unit_us,
           (double)sample_percentile(s, MOST) / unit_us, unit, s->count);
}

void report_table(const struct story *s, const char *scenario, uint64_t seed_last,
                  struct figures *f)
{
    printf("\n%u nodes, %.1f min, %s, loss %.1f %% of datagrams and %.1f %% of segments, one way "
           "%.1f ms, ",
           s->nodes, (double)s->run_ms / 60000, scenario, (double)s->loss_ppm / PPM_PER_PERCENT,
           (double)s->stream_loss_ppm / PPM_PER_PERCENT, (double)s->delay_us / 1000);
    if (s->enclave_size == 1) {
        printf("membership only, ");
    } else if (s->enclave_size > 0) {
        printf("enclaves of %u, ", s->enclave_size);
    }
    printf("seeds %" PRIu64 "-%" PRIu64 "\n\n", seed_last + 1 - f->seeds, seed_last);
    printf("%-34s %9s %9s %9s\n", "time", "median", "p99", "max");
    print_times("all started to all see all", &f->forming, SECOND_US, "s");
    print_times("crash to an observer", &f->silent_each, SECOND_US, "s");
    print_times("crash to the last observer", &f->silent_all, SECOND_US, "s");
    print_times("kill to an observer", &f->killed_each, SECOND_US, "s");
    print_times("kill to the last observer", &f->killed_all, SECOND_US, "s");
    print_times("write to another member", &f->deliveries, 1000, "ms");
    print_times("write to the last member", &f->last_copies, 1000, "ms");
    print_times("last fault to rest", &f->convergences, SECOND_US, "s");
    printf("\n");
    printf("%-34s %9.2f (%" PRIu64 " in %.1f node-hours; %" PRIu64 " excused)\n",
           "false deaths per node-hour", false_death_rate(f), f->false_deaths,
           (double)f->node_us / HOUR_US, f->excused_deaths);
    printf("%-34s %9" PRIu64 "\n", "suspicions of living nodes", f->suspicions);
    printf("%-34s %9" PRIu64 " (%" PRIu64 " refused, %" PRIu64 " answered 201, %" PRIu64
           " answered 202)\n",
           "writes", f->writes, f->refused, f->quorums, f->pendings);
    printf("%-34s %9.3f (and %.3f by reconciliation; %" PRIu64 " not delivered in their time)\n",
           "copies per write and node", ratio((double)f->copies, (double)f->copies_wanted),
           ratio((double)f->sync_copies, (double)f->copies_wanted), f->undelivered);
    printf("%-34s %9.0f (%.0f datagrams, %.0f streams, %.0f their headers, estimated)\n",
           "bytes sent per node and second",
           per_node_second(f, f->datagram_bytes + f->stream_bytes + f->stream_headers),
           per_node_second(f, f->datagram_bytes), per_node_second(f, f->stream_bytes),
           per_node_second(f, f->stream_headers));
    printf("%-34s %9" PRIu64 " (in %" PRIu64 " reads)\n", "resurrections", f->resurrections,
           f->reads);
    printf("%-34s %9" PRIu64 "\n", "broken invariants", f->broken);
    printf("%-34s %9" PRIu64 "\n", "events", f->events);
    printf("%-34s %016" PRIx64 "\n", "history", f->hash);
}

static void json_times(const char *name, struct sample *s)
{
    printf("\"%s_us\":{\"count\":%zu,\"median\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64
           "},",
           name, s->count, sample_percentile(s, MEDIAN), sample_percentile(s, P99),
           sample_percentile(s, MOST));
}

void report_json(const struct story *s, const char *scenario, uint64_t seed_last, struct figures *f)
{
    printf("{\"nodes\":%u,\"run_ms\":%" PRIu64 ",\"scenario\":\"%s\",\"loss_ppm\":%u,"
           "\"stream_loss_ppm\":%u,\"delay_us\":%" PRIu64 ",\"jitter_us\":%" PRIu64
           ",\"enclave_size\":%u,\"seed_first\":%" PRIu64 ",\"seed_last\":%" PRIu64 ",",
           s->nodes, s->run_ms, scenario, s->loss_ppm, s->stream_loss_ppm, s->delay_us,
           s->jitter_us, s->enclave_size, seed_last + 1 - f->seeds, seed_last);
    json_times("forming", &f->forming);
    json_times("crash_each", &f->silent_each);
    json_times("crash_all", &f->silent_all);
    json_times("kill_each", &f->killed_each);
    json_times("kill_all", &f->killed_all);
    json_times("delivery", &f->deliveries);
    json_times("last_copy", &f->last_copies);
    json_times("rest", &f->convergences);
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
           "\"stream_header_bytes_per_node_s\":%.1f,",
           per_node_second(f, f->datagram_bytes), per_node_second(f, f->stream_bytes),
           per_node_second(f, f->stream_headers));
    printf("\"reads\":%" PRIu64 ",\"resurrections\":%" PRIu64 ",\"broken\":%" PRIu64
           ",\"events\":%" PRIu64 ",\"history\":\"%016" PRIx64 "\"}\n",
           f->reads, f->resurrections, f->broken, f->events, f->hash);
}
