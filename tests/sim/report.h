/*
 * report: the figures of a simulation as a table for people or as one JSON object.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "tests/sim/options.h"

/* To stdout. The options describe the runs. */
void report_table(const struct options *o, const struct figures *f);
void report_json(const struct options *o, const struct figures *f);

#endif
