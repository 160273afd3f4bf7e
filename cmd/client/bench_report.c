#include "cmd/client/bench_report.h"

#include "cmd/base/table.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>

enum { CELL_SIZE = 32, P50 = 500, P90 = 900, P99 = 990, P999 = 999, BUSY_PERCENT = 90 };

/* Timers alone are late by up to this part of a second; that is not behind the rate. */
enum { BEHIND_PART = 100 };

static const double ns_per_s = 1e9, ns_per_ms = 1e6, ns_per_us = 1e3, bytes_per_mb = 1e6;

static const char *const kind_names[LOAD_KIND_COUNT] = {[LOAD_GET] = "GET", [LOAD_PUT] = "PUT"};

static double per_second(const struct load_result *result, uint64_t count)
{
    return result->elapsed_ns > 0 ? (double)count * ns_per_s / (double)result->elapsed_ns : 0;
}

static uint64_t answered(const struct load_result *result)
{
    return result->kinds[LOAD_GET].answered + result->kinds[LOAD_PUT].answered;
}

static uint64_t fault_count(const struct load_result *result)
{
    uint64_t count = 0;
    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        count += result->faults[i];
    }
    return count;
}

uint64_t bench_report_failed(const struct load_result *result)
{
    return result->kinds[LOAD_GET].errors + result->kinds[LOAD_PUT].errors + fault_count(result);
}

/* ---- While it runs ---- */

void bench_report_progress(FILE *out, const struct load_config *config,
                           const struct load_progress *p)
{
    static const char *const parts[] = {"filling", "warming up", "measuring", "done"};
    const double seconds = (double)p->part_ns / ns_per_s;
    (void)fprintf(out, "\r\033[K%s %.0f s", parts[p->part], seconds);
    if (p->part == LOAD_FILL) {
        (void)fprintf(out, ", %" PRIu64 " of %" PRIu64 " keys", p->answered, config->mix.key_count);
    } else if (p->part == LOAD_MEASURE && config->duration_ms > 0) {
        (void)fprintf(out, " of %.0f s", (double)config->duration_ms / 1000);
    } else if (p->part == LOAD_MEASURE) {
        (void)fprintf(out, ", %" PRIu64 " of %" PRIu64 " requests", p->answered,
                      config->requests_max);
    }
    (void)fprintf(out, ", %" PRIu64 " a second, %s %.3f ms", p->recent_per_s,
                  p->has_p99 ? "p99" : "max",
                  (double)(p->has_p99 ? p->recent_p99_ns : p->recent_max_ns) / ns_per_ms);
    if (p->errors > 0) {
        (void)fprintf(out, ", %" PRIu64 " errors", p->errors);
    }
    (void)fflush(out);
}

void bench_report_progress_end(FILE *out)
{
    (void)fputs("\r\033[K", out);
    (void)fflush(out);
}

/* ---- For people ---- */

static void print_ms(char cell[static CELL_SIZE], uint64_t ns)
{
    (void)snprintf(cell, CELL_SIZE, "%.3f", (double)ns / ns_per_ms);
}

static void add_row(struct table *table, const char *name, const struct load_result *result,
                    uint64_t count, uint64_t errors, const struct sample *s)
{
    static const uint32_t high[] = {P90, P99, P999};
    char cells[9][CELL_SIZE];
    (void)snprintf(cells[0], CELL_SIZE, "%" PRIu64, count);
    (void)snprintf(cells[1], CELL_SIZE, "%.0f", per_second(result, count));
    (void)snprintf(cells[2], CELL_SIZE, "%" PRIu64, errors);
    print_ms(cells[3], sample_mean(s));
    print_ms(cells[4], sample_percentile(s, P50));
    for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
        (void)snprintf(cells[5 + i], CELL_SIZE, "-");
        if (sample_resolves(s, high[i])) {
            print_ms(cells[5 + i], sample_percentile(s, high[i]));
        }
    }
    print_ms(cells[8], s->max);
    const char *const row[] = {name,     cells[0], cells[1], cells[2], cells[3],
                               cells[4], cells[5], cells[6], cells[7], cells[8]};
    table_add(table, row);
}

/* The headings are there also where no person reads along. Ten numbers without them are a riddle,
 * and scripts have --json. */
static void print_table(const struct table *table, FILE *out)
{
    char *text = table_format(table, true);
    (void)fputs(text, out);
    free(text);
}

