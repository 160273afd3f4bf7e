/*
 * report: the figures of a simulation as a table for people or as one JSON object.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "tests/sim/story.h"

/* To stdout. `scenario` and `seed_last` describe the runs besides the story. */
void report_table(const struct story *s, const char *scenario, uint64_t seed_last,
                  struct figures *f);
void report_json(const struct story *s, const char *scenario, uint64_t seed_last,
                 struct figures *f);

#endif
