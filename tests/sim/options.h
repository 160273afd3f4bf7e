/*
 * options: the command line of repram-sim, in one table from which it is parsed, refused and
 * explained.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "tests/sim/story.h"

struct options {
    struct story story; /* but for nodes, faults and seed, which differ by the run */
    const char *scenario;
    uint32_t nodes_min, nodes_max; /* each seed draws from them */
    bool has_loss;
    bool is_any_sealing; /* each seed draws from them */
    uint64_t seed_first, seed_last;
    uint64_t is_json, is_help; /* 0 or 1 */
};

/* Takes the arguments, and the defaults of those that are not given. False when one is wrong; then
 * a line on stderr says which option it is and what it takes. The texts are borrowed. */
bool options_parse(struct options *o, int argc, char **argv);

/* To stdout. */
void options_help(void);

/* The story of one seed: with its own number of nodes, and its own faults and loss where they are
 * to be drawn. */
void options_story(const struct options *o, uint64_t seed, struct story *ret_story);

#endif
