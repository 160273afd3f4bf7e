/*
 * bench_report: what `repram bench` shows: a line while it runs, and the outcome for people or for
 * scripts.
 */
#ifndef CMD_CLIENT_BENCH_REPORT_H
#define CMD_CLIENT_BENCH_REPORT_H

#include "net/load/load.h"

#include <stdbool.h>
#include <stdio.h>

struct bench_report {
    const struct load_config *config;
    const struct load_result *result;
    const char *const *servers; /* config->target_count of them, for people */
    double busy;                /* share of a core that the generator itself used */
};

/* One line over the last one, without an end; `bench_report_progress_end` wipes it away. */
void bench_report_progress(FILE *out, const struct load_config *config,
                           const struct load_progress *p);
void bench_report_progress_end(FILE *out);

void bench_report_text(const struct bench_report *r, FILE *out);

/* One line of JSON. */
void bench_report_json(const struct bench_report *r, FILE *out);

/* Requests of the measured part that failed: refused, or without an answer. */
uint64_t bench_report_failed(const struct load_result *result);

#endif
