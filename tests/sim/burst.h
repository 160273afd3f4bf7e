/*
 * burst: loss that comes in bursts, by the model of Gilbert (Bell System Technical Journal 1960).
 * Nothing is lost in the good state and everything in the bad one. This is Elliott's generalisation
 * (ibid. 1963) with chances 0 and 1; the chance loss of the network comes on top.
 *
 * Each node's own line is good or bad, as where a radio or an uplink fails. A packet passes when
 * the lines of both its ends are good. So several packets of one probe are lost together, which
 * loss by independent chances never shows. A state lasts a geometrically distributed number of
 * steps and is drawn when it is asked for, so a cluster costs 32 bytes a node.
 */
#ifndef SIM_BURST_H
#define SIM_BURST_H

#include "core/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum { BURST_MEAN_US = 200 * 1000, BURST_SHARE_MAX_PPM = 900000 };

struct burst_line {
    uint64_t until_us;               /* the state lasts until then */
    uint64_t bad_from_us, bad_to_us; /* the latest burst, or the one that goes on */
    bool is_bad;
};

struct burst {
    struct burst_line *lines; /* by node */
    uint32_t count;
    uint32_t leave_good_ppm, leave_bad_ppm; /* each step; leave_good_ppm 0: no bursts */
    uint64_t step_us;
};

void burst_init(struct burst *b, uint32_t count);
void burst_fini(struct burst *b);

/* From now on a share of `loss_ppm` of what goes between two nodes is lost, in bursts of `mean_us`
 * on average; 0 ends them. */
void burst_set(struct burst *b, uint32_t loss_ppm, uint64_t mean_us);

/* How much longer a burst keeps packets between two nodes from passing; 0 when they pass. `now_us`
 * never goes back. */
uint64_t burst_left_us(struct burst *b, struct rng *rng, uint32_t from, uint32_t to,
                       uint64_t now_us);

/* Whether all that the node sent or should have received was lost for `at_least_us` on end, until
 * `now_us` or a moment before it. */
bool burst_was_outage(const struct burst *b, uint32_t node, uint64_t at_least_us, uint64_t now_us);

#endif