static void print_kinds(const struct load_result *result, FILE *out)
{
    static const char *const headings[] = {"KIND",   "REQUESTS", "PER_S",  "ERRORS",   "MEAN_MS",
                                           "P50_MS", "P90_MS",   "P99_MS", "P99.9_MS", "MAX_MS"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    struct sample all = {.count = 0};
    uint64_t errors = 0, kinds = 0;
    for (int i = 0; i < LOAD_KIND_COUNT; i++) {
        const struct load_kind_result *kind = &result->kinds[i];
        if (kind->answered > 0) {
            add_row(table, kind_names[i], result, kind->answered, kind->errors, &kind->latency_ns);
            sample_merge(&all, &kind->latency_ns);
            errors += kind->errors;
            kinds++;
        }
    }
    if (kinds != 1) {
        add_row(table, "all", result, answered(result), errors, &all);
    }
    print_table(table, out);
    table_free(table);
    sample_fini(&all);
}

static void print_servers(const struct bench_report *r, FILE *out)
{
    static const char *const headings[] = {"SERVER", "REQUESTS", "PER_S", "ERRORS", "FAULTS"};
    const struct load_result *result = r->result;
    if (result->target_count < 2) {
        return;
    }
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < result->target_count; i++) {
        const struct load_target_result *target = &result->targets[i];
        char cells[4][CELL_SIZE];
        (void)snprintf(cells[0], CELL_SIZE, "%" PRIu64, target->answered);
        (void)snprintf(cells[1], CELL_SIZE, "%.0f", per_second(result, target->answered));
        (void)snprintf(cells[2], CELL_SIZE, "%" PRIu64, target->errors);
        (void)snprintf(cells[3], CELL_SIZE, "%" PRIu64, target->faults);
        const char *const row[] = {r->servers[i], cells[0], cells[1], cells[2], cells[3]};
        table_add(table, row);
    }
    (void)fputc('\n', out);
    print_table(table, out);
    table_free(table);
}

static void print_statuses(const struct load_result *result, FILE *out)
{
    const char *before = "answers: ";
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        for (int status = 0; status < LOAD_STATUS_END; status++) {
            if (result->kinds[kind].statuses[status] > 0) {
                (void)fprintf(out, "%s%" PRIu64 " x %d to %s", before,
                              result->kinds[kind].statuses[status], status, kind_names[kind]);
                before = ", ";
            }
        }
    }
    (void)fputs(answered(result) > 0 ? "\n" : "answers: none\n", out);
    before = "faults: ";
    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        if (result->faults[i] > 0) {
            (void)fprintf(out, "%s%" PRIu64 " x %s", before, result->faults[i],
                          load_fault_name((enum load_fault)i));
            before = ", ";
        }
    }
    (void)fputs(fault_count(result) > 0 ? "\n" : "", out);
}

static void print_setup(const struct load_config *config, FILE *out)
{
    const struct load_mix_config *mix = &config->mix;
    (void)fprintf(out, "%zu server%s, %u connections with %s%u request%s %s on each",
                  config->target_count, config->target_count == 1 ? "" : "s", config->connections,
                  config->is_burst ? "bursts of " : "", config->depth,
                  config->depth == 1 ? "" : "s", config->is_burst ? "at once" : "under way");
    if (config->rate > 0) {
        (void)fprintf(out, ", %" PRIu64 " requests a second", config->rate);
    }
    (void)fprintf(out, "\n%u %% GET, %" PRIu64 " keys, values of %zu", mix->reads_percent,
                  mix->key_count, mix->size_min);
    if (mix->size_max > mix->size_min) {
        (void)fprintf(out, " to %zu", mix->size_max);
    }
    (void)fputs(" bytes\n\n", out);
}

static void print_notes(const struct bench_report *r, FILE *out)
{
    const struct load_result *result = r->result;
    if (result->unanswered > 0 && fault_count(result) > 0) {
        (void)fprintf(out, "under way at the end: %" PRIu64 "\n", result->unanswered);
    }
    if (result->unsent > r->config->rate / BEHIND_PART) {
        (void)fprintf(out,
                      "due and never sent: %" PRIu64 "; the rate is beyond what was answered\n",
                      result->unsent);
    }
    if (result->fill_errors > 0) {
        (void)fprintf(out, "keys that could not be written first: %" PRIu64 " of %" PRIu64 "\n",
                      result->fill_errors, result->fill_answered);
    }
    if (r->busy * 100 >= (double)BUSY_PERCENT) {
        (void)fprintf(out,
                      "note: the generator itself was busy for %.0f %% of the time; the servers "
                      "may be able to do more\n",
                      r->busy * 100);
    }
}

void bench_report_text(const struct bench_report *r, FILE *out)
{
    const struct load_result *result = r->result;
    print_setup(r->config, out);
    print_kinds(result, out);
    print_servers(r, out);
    (void)fprintf(out, "\n%" PRIu64 " requests in %.2f s%s; %.2f MB/s in, %.2f MB/s out\n",
                  answered(result), (double)result->elapsed_ns / ns_per_s,
                  result->is_interrupted ? ", interrupted" : "",
                  per_second(result, result->bytes_in) / bytes_per_mb,
                  per_second(result, result->bytes_out) / bytes_per_mb);
    print_statuses(result, out);
    print_notes(r, out);
}

/* ---- For scripts ---- */

static void add_number(cJSON *to, const char *name, uint64_t value)
{
    (void)cJSON_AddNumberToObject(to, name, (double)value);
}

static void add_us(cJSON *to, const char *name, uint64_t ns)
{
    (void)cJSON_AddNumberToObject(to, name, (double)ns / ns_per_us);
}

/* Null where too few were answered to speak of it. */
static void add_percentile(cJSON *to, const char *name, const struct sample *s, uint32_t permille)
{
    if (sample_resolves(s, permille)) {
        add_us(to, name, sample_percentile(s, permille));
    } else {
        (void)cJSON_AddNullToObject(to, name);
    }
}

static void add_kind(cJSON *root, const char *name, const struct load_result *result,
                     const struct load_kind_result *kind)
{
    const struct sample *s = &kind->latency_ns;
    cJSON *of = cJSON_AddObjectToObject(root, name);
    add_number(of, "requests", kind->answered);
    (void)cJSON_AddNumberToObject(of, "per_s", per_second(result, kind->answered));
    add_number(of, "errors", kind->errors);
    cJSON *latency = cJSON_AddObjectToObject(of, "latency_us");
    add_us(latency, "mean", sample_mean(s));
    add_us(latency, "p50", sample_percentile(s, P50));
    add_percentile(latency, "p90", s, P90);
    add_percentile(latency, "p99", s, P99);
    add_percentile(latency, "p99_9", s, P999);
    add_us(latency, "max", s->max);
    cJSON *statuses = cJSON_AddObjectToObject(of, "statuses");
    for (int status = 0; status < LOAD_STATUS_END; status++) {
        char text[CELL_SIZE];
        (void)snprintf(text, sizeof(text), "%d", status);
        if (kind->statuses[status] > 0) {
            add_number(statuses, text, kind->statuses[status]);
        }
    }
}

static void add_setup(cJSON *root, const struct load_config *config)
{
    cJSON *of = cJSON_AddObjectToObject(root, "setup");
    add_number(of, "connections", config->connections);
    add_number(of, "pipeline", config->depth);
    (void)cJSON_AddBoolToObject(of, "burst", config->is_burst);
    add_number(of, "reads_percent", config->mix.reads_percent);
    add_number(of, "keys", config->mix.key_count);
    add_number(of, "size_min", config->mix.size_min);
    add_number(of, "size_max", config->mix.size_max);
    add_number(of, "ttl_s", config->mix.ttl_s);
    add_number(of, "rate", config->rate);
}

static void add_servers(cJSON *root, const struct bench_report *r)
{
    cJSON *list = cJSON_AddArrayToObject(root, "servers");
    for (size_t i = 0; i < r->result->target_count; i++) {
        const struct load_target_result *target = &r->result->targets[i];
        cJSON *of = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(of, "server", r->servers[i]);
        add_number(of, "requests", target->answered);
        add_number(of, "errors", target->errors);
        add_number(of, "faults", target->faults);
        (void)cJSON_AddItemToArray(list, of);
    }
}

void bench_report_json(const struct bench_report *r, FILE *out)
{
    const struct load_result *result = r->result;
    cJSON *root = cJSON_CreateObject();
    add_setup(root, r->config);
    (void)cJSON_AddNumberToObject(root, "seconds", (double)result->elapsed_ns / ns_per_s);
    (void)cJSON_AddBoolToObject(root, "interrupted", result->is_interrupted);
    add_number(root, "requests", answered(result));
    (void)cJSON_AddNumberToObject(root, "per_s", per_second(result, answered(result)));
    add_number(root, "failed", bench_report_failed(result));
    add_kind(root, "get", result, &result->kinds[LOAD_GET]);
    add_kind(root, "put", result, &result->kinds[LOAD_PUT]);
    cJSON *faults = cJSON_AddObjectToObject(root, "faults");
    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        add_number(faults, load_fault_name((enum load_fault)i), result->faults[i]);
    }
    add_servers(root, r);
    add_number(root, "bytes_in", result->bytes_in);
    add_number(root, "bytes_out", result->bytes_out);
    add_number(root, "unanswered", result->unanswered);
    add_number(root, "unsent", result->unsent);
    cJSON *fill = cJSON_AddObjectToObject(root, "fill");
    add_number(fill, "requests", result->fill_answered);
    add_number(fill, "errors", result->fill_errors);
    (void)cJSON_AddNumberToObject(root, "generator_busy", r->busy);
    char *text = cJSON_PrintUnformatted(root);
    (void)fprintf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(root);
}
